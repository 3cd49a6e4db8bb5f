"""The stack without Docker: each service a process with a keeper, its data under ``.stack``."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from buildtools.explain import explain
from buildtools.findings import Cause
from buildtools.processes import Lasting, clean_environment, redact, send_signal, start_lasting
from buildtools.stack.checks import check_port, health, listens, serves
from buildtools.stack.commands import Machine, check_programs, orders
from buildtools.stack.memory import remember, remembered_mode
from buildtools.stack.records import Phase, Record, read_record, record_file
from buildtools.stack.reset import Plan, carry_out, plan_reset
from buildtools.stack.services import Service, services
from buildtools.stack.settings import Mode, Settings
from buildtools.stack.states import EngineName, State
from buildtools.stack.trouble import StackError
from buildtools.stack.volumes import check_space
from buildtools.writing import write_whole

_PAUSE = 0.1
_TAIL_LINES = 12
_LOG_BYTES = 64 << 10


class ProcessEngine:
    """See :class:`buildtools.stack.states.Engine`."""

    name = EngineName.PROCESS

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def mode(self) -> Mode | None:
        """The mode of the last start."""
        return remembered_mode(self._settings)

    def up(
        self, mode: Mode, wanted: Sequence[Service], machine: Machine, *, timeout: float
    ) -> None:
        """Start what does not run."""
        up(self._settings, mode, wanted, machine, timeout=timeout)

    def down(self, mode: Mode, named: Sequence[Service], tell: Callable[[str, str], None]) -> None:
        """End services; ``mode`` says nothing here."""
        del mode
        down(self._settings, named, tell)

    def states(self, mode: Mode, *, look: bool = True) -> tuple[State, ...]:
        """How each service stands; ``look`` asks it for its health."""
        found = []
        for service in services(self._settings, mode):
            record = read_record(self._settings.folder, service.name)
            asked = look and record is not None and record.alive
            said = health(service.name, self._settings) if asked else ""
            found.append(state_of(service, record, said))
        return tuple(found)

    def log_tail(self, service: str) -> str:
        """The last lines of a service's log."""
        return log_tail(self._settings, service)

    def broker_lives(self) -> bool:
        """Whether the broker's process runs, or something listens in its place."""
        record = read_record(self._settings.folder, "kafka")
        alive = record is not None and record.alive
        return alive or listens(self._settings.inside_port)

    def plan_reset(self, sources: Mapping[str, Mapping[str, str]]) -> Plan:
        """The folders under ``.stack/volumes``."""
        return plan_reset(self._settings, sources)

    def carry_out(self, plan: Plan, typed: str) -> None:
        """Remove the plan's folders."""
        carry_out(plan, self._settings, typed)


def state_of(service: Service, record: Record | None, unhealthy: str) -> State:
    """How a service stands by its record; ``unhealthy`` is why it is not healthy, or nothing."""
    if record is None or not (record.alive or record.keeper.alive):
        refused = record is not None and record.phase is Phase.REFUSED
        word = "refused" if refused else "down"
    elif record.alive:
        word = "starting" if unhealthy else "healthy"
    else:
        word = record.phase.value
    why = "" if word in {"healthy", "down"} or record is None else record.why or unhealthy
    lives = record is not None and record.alive and record.child is not None
    return State(
        service=service,
        word=word,
        pid=record.child.pid if lives and record and record.child else None,
        restarts=max(0, record.starts - 1) if record else 0,
        why=why,
    )


def up(
    settings: Settings,
    mode: Mode,
    wanted: Sequence[Service],
    machine: Machine,
    *,
    timeout: float,
) -> None:
    """Start what does not run, in order by health; those that run are left alone.

    When it fails or is interrupted, everything that it started is ended again. Raises
    :class:`StackError` with the cause and the mend.
    """
    _check_mode(settings, mode)
    names = tuple(service.name for service in wanted)
    check_programs(names, mode, machine)
    check_space(settings.folder, shutil.disk_usage(settings.folder).free)
    missing = tuple(service for service in wanted if not _runs(settings, service))
    for service in missing:
        _end(settings, service)
        _check_ports(service)
    for folder in ("run", "logs"):
        (settings.folder / folder).mkdir(exist_ok=True, mode=0o700)
    remember(settings, mode, EngineName.PROCESS)
    deadline = time.monotonic() + timeout
    start = _Start(settings, mode, machine, wanted=wanted, missing=missing, deadline=deadline)
    start.carry_out()


