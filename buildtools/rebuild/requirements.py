"""Which versions of a driver the project asks for: its requirements, locks and ``pyproject.toml``.

Only what names a distribution counts; includes are followed inside the project, URLs and options
are left to pip.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from buildtools.environment import normalized
from buildtools.errors import UsageError
from buildtools.stamps import requirement_files

_INCLUDE = re.compile(r"(?:-r|--requirement|-c|--constraint)[ =]\s*(?P<file>\S+)")
_CODE = {".toml", ".py", ".cfg"}
"""Inputs of a lock that are no list of requirements."""
_NAMED = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What the project asks for.

    ``specifiers`` are by PEP 503 name, joined where several files name one; ``sources`` every file
    that was read or would be if it were there: a change of any may change the answer. ``missing``
    are those that the configuration names and that are not there.
    """

    specifiers: Mapping[str, str]
    sources: tuple[Path, ...]
    missing: tuple[Path, ...] = ()


def read_requirements(
    root: Path, markers: Mapping[str, str], named: Iterable[Path] = ()
) -> Requirements:
    """Read a project's requirement files, its ``pyproject.toml``, and the files that are ``named``.

    ``markers`` are the values of the environment that the requirements are for, such as
    ``python_version``. Raises :class:`UsageError` for a ``pyproject.toml`` that is no TOML.
    """
    named = tuple(named)
    found: dict[str, list[str]] = {}
    projects = [root / "pyproject.toml", *(file for file in named if file.suffix == ".toml")]
    files: dict[Path, None] = dict.fromkeys(projects)
    for project in files:
        for line in _project_lines(project):
            _take(line, markers, found)
    waiting = [*requirement_files(root), *(file for file in named if file.suffix not in _CODE)]
    missing = [file for file in named if not file.is_file()]
    files |= dict.fromkeys(missing)
    while waiting:
        file = waiting.pop(0)
        if file in files or not file.is_file():
            continue
        files[file] = None
        for line in _lines(file):
            include = _INCLUDE.match(line)
            if include is not None:
                waiting.append((file.parent / include["file"]).resolve())
            else:
                _take(line, markers, found)
    return Requirements(
        specifiers={name: ",".join(dict.fromkeys(parts)) for name, parts in found.items()},
        sources=tuple(files),
        missing=tuple(missing),
    )


def _project_lines(file: Path) -> Iterator[str]:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError("pyproject.toml is not TOML", where=str(file), why=str(error)) from error
    project = document.get("project")
    if not isinstance(project, dict):
        return
    yield from (str(line) for line in project.get("dependencies", ()))
    optional = project.get("optional-dependencies", {})
    if isinstance(optional, dict):
        for lines in optional.values():
            yield from (str(line) for line in lines)


def _lines(file: Path) -> Iterator[str]:
    """The logical lines of a requirements file: joined at a backslash, comments taken off."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.replace("\\\n", " ").splitlines():
        yield re.sub(r"(^|\s)#.*$", "", line).strip()


def _take(line: str, markers: Mapping[str, str], found: dict[str, list[str]]) -> None:
    if _NAMED.match(line) is None:
        return
    from packaging.markers import UndefinedEnvironmentName
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(re.split(r"\s--?\w", line, maxsplit=1)[0].strip())
        if requirement.marker is not None and not requirement.marker.evaluate(
            {**markers, "extra": ""}
        ):
            return
    except (InvalidRequirement, UndefinedEnvironmentName):
        return
    specifiers = found.setdefault(normalized(requirement.name), [])
    if requirement.url is None and (text := str(requirement.specifier)):
        specifiers.append(text)
