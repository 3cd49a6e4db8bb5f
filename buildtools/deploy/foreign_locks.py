"""Locks that other tools wrote (uv, Poetry, PEP 751): which native distributions lack a wheel.

What they say of files is enough: a distribution that has wheels, none of them pure and none for
the target, would be compiled there, or not be had at all. Pipenv's lock names no files and is not
read. Sources: uv's and Poetry's lock formats as their tools write them; PEP 751.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from buildtools.deploy.locks import Pin
from buildtools.targets import Target

FOREIGN_LOCKS = ("uv.lock", "poetry.lock", "pylock.toml")
UNREAD_LOCKS = ("Pipfile.lock",)
"""Locks that say too little: hashes without names of files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """A locked distribution without a wheel for the target; ``sdist``: it could be compiled."""

    name: str
    version: str
    sdist: bool


def lacking(text: str, target: Target, environment: Mapping[str, str]) -> tuple[Lacking, ...]:
    """What a lock would have compiled on the target; empty for a text that is no such lock.

    ``environment`` are the target's markers: what is not needed there is passed over.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return ()
    listed = document.get("package", document.get("packages"))
    packages = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    wanted = _needed(packages, environment)
    found = []
    for package in packages:
        name, version = str(package.get("name", "")), str(package.get("version", ""))
        if name not in wanted or not _holds(package, environment):
            continue
        files = tuple(_files(package))
        pin = Pin(name=name, version=version, files=files, compiled=False)
        if pin.native and not pin.has_wheel(target):
            sdist = any(not file.endswith(".whl") for file in files)
            found.append(Lacking(name=name, version=version, sdist=sdist))
    return tuple(found)


def _files(package: Mapping[str, Any]) -> Iterator[str]:
    """The names of a package's files: Poetry names them, uv and PEP 751 may give addresses."""
    entries = [*_tables(package.get("wheels")), *_tables(package.get("files"))]
    if isinstance(package.get("sdist"), dict):
        entries.append(package["sdist"])
    for entry in entries:
        place = entry.get("name") or entry.get("file") or entry.get("url") or entry.get("path")
        if isinstance(place, str):
            yield unquote(place.partition("#")[0].rpartition("/")[2])


def _needed(packages: Iterable[Mapping[str, Any]], environment: Mapping[str, str]) -> set[str]:
    """The names that something needs on the target, or that nothing in the lock needs at all."""
    edges: dict[str, list[str]] = {}
    below: set[str] = set()
    names = []
    for package in packages:
        name = str(package.get("name", ""))
        names.append(name)
        for other, holds in _dependencies(package, environment):
            below.add(other)
            if holds:
                edges.setdefault(name, []).append(other)
    waiting = [name for name in names if name not in below]
    reached: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += edges.get(name, [])
    return reached


def _dependencies(
    package: Mapping[str, Any], environment: Mapping[str, str]
) -> Iterator[tuple[str, bool]]:
    """The names that a package depends on, and whether it does so on the target."""
    listed = package.get("dependencies")
    for one in _tables(listed):  # uv, PEP 751
        yield str(one.get("name", "")), _holds(one, environment)
    if isinstance(listed, dict):  # Poetry: a version, a table, or one table for each marker
        for name, given in listed.items():
            tables = _tables(given if isinstance(given, list) else [given])
            yield _normalised(name), not tables or any(_holds(t, environment) for t in tables)
    for extra in ("optional-dependencies", "dev-dependencies"):
        groups = package.get(extra)
        for group in groups.values() if isinstance(groups, dict) else ():
            for one in _tables(group):
                yield str(one.get("name", "")), _holds(one, environment)


def _holds(table: Mapping[str, Any], environment: Mapping[str, str]) -> bool:
    """Whether a table's marker is true on the target; one that cannot be read is taken for true."""
    from packaging.markers import InvalidMarker, Marker, UndefinedEnvironmentName

    text = table.get("marker", table.get("markers"))
    if not isinstance(text, str):
        return True
    try:
        return Marker(text).evaluate({**environment, "extra": ""})
    except (InvalidMarker, UndefinedEnvironmentName):
        return True


def _tables(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _normalised(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
