"""The values of this room: what is judged and what the verdict is."""

from __future__ import annotations

from dataclasses import dataclass

from buildtools.binaries import BinaryFacts
from buildtools.findings import Cause, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One verdict on one file.

    ``evidence`` says what was found beside what the target requires or has; ``remedy`` is one
    sentence. Path, distribution and command are the doctor's to add.
    """

    cause: Cause
    severity: Severity
    evidence: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedLibrary:
    """A library that the loader would take.

    ``name`` is as it was asked for; ``path`` where it was found, None when it is only known to be
    the system's; ``facts`` None when it was not read; ``how`` the rule by which it was found
    (``rpath``, ``cache``, ``baseline``, …). The running interpreter, whose symbols every module may
    use, comes in with ``how="interpreter"``.
    """

    name: str
    path: str | None = None
    facts: BinaryFacts | None = None
    how: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A module and the closure of what it needs.

    ``missing`` holds pairs of a library's name and the file or library that wants it.
    """

    module: BinaryFacts
    libraries: tuple[ResolvedLibrary, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()
