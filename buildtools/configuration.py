"""``[tool.buildtools]`` of the project's ``pyproject.toml``, read and checked."""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from buildtools.errors import UsageError
from buildtools.targets import OperatingSystem, PythonAbi, Target, Version, parse_target

_WORD = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_TAKEN = frozenset({"host", *OperatingSystem})
"""Words that a target begins with already."""
_KEYS = {
    "drivers": "a list of driver names",
    "targets": "a list of targets",
    "wheelhouse": "a folder",
    "requirements": "a list of requirement files",
    "checks": "a list of package.module:function",
    "target": "tables of named targets",
    "render": "a table for the Render service",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What the project asks for; every field is empty where it says nothing.

    ``root`` is the folder of the ``pyproject.toml``, or the one that was looked in; ``project`` is
    the name that this folder's ``[project]`` gives. ``render`` is left as it was read: its reader
    is in :mod:`buildtools.deploy`.
    """

    root: Path
    file: Path | None = None
    project: str = ""
    drivers: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    wheelhouse: Path | None = None
    checks: tuple[str, ...] = ()
    requirements: tuple[Path, ...] = ()
    named: Mapping[str, Target]
    render: Mapping[str, object]


def load_configuration(folder: Path) -> Configuration:
    """Read the nearest ``pyproject.toml`` at or above ``folder`` that has ``[tool.buildtools]``.

    Raises :class:`UsageError` naming file and key when something in it is wrong.
    """
    folder = folder.absolute()
    project = ""
    for parent in (folder, *folder.parents):
        file = parent / "pyproject.toml"
        if not file.is_file():
            continue
        try:
            document = tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(
                "pyproject.toml is not TOML", where=str(file), why=str(error)
            ) from error
        tool = document.get("tool")
        table = tool.get("buildtools") if isinstance(tool, dict) else None
        if table is not None:
            return _configuration(table, file, _project_name(document))
        if parent == folder:
            project = _project_name(document)
    return Configuration(root=folder, project=project, named=shipped_targets(), render={})


def _project_name(document: Mapping[str, object]) -> str:
    project = document.get("project")
    name = project.get("name") if isinstance(project, dict) else None
    return name if isinstance(name, str) else ""


_PINNED = re.compile(
    r"(?i)(?:c?python[-@]?|cp(?=\d))?(?P<version>3\.\d{1,3}(?:\.\d{1,4})?)"
    r"(?:-?(?:a|b|rc|alpha|beta)\d+|-dev)?(?P<free>t|\+freethreaded)?(?:-\w+-\w+-\w+)?"
)
_MARKS = {
    codecs.BOM_UTF8: ("utf-8", "a byte order mark"),
    codecs.BOM_UTF16_LE: ("utf-16-le", "UTF-16, as PowerShell's > writes it"),
    codecs.BOM_UTF16_BE: ("utf-16-be", "UTF-16"),
}


def shipped_targets() -> dict[str, Target]:
    """The targets that go by a name everywhere: ``render``, ``lambda``, ``alpine``."""
    data = Path(__file__).with_name("data") / "targets.toml"
    tables = tomllib.loads(data.read_text(encoding="utf-8"))
    return {name: _shipped(name, table) for name, table in tables.items()}


def _shipped(name: str, table: Mapping[str, object]) -> Target:
    target = parse_target(str(table["spec"]), {})
    floors = table.get("libc", {})
    if target.libc is None or not isinstance(floors, dict):
        return replace(target, name=name)
    libcs = [
        (Version.parse(python), replace(target.libc, version=Version.parse(floor)))
        for python, floor in floors.items()
    ]
    return replace(target, name=name, libcs=tuple(sorted(libcs, key=lambda pair: pair[0])))


def target_notes() -> dict[str, str]:
    """What is known, and not known, of each shipped target."""
    data = Path(__file__).with_name("data") / "targets.toml"
    tables = tomllib.loads(data.read_text(encoding="utf-8"))
    return {name: str(table["note"]) for name, table in tables.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """What a ``.python-version`` asks for; ``whole`` is the version as far as it stands there."""

    python: PythonAbi
    whole: str


def pinned_python(folder: Path) -> Pinned | None:
    """The Python that a ``.python-version`` file in the folder asks for; None without one.

    Read are the spellings of pyenv, uv and Heroku: ``3.13.4``, ``python-3.13``, ``3.13t``,
    ``3.14-dev``, ``cpython-3.13.4-linux-x86_64-gnu``, and the first of several.
    """
    file = folder / ".python-version"
    if not file.is_file():
        return None
    words, _ = version_words(file.read_bytes())
    first = words[0] if words else ""
    match = _PINNED.fullmatch(first)
    if match is None:
        raise UsageError(
            f"{first!r} is no Python version",
            where=str(file),
            next_step="write a version such as 3.13.4",
        )
    return Pinned(
        python=PythonAbi(
            version=Version.parse(match["version"]), free_threaded=bool(match["free"])
        ),
        whole=match["version"],
    )


def version_words(content: bytes) -> tuple[list[str], str]:
    """The words of a ``.python-version`` without its comments, and what it is encoded in.

    The second is empty for plain UTF-8, which is all that the programs read that it is written for.
    """
    code, encoding = "utf-8", ""
    for mark, (named, said) in _MARKS.items():
        if content.startswith(mark):
            code, encoding, content = named, said, content[len(mark) :]
    lines = content.decode(code, "replace").splitlines()
    return [word for line in lines for word in line.partition("#")[0].split()], encoding


def _wrong(file: Path, key: str, why: str) -> UsageError:
    return UsageError(
        f"[tool.buildtools] {key}: {why}",
        where=str(file),
        next_step="see docs/configuration.md for every key",
    )


def _configuration(table: object, file: Path, project: str) -> Configuration:
    wrong = partial(_wrong, file)

    if not isinstance(table, dict):
        raise wrong("", "must be a table")
    for key in table:
        if key not in _KEYS:
            raise wrong(key, f"is not known; known are {', '.join(_KEYS)}")

    def texts(key: str) -> tuple[str, ...]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise wrong(key, f"must be {_KEYS[key]}")
        return tuple(value)

    def tables(key: str) -> dict[str, object]:
        value = table.get(key, {})
        if not isinstance(value, dict):
            raise wrong(key, f"must hold {_KEYS[key]}")
        return value

    wheelhouse = table.get("wheelhouse")
    if wheelhouse is not None and not isinstance(wheelhouse, str):
        raise wrong("wheelhouse", "must be a folder's path")
    named = shipped_targets()
    for name, settings in tables("target").items():
        named[name] = _named_target(name, settings, named, wrong)
    _check_names(texts("drivers"), texts("targets"), named, wrong)
    return Configuration(
        root=file.parent,
        file=file,
        project=project,
        drivers=texts("drivers"),
        targets=texts("targets"),
        wheelhouse=file.parent / wheelhouse if wheelhouse else None,
        checks=texts("checks"),
        requirements=tuple(file.parent / name for name in texts("requirements")),
        named=named,
        render=tables("render"),
    )


def _check_names(
    drivers: Iterable[str],
    targets: Iterable[str],
    named: Mapping[str, Target],
    wrong: Callable[[str, str], UsageError],
) -> None:
    """Refuse drivers and targets that no command would take; ``host`` is known when asked for."""
    for driver in drivers:
        if not _WORD.fullmatch(driver):
            raise wrong("drivers", f"{driver!r} is no distribution's name")
    for target in targets:
        try:
            if target != "host":
                parse_target(target, named)
        except UsageError as error:
            raise wrong("targets", f"{error.what}: {error.why}") from error


def _named_target(
    name: str,
    settings: object,
    named: Mapping[str, Target],
    wrong: Callable[[str, str], UsageError],
) -> Target:
    if name in _TAKEN or not _WORD.fullmatch(name):
        raise wrong(f"target.{name}", "is no name for a target: letters, digits, - and _")
    if not isinstance(settings, dict) or not isinstance(settings.get("spec"), str):
        raise wrong(f"target.{name}", 'needs spec = "OS/ARCH…"')
    if unknown := set(settings) - {"spec", "libraries"}:
        raise wrong(f"target.{name}", f"{', '.join(sorted(unknown))} is not known")
    libraries = settings.get("libraries")
    if libraries is not None and not (
        isinstance(libraries, list) and all(isinstance(item, str) for item in libraries)
    ):
        raise wrong(f"target.{name}.libraries", "must be a list of sonames")
    try:
        target = parse_target(settings["spec"], named)
    except UsageError as error:
        raise wrong(f"target.{name}.spec", f"{error.what}: {error.why}") from error
    return replace(
        target, name=name, libraries=frozenset(libraries) if libraries is not None else None
    )
