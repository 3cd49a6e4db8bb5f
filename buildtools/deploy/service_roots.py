"""The Python services of a Blueprint: where each stands in the repository, and what it is told.

Source: Render's pages on monorepos (``rootDir``: a service has the files below it and no others)
and on Python versions.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import yaml

from buildtools.deploy.blueprint_reading import (
    BlueprintUnreadable,
    Fields,
    composed,
    fields_of,
    text_of,
)

VARIABLE = "PYTHON_VERSION"
_REQUIREMENT = re.compile(r"""(?:\s-r\s*|\s--requirement[=\s]\s*)["']?([^\s"';&|]+)""")
_LEAVES = re.compile(r"\b(?:cd|pushd)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionText:
    """``PYTHON_VERSION`` as it is written; ``number`` what YAML makes of it where that differs.

    ``value: 3.10`` without quotes is the number 3.1.
    """

    text: str
    number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonService:
    """One service with the native Python runtime.

    ``folder`` is its ``rootDir`` without slashes around it, empty for the repository's root;
    ``requirements`` the files that its build command gives to pip, relative to that folder.
    """

    name: str
    folder: str = ""
    python: VersionText | None = None
    requirements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One thing that is deployed: a folder of the repository with one Python.

    ``top`` is the way from there to the repository's root, such as ``../..``, or empty. ``others``
    are folders below this one that other services have to themselves. ``several``: the Blueprint
    has more parts than this one.
    """

    folder: str = ""
    top: str = ""
    services: tuple[PythonService, ...] = ()
    others: tuple[str, ...] = ()
    several: bool = False

    @property
    def python(self) -> VersionText | None:
        """What the Blueprint says of its Python."""
        return self.services[0].python if self.services else None

    @property
    def requirements(self) -> tuple[str, ...]:
        """The files that its services install, each once."""
        named = [name for service in self.services for name in service.requirements]
        return tuple(dict.fromkeys(named))


def python_services(text: str) -> tuple[PythonService, ...]:
    """The services of a Blueprint that run on the Python runtime; none where it is not YAML."""
    try:
        root = composed(text)
    except BlueprintUnreadable:
        return ()  # `render check` says what is wrong with it
    if root is None:
        return ()
    groups: dict[str, Fields] = {}
    found: list[Fields] = []
    for section, fields in _resources(root, set()):
        if section == "envVarGroups":
            groups[text_of(fields["name"][1]) or "" if "name" in fields else ""] = fields
        elif _text(fields, "runtime", "env") in {"python", None}:
            found.append(fields)
    services = [(fields, _service(fields, groups)) for fields in found]
    return tuple(
        service
        for fields, service in services
        if service.python is not None or _text(fields, "runtime", "env")
    )


def parts_of(services: Sequence[PythonService], name: object) -> tuple[Part, ...]:
    """What is deployed, by folder and Python; always at least one part, of the root's folder.

    Of the services in one folder the one called ``name`` speaks for all, where there is one.
    """
    by_place: dict[tuple[str, VersionText | None], list[PythonService]] = {}
    named = {service.folder for service in services if service.name == name}
    for service in services:
        if service.folder not in named or service.name == name:
            by_place.setdefault((service.folder, service.python), []).append(service)
    folders = sorted({folder for folder, _ in by_place if folder})
    several = len(by_place) > 1
    return tuple(
        Part(
            folder=folder,
            top=posixpath.relpath("/", f"/{folder}") if folder else "",
            services=tuple(those),
            others=tuple(
                other for other in folders if other != folder and _is_below(other, folder)
            ),
            several=several,
        )
        for (folder, _), those in by_place.items()
    ) or (Part(),)


def _is_below(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")


def _service(fields: Fields, groups: Mapping[str, Fields]) -> PythonService:
    folder = posixpath.normpath("/" + (_text(fields, "rootDir") or "")).strip("/")
    command = " " + (_text(fields, "buildCommand") or "")
    return PythonService(
        name=_text(fields, "name") or "",
        folder=folder,
        python=_version(fields, groups),
        # Behind a `cd` a path is no longer counted from the service's folder.
        requirements=()
        if _LEAVES.search(command)
        else tuple(posixpath.normpath(name) for name in _REQUIREMENT.findall(command)),
    )


def _version(fields: Fields, groups: Mapping[str, Fields]) -> VersionText | None:
    """Its own variable, else that of a group that it takes; None for what the dashboard holds."""
    taken: VersionText | None = None
    for variable in _items(fields, "envVars"):
        pairs = fields_of(variable)
        if _text(pairs, "key") == VARIABLE:
            return _written(pairs["value"][1]) if "value" in pairs else None
        group = groups.get(_text(pairs, "fromGroup") or "\0")
        if group is not None and taken is None:
            taken = _version(group, {})
    return taken


def _written(node: yaml.Node) -> VersionText | None:
    text = text_of(node)
    if text is None:
        return None
    number = ""
    if node.tag.endswith((":float", ":int")):
        try:
            number = str(yaml.safe_load(text))
        except yaml.YAMLError:
            number = text
    return VersionText(text=text, number="" if number == text else number)


def _resources(node: yaml.Node, seen: set[int]) -> Iterator[tuple[str, Fields]]:
    """The services and groups at the root, ungrouped, and in the projects' environments."""
    if id(node) in seen:
        return
    seen.add(id(node))
    fields = fields_of(node)
    if "ungrouped" in fields:
        yield from _resources(fields["ungrouped"][1], seen)
    for name in ("services", "envVarGroups"):
        yield from ((name, fields_of(item)) for item in _items(fields, name))
    for name in ("projects", "environments"):
        for item in _items(fields, name):
            yield from _resources(item, seen)


def _items(fields: Fields, name: str) -> Sequence[yaml.Node]:
    listed = fields[name][1] if name in fields else None
    return listed.value if isinstance(listed, yaml.SequenceNode) else ()


def _text(fields: Fields, *names: str) -> str | None:
    for name in names:
        if name in fields:
            return text_of(fields[name][1])
    return None
