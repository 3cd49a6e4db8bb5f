"""One hierarchy of errors and the exit code that each stands for.

An error means "could not look" or "could not do". A diagnosis is never an error: it is a
:class:`buildtools.findings.Finding`.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit code means; each has one meaning only."""

    OK = 0
    """As asked."""
    NO = 1
    """Looked, and the answer is no: findings, a failed verification, drift."""
    USAGE = 2
    """The words on the command line, or the configuration, are wrong."""
    CANNOT_LOOK = 3
    """Could not look: unreadable, no such interpreter."""
    NO_WHEEL = 4
    """No wheel could be had or built."""
    INSTALL_FAILED = 5
    """The install failed and was rolled back."""
    BUSY = 6
    """Another rebuild holds this environment."""
    INTERRUPTED = 130
    """Ended by the user."""


class BuildtoolsError(Exception):
    """What went wrong, where, why, and what to do next.

    ``what`` is a sentence; ``where`` a file, driver or environment; ``why`` the evidence (a tool's
    own words, already cleared of secrets); ``next_step`` a command or an action. All but ``what``
    may be empty.
    """

    exit_code: ExitCode = ExitCode.CANNOT_LOOK

    def __init__(self, what: str, *, where: str = "", why: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.next_step = next_step

    def __str__(self) -> str:
        parts = [self.what]
        if self.where:
            parts.append(f"where: {self.where}")
        if self.why:
            parts.append(f"why: {self.why}")
        if self.next_step:
            parts.append(f"next: {self.next_step}")
        return "\n  ".join(parts)

    def as_json(self) -> dict[str, object]:
        """``error`` in a command's document, where there is no result."""
        return {
            "code": int(self.exit_code),
            "what": self.what,
            "where": self.where,
            "why": self.why,
            "next": self.next_step,
        }


class UsageError(BuildtoolsError):
    """The command line or the configuration is wrong; nothing was looked at."""

    exit_code = ExitCode.USAGE


class CannotLookError(BuildtoolsError):
    """A file, archive or interpreter could not be read or run."""

    exit_code = ExitCode.CANNOT_LOOK


class NoWheelError(BuildtoolsError):
    """No wheel could be had or built."""

    exit_code = ExitCode.NO_WHEEL


class InstallFailedError(BuildtoolsError):
    """An install failed; what stood there before stands there again."""

    exit_code = ExitCode.INSTALL_FAILED


class BusyError(BuildtoolsError):
    """Another rebuild holds this environment."""

    exit_code = ExitCode.BUSY
