"""Locks that other tools wrote (uv, Poetry, PEP 751): which native distributions lack a wheel.

What they say of files is enough: a distribution that has wheels, none of them pure and none for
the target, would be compiled there, or not be had at all. Pipenv's lock names no files and is not
read. Sources: uv's and Poetry's lock formats as their tools write them; PEP 751.
"""

from __future__ import annotations

import re
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
    # PEP 751: what a lock lists is installed, by each package's own marker.
    every = "packages" in document
    values: _Values = {**environment, **_groups(document)}
    wanted = {_name(one) for one in packages} if every else _needed(packages, values)
    found = []
    for package in packages:
        name, version = _name(package), str(package.get("version", ""))
        if name not in wanted or package.get("optional") is True or not _holds(package, values):
            continue
        files = tuple(_files(package))
        pin = Pin(name=name, version=version, files=files, compiled=False)
        if pin.native and not pin.has_wheel(target):
            sdist = any(not file.endswith(".whl") for file in files)
            found.append(Lacking(name=name, version=version, sdist=sdist))
    return tuple(found)


def _name(package: Mapping[str, Any]) -> str:
    return str(package.get("name", ""))


def _groups(document: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """The groups and extras that a lock installs by default, as its markers ask for them."""
    listed = document.get("default-groups")
    names = [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
    return {"extras": frozenset(), "dependency_groups": frozenset(names)}


def _files(package: Mapping[str, Any]) -> Iterator[str]:
    """The names of a package's files: Poetry names them, uv and PEP 751 may give addresses."""
    entries = [*_tables(package.get("wheels")), *_tables(package.get("files"))]
    if isinstance(package.get("sdist"), dict):
        entries.append(package["sdist"])
    for entry in entries:
        place = entry.get("name") or entry.get("file") or entry.get("url") or entry.get("path")
        if isinstance(place, str):
            yield unquote(place.partition("#")[0].rpartition("/")[2])


_Values = Mapping[str, str | frozenset[str]]
"""What markers ask about: the target's environment, and what is installed of a lock."""

_DEFAULT_GROUPS = frozenset({"dev"})
"""What ``uv sync`` and ``poetry install`` take beside the dependencies, unless they are told."""


@dataclass(frozen=True, slots=True)
class _Edge:
    """``name`` with ``extra`` (empty: without any) needs ``other``."""

    name: str
    extra: str
    other: str
    other_extras: tuple[str, ...]
    holds: bool


def _needed(packages: Iterable[Mapping[str, Any]], values: _Values) -> set[str]:
    """The names that the project needs on the target; extras count where something asks for them.

    The project is what lies in a folder (uv), else whatever nothing in the lock needs (Poetry,
    which does not list the project itself).
    """
    known = list(packages)
    edges = [edge for package in known for edge in _edges(package, values)]
    own = [_name(package) for package in known if _is_own(package)]
    below = {edge.other for edge in edges}
    waiting = [(name, "") for name in own or [_name(p) for p in known if _name(p) not in below]]
    by_node: dict[tuple[str, str], list[_Edge]] = {}
    for edge in edges:
        by_node.setdefault((edge.name, edge.extra), []).append(edge)
    reached: set[tuple[str, str]] = set()
    while waiting:
        node = waiting.pop()
        if node not in reached:
            reached.add(node)
            held = [edge for edge in by_node.get(node, ()) if edge.holds]
            waiting += [(one.other, extra) for one in held for extra in ("", *one.other_extras)]
    return {name for name, _ in reached}


def _is_own(package: Mapping[str, Any]) -> bool:
    """Whether a package of uv's lock is the project or a member of its workspace."""
    source = package.get("source")
    return isinstance(source, dict) and not {"virtual", "editable"}.isdisjoint(source)


def _edges(package: Mapping[str, Any], values: _Values) -> Iterator[_Edge]:
    """What a package depends on, by extra."""
    name, listed = _name(package), package.get("dependencies")
    yield from _listed(name, "", listed, values)  # uv
    if isinstance(listed, dict):  # Poetry: a version, a table, or one table for each marker
        for other, given in listed.items():
            tables = _tables(given if isinstance(given, list) else [given])
            # It locks what the project's own extras ask for, and notes the extra in the marker.
            holds = not tables or any(_holds(t, values, any_extra=True) for t in tables)
            yield _Edge(name, "", _normalised(other), (), holds)
    extras = package.get("optional-dependencies")
    for extra, group in extras.items() if isinstance(extras, dict) else ():
        yield from _listed(name, extra, group, values)
    groups = package.get("dev-dependencies")
    for group_name, group in groups.items() if isinstance(groups, dict) else ():
        node = "" if group_name in _DEFAULT_GROUPS else f"group {group_name}"
        yield from _listed(name, node, group, values)


def _listed(name: str, extra: str, listed: object, values: _Values) -> Iterator[_Edge]:
    for one in _tables(listed):
        asked = one.get("extra")
        extras = tuple(map(str, asked)) if isinstance(asked, list) else ()
        yield _Edge(name, extra, str(one.get("name", "")), extras, _holds(one, values))


_EXTRA = re.compile(r"""\bextra\s*==\s*["']([^"']+)["']""")


def _holds(table: Mapping[str, Any], values: _Values, *, any_extra: bool = False) -> bool:
    """Whether a table's marker is true on the target; one that cannot be read is taken for true.

    uv may give several (``resolution-markers``), of which one must hold, and Poetry one for each
    group. ``any_extra``: whatever extra the marker asks for is taken to be asked for.
    """
    given = table.get("marker", table.get("markers", table.get("resolution-markers")))
    texts = given.values() if isinstance(given, dict) else given
    if isinstance(texts, str):
        texts = [texts]
    if not texts:
        return True
    return any(_is_true(text, values, any_extra=any_extra) for text in texts)


def _is_true(text: object, values: _Values, *, any_extra: bool) -> bool:
    from packaging.markers import InvalidMarker, Marker, UndefinedEnvironmentName

    if not isinstance(text, str):
        return True
    extras = _EXTRA.findall(text) if any_extra else []
    try:
        marker = Marker(text)
        return any(marker.evaluate({**values, "extra": extra}) for extra in ["", *extras])
    except (InvalidMarker, UndefinedEnvironmentName):
        return True


def _tables(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _normalised(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