def down(settings: Settings, every: Sequence[Service], tell: Callable[[str, str], None]) -> None:
    """End the services against the order of their start, those without an order at once."""
    left = [one for one in every if read_record(settings.folder, one.name) is not None]
    while left:
        needed = {name for one in left for name in one.after}
        now = [one for one in left if one.name not in needed]
        with ThreadPoolExecutor(len(now)) as pool:
            for one in now:
                tell(one.name, "stopping")
            list(pool.map(lambda one: _end(settings, one), now))
        for one in now:
            tell(one.name, "down")
        left = [one for one in left if one not in now]


def log_tail(settings: Settings, service: str, start: int = 0, lines: int = _TAIL_LINES) -> str:
    """The last lines of a service's log since byte ``start``, secrets masked."""
    return "\n".join(_log(settings, service, start).splitlines()[-lines:])


def _log(settings: Settings, service: str, start: int) -> str:
    try:
        with (settings.folder / "logs" / f"{service}.log").open("rb") as file:
            file.seek(start)
            text = file.read(8 << 20).decode(errors="replace")
    except OSError:
        return ""
    return redact(text, settings.secrets)


class _Start:
    """One start: a thread for each missing service, which waits for those that it needs."""

    def __init__(
        self,
        settings: Settings,
        mode: Mode,
        machine: Machine,
        *,
        wanted: Sequence[Service],
        missing: Sequence[Service],
        deadline: float,
    ) -> None:
        self._settings = settings
        self._mode = mode
        self._machine = machine
        self._wanted = wanted
        self._missing = missing
        self._deadline = deadline
        self._healthy = {service.name: threading.Event() for service in wanted}
        self._over = threading.Event()
        self._keepers: dict[str, Lasting] = {}

    def carry_out(self) -> None:
        try:
            self._together()
        except BaseException:
            self._take_back()
            raise

    def _together(self) -> None:
        with ThreadPoolExecutor(len(self._wanted)) as pool:
            futures = [pool.submit(self._guarded, service) for service in self._wanted]
            try:
                while not all(future.done() for future in futures):
                    time.sleep(_PAUSE / 2)
            except BaseException:
                self._over.set()
                raise
        for error in [future.exception() for future in futures]:
            if error is not None:
                raise error

    def _take_back(self) -> None:
        down(self._settings, self._missing, self._machine.tell)
        for keeper in self._keepers.values():
            keeper.end(5.0)

    def _guarded(self, service: Service) -> None:
        try:
            self._bring_up(service)
        except BaseException:
            self._over.set()
            raise

    def _bring_up(self, service: Service) -> None:
        new = service in self._missing
        if new:
            self._machine.tell(service.name, "preparing")
            ordered = orders(service, self._mode, self._settings, self._machine)
            for name in service.after:
                while not self._healthy[name].wait(_PAUSE):
                    if self._over.is_set():
                        return
            if self._over.is_set():
                return
            self._machine.tell(service.name, "starting")
            self._start_keeper(service, ordered.text())
        while not self._over.is_set():
            if self._is_healthy(service):
                self._machine.tell(service.name, "healthy")
                self._healthy[service.name].set()
                return
            time.sleep(_PAUSE)

    def _start_keeper(self, service: Service, text: str) -> None:
        folder = self._settings.folder
        record_file(folder, service.name).unlink(missing_ok=True)
        file = _orders_file(self._settings, service)
        write_whole(file, text.encode(), mode=0o600)
        package = Path(__file__).resolve().parents[2]
        self._keepers[service.name] = start_lasting(
            (sys.executable, "-m", "buildtools.stack.keeper", str(file)),
            log=folder / "logs" / f"{service.name}.keeper.log",
            env=clean_environment({"PYTHONPATH": str(package)}),
            cwd=folder,
        )

    def _is_healthy(self, service: Service) -> bool:
        """Whether it is; raises when it never will be."""
        record = read_record(self._settings.folder, service.name)
        # Its keeper starts it again within moments: that it did says as much.
        again = service in self._missing and record is not None and record.starts > 1
        if record is not None and (again or record.phase in {Phase.EXITED, Phase.REFUSED}):
            raise self._failure(service, record)
        keeper = self._keepers.get(service.name)
        if record is None and keeper is not None and keeper.poll() is not None:
            why = log_tail(self._settings, f"{service.name}.keeper")
            raise StackError(f"{service.name} has no keeper", why=why)
        if record is not None and record.phase is Phase.WAITING and record.why:
            self._machine.tell(service.name, f"waiting: {record.why}")
        said = "it is not started yet"
        if record is not None and record.alive:
            said = serves(service.name, self._settings)
            if not said:
                return True
        if time.monotonic() > self._deadline:
            raise StackError(
                f"{service.name} does not become healthy",
                where=str(self._settings.folder / "logs" / f"{service.name}.log"),
                why=f"{said}\n{log_tail(self._settings, service.name)}",
                next_step="see its log; a slow machine needs a longer --timeout",
            )
        return False

    def _failure(self, service: Service, record: Record) -> StackError:
        where = str(self._settings.folder / "logs" / f"{service.name}.log")
        if record.phase is Phase.REFUSED:
            return StackError(
                f"{service.name} was not started",
                cause=Cause(record.cause or Cause.UNKNOWN),
                why=record.why,
                next_step=record.mend,
            )
        # After another start its log is that one's, which has hardly begun.
        begun = record.log_from if record.starts <= 1 else max(0, record.log_from - _LOG_BYTES)
        found = explain(_log(self._settings, service.name, begun))
        tail = log_tail(self._settings, service.name, begun)
        code = record.code or 0
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return StackError(
            f"{service.name} ended {how}",
            cause=found.cause,
            where=where,
            why=f"{found.explanation}\n{tail}" if found.known else tail,
            next_step=found.remedy if found.known else "see its log",
        )


