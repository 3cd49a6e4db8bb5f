"""Keeps one service running until it is told to stop: what ``restart: unless-stopped`` means here.

Run as ``python -m buildtools.stack.keeper FILE`` with the service's :class:`Orders` as JSON.
SIGTERM and SIGINT end the service, then the keeper. A service that ends by itself is started again,
after 0.2 s at first and twice as long each time, 30 s at most. Orders that are gone, with the
folder that they were in, mean the same: nobody could tell it to stop any more. In front of a
broker's start the keeper looks into ZooKeeper: another cluster's data is refused, an old
registration is waited out.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType

from buildtools.errors import BuildtoolsError
from buildtools.findings import Cause
from buildtools.processes import Lasting, clean_environment, start_lasting
from buildtools.stack.broker_id import (
    Registration,
    cluster_conflict,
    cluster_id,
    registration,
    wait_out,
)
from buildtools.stack.properties import cluster_of
from buildtools.stack.records import Phase, Record, read_record, this_process, write_record
from buildtools.stack.zookeeper import ZooKeeperError

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 30.0
_STEADY_SECONDS = 30.0
_LOOK_SECONDS = 0.2
_GONE_LOOKS, _GONE_GRACE = 10, 2.0
_LARGEST_LOG = 20 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What to keep running; ``zookeeper``: the port to look at first, ``kafka``: the data there."""

    service: str
    folder: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    log: str
    cwd: str
    grace: float
    zookeeper: int | None = None
    kafka: str = ""

    def text(self) -> str:
        """The orders as the keeper reads them."""
        return json.dumps(asdict(self))


class _RefusedError(Exception):
    """The service must not be started; the record says why."""


class _Keeper:
    def __init__(self, orders: Orders, file: Path) -> None:
        self._orders = orders
        self._file = file
        self._missed = 0
        self._folder = Path(orders.folder)
        self._log = Path(orders.log)
        self._stopping = False
        self._record = Record(
            service=orders.service, phase=Phase.WAITING, keeper=this_process(os.getpid())
        )

    def told_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _told(self) -> bool:
        # More than once, for a folder that is away for a moment.
        self._missed = 0 if self._file.exists() else self._missed + 1
        return self._stopping or self._missed >= _GONE_LOOKS

    def keep(self) -> int:
        pause = _FIRST_PAUSE
        while not self._told():
            begun = time.monotonic()
            try:
                self._look_before()
            except _RefusedError:
                return 1
            if self._told():
                break
            code = self._serve()
            if self._told():
                break
            self._note(Phase.EXITED, code=code)
            pause = _FIRST_PAUSE if time.monotonic() - begun > _STEADY_SECONDS else pause
            self._sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return 0

    def _serve(self) -> int:
        """Start the service and stay with it; its exit code."""
        self._turn_log()
        start = self._log.stat().st_size if self._log.exists() else 0
        child = start_lasting(
            self._orders.argv,
            log=self._log,
            env=clean_environment(self._orders.env),
            cwd=Path(self._orders.cwd),
        )
        self._record = self._record.with_child(this_process(child.pid), start)
        write_record(self._folder, self._record)
        return self._stay(child)

    def _stay(self, child: Lasting) -> int:
        while True:
            code = child.poll()
            if code is not None:
                return code
            if self._told():
                # One without its data has nothing to bring into order, and may wait for it.
                return child.end(_GONE_GRACE if self._missed else self._orders.grace)
            time.sleep(_LOOK_SECONDS)

    def _look_before(self) -> None:
        """For a broker with ZooKeeper: the same cluster, and nobody holding its id."""
        port = self._orders.zookeeper
        if port is None:
            return
        while not self._told():
            try:
                self._same_cluster(port)
                wait_out(lambda: self._look(port), tell=self._waiting)
            except ZooKeeperError as error:
                self._note(Phase.WAITING, cause=Cause.BROKER_UNREACHABLE, why=str(error))
                self._sleep(1.0)
            else:
                return

    def _look(self, port: int) -> Registration | None:
        return None if self._told() else registration(port)

    def _waiting(self, found: Registration) -> None:
        why = f"{found}; it goes when that session has expired"
        if self._record.phase is not Phase.WAITING or not self._record.why:
            self._note(
                Phase.WAITING,
                cause=Cause.ZOOKEEPER_NODE_EXISTS,
                why=why,
                mend="nothing: it is waited out (18 s); see buildtools stack broker-id",
            )

    def _same_cluster(self, port: int) -> None:
        meta = Path(self._orders.kafka) / "meta.properties"
        own = cluster_of(meta.read_text(encoding="utf-8")) if meta.is_file() else None
        why = cluster_conflict(own, cluster_id(port))
        if why:
            self._note(
                Phase.REFUSED,
                cause=Cause.KAFKA_CLUSTER_ID,
                why=why,
                mend="keep or remove the data of Kafka and ZooKeeper together: "
                "buildtools stack reset",
            )
            raise _RefusedError

    def _note(
        self,
        phase: Phase,
        *,
        code: int | None = None,
        cause: str = "",
        why: str = "",
        mend: str = "",
    ) -> None:
        self._record = replace(
            self._record, phase=phase, code=code, cause=cause, why=why, mend=mend
        )
        write_record(self._folder, self._record)

    def _turn_log(self) -> None:
        if self._log.exists() and self._log.stat().st_size > _LARGEST_LOG:
            self._log.replace(self._log.with_suffix(".log.1"))

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._told() and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS / 2)


def keep(file: Path) -> int:
    """Carry out the orders in a file until told to stop."""
    found = json.loads(file.read_text(encoding="utf-8"))
    orders = Orders(**{**found, "argv": tuple(found["argv"])})
    keeper = _Keeper(orders, file)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, keeper.told_to_stop)
    try:
        return keeper.keep()
    except BuildtoolsError as error:
        old = read_record(Path(orders.folder), orders.service)
        record = old or Record(service=orders.service, phase=Phase.REFUSED, keeper=this_process(0))
        write_record(
            Path(orders.folder),
            replace(record, phase=Phase.REFUSED, why=str(error), mend=error.next_step),
        )
        return 1


if __name__ == "__main__":
    sys.exit(keep(Path(sys.argv[1])))
