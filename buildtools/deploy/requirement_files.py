"""Requirement files as they stand in a tree: what pip would stop at on the target, read offline.

They nest with ``-r`` and ``-c``, each path counted from the file that names it (pip's
documentation of the requirements file format).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from buildtools.archives import Files
from buildtools.archives.files import join
from buildtools.doctor.records import tag_fits
from buildtools.findings import Cause, Finding, Severity
from buildtools.targets import OperatingSystem, Target

USUAL = "requirements.txt"
"""The file that is installed where nothing names one."""

_NESTED = re.compile(r"(?:-r|-c|--requirement|--constraint)(?:\s*=\s*|\s*)(?P<path>\S+)$")
_LOCAL = re.compile(
    r"(?:^|@\s*|-e\s*|--editable[=\s]\s*)"
    r"(?P<path>file:/+[^\s;#]+|/[^\s;#]+|~/[^\s;#]+|[A-Za-z]:[\\/][^\s;#]+)"
)
_WHEEL = re.compile(
    r"(?P<file>[^/\\\s]+-[^/\\\s-]+-(?P<tag>[^/\\\s-]+-[^/\\\s-]+-[^/\\\s-]+))\.whl\b"
)
_NAME = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)")
_LONGEST_NEST = 50

_OTHER_SYSTEM = {
    "Windows": re.compile(r"pywin32(-ctypes)?|pypiwin32|pywinpty|windows-curses|wmi|pywinauto"),
    "macOS": re.compile(r"pyobjc(-core|-framework-.+)?"),
}
"""Distributions that have files for one system only, and no sources that build on another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One logical line: comments gone, continuations joined; ``number`` counts from 1."""

    file: str
    number: int
    text: str

    @property
    def place(self) -> str:
        return f"{self.file}:{self.number}"


def requirement_findings(
    files: Files, root: str, entries: Sequence[str], target: Target, environment: dict[str, str]
) -> Iterator[Finding]:
    """What is wrong with the files and with those that they name; paths carry the line.

    ``entries`` are relative to ``root``; ``environment`` are the target's markers. What a file
    leaves to variables (``${…}``) is not looked at.
    """
    waiting = [posixpath.normpath(name) for name in entries]
    seen: set[str] = set()
    while waiting and len(seen) < _LONGEST_NEST:
        name = waiting.pop(0)
        if name in seen or name.startswith("../") or not _is_there(files, root, name):
            continue
        seen.add(name)
        for line in _lines(name, files.text(join(root, name))):
            nested = _NESTED.match(line.text)
            if nested is None:
                yield from _line_findings(line, target, environment)
                continue
            path = nested["path"]
            if "://" in path or "${" in path:
                continue
            wanted = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
            if not wanted.startswith("../") and not _is_there(files, root, wanted):
                yield _finding(
                    line,
                    Cause.NO_MATCHING_DISTRIBUTION,
                    f"it names {path}, which is not there: pip stops at it",
                    "Commit the file, or take the line out.",
                )
            else:
                waiting.append(wanted)


def _is_there(files: Files, root: str, name: str) -> bool:
    folder, _, file = name.rpartition("/")
    return file in files.names(join(root, folder) if folder else root)


def _lines(name: str, text: str) -> Iterator[_Line]:
    start, gathered = 0, ""
    for number, raw in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        start = start if gathered else number
        gathered += raw.removesuffix("\\")
        if raw.endswith("\\"):
            continue
        bare = re.sub(r"(?:^|\s)#.*", "", gathered).strip()
        gathered = ""
        if bare:
            yield _Line(file=name, number=start, text=bare)


def _line_findings(line: _Line, target: Target, environment: dict[str, str]) -> Iterator[Finding]:
    if "${" in line.text or not _holds(line.text, environment):
        return
    wheel = _WHEEL.search(unquote(line.text))
    local = _LOCAL.search(line.text)
    if wheel is not None and not tag_fits(wheel["tag"], target):
        yield _finding(
            line,
            Cause.WHEEL_TAG_MISMATCH,
            f"it installs {wheel['file']}.whl; requires one for {target.spec}",
            "Name the distribution and its version, and let pip choose the wheel.",
        )
    elif local is not None:
        yield _finding(
            line,
            Cause.NO_MATCHING_DISTRIBUTION,
            f"it installs {local['path']}, a path on the machine where it was written",
            "Name the distribution and its version; `pip list --format=freeze` writes them.",
        )
    named = _NAME.match(line.text)
    name = re.sub(r"[-_.]+", "-", named["name"]).lower() if named else ""
    own = "macOS" if target.os is OperatingSystem.DARWIN else "Linux"
    for system, names in _OTHER_SYSTEM.items():
        if system != own and names.fullmatch(name):
            only = "sys_platform == 'darwin'" if system == "macOS" else "sys_platform == 'win32'"
            yield _finding(
                line,
                Cause.NO_MATCHING_DISTRIBUTION,
                f"{name} is for {system} only",
                f"Put a marker behind it: ; {only}",
            )


def _holds(text: str, environment: dict[str, str]) -> bool:
    """Whether the line's marker is true on the target; one that cannot be read is taken for so."""
    from packaging.markers import InvalidMarker, Marker, UndefinedEnvironmentName

    _, semicolon, rest = text.partition(";")
    marker = rest.partition(" --hash")[0].strip()
    if not semicolon or not marker:
        return True
    try:
        return Marker(marker).evaluate({**environment, "extra": ""})
    except (InvalidMarker, UndefinedEnvironmentName):
        return True


def _finding(line: _Line, cause: Cause, evidence: str, remedy: str) -> Finding:
    return Finding(
        cause=cause,
        severity=Severity.ERROR,
        path=line.place,
        evidence=evidence,
        remedy=remedy,
    )
