"""Trying drivers: each is used in a child process, and the verdict is told."""

from buildtools.probes.dsn import Dsn, parse_dsn
from buildtools.probes.trials import DEFAULT_TIMEOUT, run_check, verify
from buildtools.probes.verdict import Check, CheckVerdict, Status, Verdict

__all__ = [
    "DEFAULT_TIMEOUT",
    "Check",
    "CheckVerdict",
    "Dsn",
    "Status",
    "Verdict",
    "parse_dsn",
    "run_check",
    "verify",
]
