"""Why the stack does not do what was asked: a cause, and the mend."""

from __future__ import annotations

from buildtools.errors import BuildtoolsError, ExitCode
from buildtools.findings import Cause


class StackError(BuildtoolsError):
    """A service does not start, or something was refused; ``cause`` is the contract's code."""

    exit_code = ExitCode.NO

    def __init__(
        self,
        what: str,
        *,
        cause: Cause = Cause.UNKNOWN,
        where: str = "",
        why: str = "",
        next_step: str = "",
    ) -> None:
        super().__init__(what, where=where, why=why, next_step=next_step)
        self.cause = cause


def missing_extra(name: str) -> BuildtoolsError:
    """The error for a command that needs what the ``stack`` extra brings."""
    return BuildtoolsError(
        "the development stack needs its extra",
        why=f"the module {name} is not installed beside buildtools",
        next_step="pip install native-buildtools[stack]",
    )
