"""Tries drivers in a child process, and says for each what came of it.

The child gets everything on standard input, credentials too: nothing secret stands on a command
line, and the interpreter may live where our files do not (a chroot, an emulator's tree).
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from buildtools.binaries import BinaryInvalid, module_name, read_binary
from buildtools.compatibility import judge
from buildtools.host import Interpreter
from buildtools.probes.dsn import Dsn
from buildtools.probes.verdict import Check, CheckVerdict, Status, Verdict
from buildtools.processes import Completed, clean_environment, redact, run
from buildtools.recipes.model import Recipe

DEFAULT_TIMEOUT = 60.0
"""Seconds that a driver has for everything that is tried."""

TRACE_LINES = 40
_SHELLS = 128
"""What a shell adds to the number of a signal to make an exit code of it."""

_BOOTSTRAP = (
    "import sys,json;r=json.load(sys.stdin);"
    "exec(compile(r['runner'],'<probe runner>','exec'),{'__name__':'__main__','REQUEST':r})"
)
_PASSED_ON = (
    "PYTHONPATH", "PYTHONUSERBASE", "PYTHONNOUSERSITE", "PYTHONHOME", "LD_LIBRARY_PATH",
    "MARIADB_PLUGIN_DIR", "LIBMYSQL_PLUGIN_DIR",
)  # fmt: skip
"""What an application would inherit and what decides which file, library or plugin is loaded."""


def verify(
    recipe: Recipe,
    interpreter: Interpreter,
    *,
    dsn: Dsn | None = None,
    path: Path | Sequence[Path] | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    prefix: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Verdict:
    """Import a driver in a child of ``interpreter`` and use it.

    ``path`` (one folder or several) is put first on the child's ``sys.path``: a staged copy is
    proven before it is installed. ``prefix`` stands before the interpreter on the command line
    (an emulator, a ``chroot``); ``environment`` replaces what is passed on of ours. ``timeout`` is
    in seconds. Raises :class:`CannotLookError` when the interpreter cannot be started.
    """
    entries = [path] if isinstance(path, Path) else list(path or ())
    request = {
        "driver": recipe.driver,
        "distribution": recipe.distribution,
        "imports": recipe.imports,
        "native": [{"module": n.module, "required": n.required} for n in recipe.native],
        "pure": recipe.pure.value,
        "derived": recipe.derived,
        "path": [str(entry.absolute()) for entry in entries],
        "dsn": _dsn_facts(dsn) if recipe.family == "mysql" else None,
        **_probe_sources(recipe.probe),
    }
    start = _Start(interpreter=interpreter, timeout=timeout, prefix=prefix, environment=environment)
    child = start.run(request, dsn.secrets if dsn else ())
    status, reason = child.outcome()
    if status in {Status.FAILED, Status.FALLBACK, Status.CRASHED}:
        reason = _with_judgements(reason, child.candidates, interpreter)
    return Verdict(
        driver=recipe.driver,
        distribution=recipe.distribution,
        version=child.version,
        status=status,
        path=child.path,
        library=child.library,
        libraries=child.libraries,
        checks=tuple(child.checks),
        reason=reason,
        trace="" if status in {Status.OK, Status.ABSENT} else child.trace(),
        signal=child.signal(),
        seconds=child.done.seconds,
    )


def run_check(
    check: str,
    interpreter: Interpreter,
    *,
    root: Path,
    timeout: float = DEFAULT_TIMEOUT,
    prefix: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> CheckVerdict:
    """Run one of the application's own checks, ``package.module:function``, in its own child.

    ``root`` (and its ``src``, where there is one) comes first on the child's ``sys.path``. The
    function takes nothing, may be a coroutine function, and is content unless it raises or gives
    False.
    """
    entries = [folder for folder in (root / "src", root) if folder.is_dir()]
    request = {"application": check, "path": [str(entry.absolute()) for entry in entries]}
    start = _Start(interpreter=interpreter, timeout=timeout, prefix=prefix, environment=environment)
    child = start.run(request)
    status, reason = child.outcome()
    return CheckVerdict(
        check=check,
        status=status,
        reason=reason,
        trace="" if status is Status.OK else child.trace(),
        signal=child.signal(),
        seconds=child.done.seconds,
    )


@dataclass(slots=True, kw_only=True)
class _Child:
    """What the child told before it ended, and how it ended."""

    done: Completed
    prefixed: bool
    secrets: tuple[str, ...]
    version: str | None = None
    path: str | None = None
    library: str | None = None
    libraries: tuple[str, ...] = ()
    checks: list[Check] = field(default_factory=list)
    candidates: list[Path] = field(default_factory=list)
    doing: str = "the start of the interpreter"
    ended: tuple[Status, str] | None = None

    def read(self) -> None:
        """Take the messages in; what is no message is left out."""
        tell: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
            "version": self._version,
            "doing": self._doing,
            "check": self._check,
            "candidate": self._candidate,
            "loaded": self._loaded,
            "library": self._library,
            "end": self._end,
        }
        for line in self.done.stdout.splitlines():
            # Something else may have written there before the runner began.
            with suppress(binascii.Error, ValueError, LookupError, TypeError):
                message = json.loads(base64.b64decode(line, validate=True))
                tell[message["event"]](message)

    def _version(self, message: Mapping[str, Any]) -> None:
        self.version = message["version"]

    def _doing(self, message: Mapping[str, Any]) -> None:
        self.doing = self._clean(message["what"])

    def _check(self, message: Mapping[str, Any]) -> None:
        self.checks.append(
            Check(
                name=message["name"],
                ok=message["ok"],
                detail=self._clean(message["detail"]),
                required=message["required"],
            )
        )

    def _candidate(self, message: Mapping[str, Any]) -> None:
        file = Path(message["file"])
        if file.suffix in {".so", ".pyd", ".dylib"}:
            self.candidates.append(file)

    def _loaded(self, message: Mapping[str, Any]) -> None:
        self.path = message["path"]
        self.libraries = tuple(message["libraries"])

    def _library(self, message: Mapping[str, Any]) -> None:
        self.library = message["name"]

    def _end(self, message: Mapping[str, Any]) -> None:
        self.doing = "the end of the interpreter"
        self.ended = (Status(message["status"]), self._clean(message["reason"]))

    def _clean(self, text: object) -> str:
        return redact(str(text), self.secrets)

    def signal(self) -> int | None:
        """The number of the signal that ended the child; an emulator or a shell adds 128."""
        code = self.done.returncode
        if self.prefixed and not self.done.timed_out and 0 < code - _SHELLS < signal.NSIG:
            return code - _SHELLS
        return self.done.signal

    def outcome(self) -> tuple[Status, str]:
        """The status and, where it is not ``ok``, why."""
        if self.done.timed_out:
            return Status.TIMEOUT, f"no end to: {self.doing} ({self.done.seconds:.0f} s)"
        number = self.signal()
        if number is not None:
            return Status.CRASHED, f"{_signal_name(number)} ended the process in: {self.doing}"
        if self.ended is None:
            code = self.done.returncode
            return Status.FAILED, f"the process ended itself with {code} in: {self.doing}"
        return self.ended

    def trace(self) -> str:
        """The tail of what the child wrote on standard error."""
        lines = redact(self.done.stderr, self.secrets).strip().splitlines()
        return "\n".join(lines[-TRACE_LINES:])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """How the child is started."""

    interpreter: Interpreter
    timeout: float
    prefix: Sequence[str]
    environment: Mapping[str, str] | None

    def run(self, request: Mapping[str, Any], secrets: tuple[str, ...] = ()) -> _Child:
        """Start it, wait for its end and take in what it told."""
        hang_after = max(self.timeout / 2, self.timeout - 1)
        whole = {**request, "runner": _text("runner.py"), "hang_after": hang_after}
        environment = self.environment
        if environment is None:
            environment = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
        # -P: no folder of ours on its path; -B: a trial leaves no byte code behind.
        options = ("-P", "-B", "-X", "faulthandler", "-c", _BOOTSTRAP)
        done = run(
            [*self.prefix, str(self.interpreter.executable), *options],
            timeout=self.timeout,
            env=clean_environment(environment),
            stdin=json.dumps(whole).encode(),
        )
        child = _Child(done=done, prefixed=bool(self.prefix), secrets=secrets)
        child.read()
        return child


def _probe_sources(probe: Path | None) -> dict[str, object]:
    """The probe and the checks of its family, as text: the child may not be able to read ours."""
    if probe is None:
        return {"probe": None, "sources": {}}
    family = sorted(probe.parent.parent.glob("*.py"))
    sources = {file.stem: file.read_text(encoding="utf-8") for file in family}
    sources["driver_probe"] = probe.read_text(encoding="utf-8")
    return {"probe": "driver_probe", "sources": sources}


def _dsn_facts(dsn: Dsn | None) -> dict[str, object] | None:
    if dsn is None:
        return None
    return {
        "host": dsn.host,
        "port": dsn.port,
        "user": dsn.user,
        "password": dsn.password,
        "database": dsn.database,
        "options": dict(dsn.options),
    }


def _with_judgements(reason: str, candidates: Sequence[Path], interpreter: Interpreter) -> str:
    """Add what the file itself says: the loader's words for a foreign one mislead."""
    for file in dict.fromkeys(candidates):
        try:
            with file.open("rb") as stream:
                judged = judge(read_binary(stream), module_name(file.name), interpreter.target)
        except BinaryInvalid as error:
            return f"{reason}; {file} is no whole binary: {error.reason}"
        except OSError:
            continue
        if judged:
            return f"{reason}; {file}: {judged[0].cause}: {judged[0].evidence}"
    return reason


def _signal_name(number: int) -> str:
    try:
        return f"{signal.Signals(number).name} (signal {number})"
    except ValueError:
        return f"signal {number}"


@cache
def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