def _orders_file(settings: Settings, service: Service) -> Path:
    """Where the orders of a service's keeper are."""
    return settings.folder / "run" / f"{service.name}.orders.json"


def _runs(settings: Settings, service: Service) -> bool:
    record = read_record(settings.folder, service.name)
    runs = record is not None and record.alive and record.keeper.alive
    return runs and _ordered_here(settings, service)


def _ordered_here(settings: Settings, service: Service) -> bool:
    """Whether its keeper was started in this folder; one of a folder that was moved soon ends."""
    try:
        text = _orders_file(settings, service).read_text(encoding="utf-8")
        return bool(json.loads(text)["folder"] == str(settings.folder))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _end(settings: Settings, service: Service) -> None:
    """End a service's keeper and the service, whichever of them there is; forget them."""
    record = read_record(settings.folder, service.name)
    if record is None:
        return
    deadline = time.monotonic() + service.grace
    send_signal(record.keeper.pid, record.keeper.birth, signal.SIGTERM)
    asked = False
    while True:
        record = read_record(settings.folder, service.name) or record
        keeper, child = record.keeper.alive, record.alive
        if not keeper and not child:
            break
        late = time.monotonic() > deadline
        for one, there in ((record.child, child), (record.keeper, keeper)):
            if one is not None and there and (late or not (keeper or asked)):
                send_signal(one.pid, one.birth, signal.SIGKILL if late else signal.SIGTERM)
                asked = True
        time.sleep(_PAUSE / 2)
    record_file(settings.folder, service.name).unlink(missing_ok=True)


def _check_mode(settings: Settings, mode: Mode) -> None:
    other = remembered_mode(settings)
    if other is None or other is mode:
        return
    record = read_record(settings.folder, "kafka")
    if record is not None and (record.alive or record.keeper.alive):
        raise StackError(
            f"the stack runs in {other} mode",
            next_step="buildtools stack down, then up again in the other mode",
        )


def _check_ports(service: Service) -> None:
    for port in service.ports:
        check_port(service.name, port)


__all__ = ["ProcessEngine", "down", "log_tail", "state_of", "up"]
