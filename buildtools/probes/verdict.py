"""What trying a driver, or an application's own check, came to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """One word for a trial; public, see the contract.

    ``crashed``: a signal ended the child; ``timeout``: it hung; ``fallback``: a pure-Python part
    answered instead of the compiled one; ``absent``: the driver is not installed.
    """

    OK = "ok"
    FAILED = "failed"
    CRASHED = "crashed"
    TIMEOUT = "timeout"
    FALLBACK = "fallback"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was tried; only one that is ``required`` fails the driver."""

    name: str
    ok: bool
    detail: str = ""
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One driver, tried in one interpreter.

    ``path`` is the file that was loaded: the first compiled module's, or the package's where none
    was; ``library`` names the client or database library and its version; ``libraries`` are the
    shared objects that the driver brought into the process, in the order of their names.
    ``reason`` is a sentence where the status is not ``ok``; ``trace`` what the child wrote on
    standard error (the tracebacks of a crash or hang are there), its tail. ``signal`` is the
    number of the signal that ended the child.
    """

    driver: str
    distribution: str | None
    version: str | None
    status: Status
    path: str | None = None
    library: str | None = None
    libraries: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    reason: str = ""
    trace: str = ""
    signal: int | None = None
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the driver is as it should be."""
        return self.status is Status.OK

    def as_json(self) -> dict[str, object]:
        """One entry of ``drivers``, as the contract has it."""
        return {
            "driver": self.driver,
            "distribution": self.distribution,
            "version": self.version,
            "status": self.status.value,
            "path": self.path,
            "library": self.library,
            "libraries": list(self.libraries),
            "checks": [
                {
                    "name": check.name,
                    "ok": check.ok,
                    "detail": check.detail,
                    "required": check.required,
                }
                for check in self.checks
            ],
            "reason": self.reason,
            "trace": self.trace,
            "signal": self.signal,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckVerdict:
    """One of the application's own checks (``package.module:function``), run in its own child."""

    check: str
    status: Status
    reason: str = ""
    trace: str = ""
    signal: int | None = None
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the application is content."""
        return self.status is Status.OK

    def as_json(self) -> dict[str, object]:
        """One entry of ``application`` in the document of ``verify``."""
        return {
            "check": self.check,
            "status": self.status.value,
            "reason": self.reason,
            "trace": self.trace,
            "signal": self.signal,
            "seconds": round(self.seconds, 3),
        }
