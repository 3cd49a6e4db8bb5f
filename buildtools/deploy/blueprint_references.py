"""The rules between the resources of a Blueprint: names, references, regions, doubled variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

import yaml

from buildtools.deploy.blueprint_findings import BlueprintFinding, Rule
from buildtools.deploy.blueprint_reading import fields_of, text_of
from buildtools.findings import Severity

_STORES = frozenset({"redis", "keyvalue"})
_UNADDRESSED = frozenset({"worker", "cron"})
"""What takes no connections, and so has neither a host nor a port."""
_DEFAULT_REGION = "oregon"
_GIVEN = frozenset({"PORT", "IS_PULL_REQUEST"})
"""What Render gives every service, beside what begins with RENDER."""
_DATABASES = "databases"
_GROUPS = "envVarGroups"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resource:
    """A service, database or group: what it is, where it runs, and what variables it is given.

    ``kind`` is a service's type, or the section of what is no service; ``keys`` its variables by
    name, ``groups`` the groups that it takes more from.
    """

    kind: str
    node: yaml.Node
    region: str
    keys: Mapping[str, yaml.Node] = field(default_factory=dict)
    groups: tuple[str, ...] = ()


def across_services(root: yaml.Node, path: str) -> Iterator[BlueprintFinding]:
    """What is wrong between resources: names that stand twice, references to nothing.

    A database may have a service's name, as in Render's own examples (render-examples/rails-6).
    """
    names: dict[tuple[str, str], yaml.Node] = {}
    known: dict[str, dict[str, _Resource]] = {"services": {}, _DATABASES: {}, _GROUPS: {}}
    listed = list(_resources(root, set()))
    for section, node in listed:
        name = fields_of(node).get("name")
        text = text_of(name[1]) if name else None
        if name is None or text is None:
            continue
        if not text.strip():
            yield BlueprintFinding.at_node(name[1], Rule.WRONG_VALUE, "a name is empty", path=path)
            continue
        resource = _resource(section, node)
        first = names.get((section, text))
        names.setdefault((section, text), name[1])
        other = known[section].setdefault(text, resource)
        if first is not None:
            said = f"{text} already names a resource at line {first.start_mark.line + 1}"
            # A store beside a server of its name has been deployed (laudspeaker#92).
            apart = (other.kind in _STORES) != (resource.kind in _STORES)
            severity = Severity.WARNING if apart else Severity.ERROR
            yield BlueprintFinding.at_node(
                name[1], Rule.DUPLICATE_NAME, said, path=path, severity=severity
            )
            if apart:
                known[section][f"{text} {_store(resource)}"] = resource
    for section, node in {id(node): (section, node) for section, node in listed}.values():
        yield from _doubled(node, path)
        if section == "services":
            yield from _references(_resource(section, node), known, path)


def _store(resource: _Resource) -> str:
    return "store" if resource.kind in _STORES else "server"


def _resource(section: str, node: yaml.Node) -> _Resource:
    fields = {name: text_of(value) for name, (_, value) in fields_of(node).items()}
    variables = [fields_of(variable) for variable in _variables(node)]
    taken = (text_of(variable["fromGroup"][1]) for variable in variables if "fromGroup" in variable)
    return _Resource(
        kind=(fields.get("type") or "") if section == "services" else section,
        node=node,
        region=fields.get("region") or _DEFAULT_REGION,
        keys={
            key: variable["key"][1]
            for variable in variables
            if "key" in variable and (key := text_of(variable["key"][1]))
        },
        groups=tuple(name for name in taken if name),
    )


def _variables(node: yaml.Node) -> list[yaml.Node]:
    entry = fields_of(node).get("envVars")
    return list(entry[1].value) if entry and isinstance(entry[1], yaml.SequenceNode) else []


def _doubled(node: yaml.Node, path: str) -> Iterator[BlueprintFinding]:
    """Variables that one resource is given twice; what overrides a group's is none of them."""
    seen: dict[str, yaml.Node] = {}
    for variable in _variables(node):
        for source in ("key", "fromGroup"):
            place = fields_of(variable).get(source)
            name = text_of(place[1]) if place else None
            if place is None or not name:
                continue
            first = seen.setdefault(f"{source} {name}", place[1])
            if first is not place[1]:
                said = f"{name} stands in envVars already, at line {first.start_mark.line + 1}"
                yield BlueprintFinding.at_node(place[1], Rule.DUPLICATE_VARIABLE, said, path=path)


def _references(
    service: _Resource, known: Mapping[str, Mapping[str, _Resource]], path: str
) -> Iterator[BlueprintFinding]:
    for variable in _variables(service.node):
        fields = fields_of(variable)
        if "fromGroup" in fields:
            yield from _group(fields["fromGroup"][1], known[_GROUPS], path)
        for source, section in (("fromDatabase", _DATABASES), ("fromService", "services")):
            if source not in fields:
                continue
            inner = {name: value for name, (_, value) in fields_of(fields[source][1]).items()}
            name = inner.get("name")
            if name is None:
                continue
            wanted = text_of(inner["type"]) if "type" in inner else None
            wanted = _DATABASES if section == _DATABASES else wanted
            elsewhere = "services" if section == _DATABASES else _DATABASES
            text = text_of(name) or ""
            found = _named(text, wanted, known[section]) or known[elsewhere].get(text)
            alike = found is not None and (found.kind == wanted or {wanted, found.kind} <= _STORES)
            if not alike:
                yield _unknown(name, wanted, found, known[section], path)
            elif found is not None:
                yield from _wired(service, inner, found, known[_GROUPS], path)


def _named(name: str, wanted: str | None, known: Mapping[str, _Resource]) -> _Resource | None:
    """The resource of that name; of a server and a store that share it, the one of that type."""
    apart = known.get(f"{name} {'store' if wanted in _STORES else 'server'}")
    return apart or known.get(name)


def _group(
    node: yaml.Node, groups: Mapping[str, _Resource], path: str
) -> Iterator[BlueprintFinding]:
    """A group may also be one that was made in the dashboard, so its absence is a warning."""
    name = text_of(node)
    if name and name not in groups:
        said = f"no group {name} is in this Blueprint{_hint(name, groups)}"
        yield BlueprintFinding.at_node(
            node, Rule.UNKNOWN_REFERENCE, said, path=path, severity=Severity.WARNING
        )


def _unknown(
    name: yaml.Node,
    wanted: str | None,
    found: _Resource | None,
    known: Mapping[str, _Resource],
    path: str,
) -> BlueprintFinding:
    text = text_of(name) or ""
    absent = f"is not in this Blueprint{_hint(text, known)}"
    is_a = f"is a {_word(found.kind)}, not a {_word(wanted)}" if found else absent
    severity = Severity.ERROR if found else Severity.WARNING
    return BlueprintFinding.at_node(
        name, Rule.UNKNOWN_REFERENCE, f"{text} {is_a}", path=path, severity=severity
    )


def _word(kind: str | None) -> str:
    return "database" if kind == _DATABASES else kind or "service of no type"


def _hint(name: str, known: Mapping[str, _Resource]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _wired(
    service: _Resource,
    inner: Mapping[str, yaml.Node],
    found: _Resource,
    groups: Mapping[str, _Resource],
    path: str,
) -> Iterator[BlueprintFinding]:
    """What a resource that is there does not have, or not for this service."""
    name = text_of(inner["name"])
    asked = text_of(inner["property"]) if "property" in inner else None
    if asked == "connectionString" and found.kind not in _STORES | {_DATABASES}:
        said = f"{name} is a {found.kind}, and only a store has a connectionString"
        yield BlueprintFinding.at_node(inner["property"], Rule.WRONG_VALUE, said, path=path)
    elif asked and found.kind in _UNADDRESSED:
        said = f"{name} is a {found.kind} and takes no connections, so it has no {asked}"
        yield BlueprintFinding.at_node(
            inner["property"], Rule.WRONG_VALUE, said, path=path, severity=Severity.WARNING
        )
    elif asked and found.region != service.region:
        said = f"{name} runs in {found.region} and this service in {service.region}"
        yield BlueprintFinding.at_node(
            inner["name"], Rule.OTHER_REGION, said, path=path, severity=Severity.WARNING
        )
    key = text_of(inner["envVarKey"]) if "envVarKey" in inner else None
    taken = {key for group in found.groups if group in groups for key in groups[group].keys}
    of_render = key is not None and (key.startswith("RENDER") or key in _GIVEN)
    whole = all(group in groups for group in found.groups)
    if key and not of_render and whole and key not in {*found.keys, *taken}:
        said = f"{name} is given no {key} in this Blueprint"
        yield BlueprintFinding.at_node(
            inner["envVarKey"], Rule.UNKNOWN_REFERENCE, said, path=path, severity=Severity.WARNING
        )


def _resources(node: yaml.Node, seen: set[int]) -> Iterator[tuple[str, yaml.Node]]:
    """Every service, database and group, at the root, ungrouped or in an environment.

    What an alias leads to once more is not gone into again; an item that stands twice in a list is
    two resources.
    """
    if id(node) in seen:
        return
    seen.add(id(node))
    for name, (_, value) in fields_of(node).items():
        if name == "ungrouped":
            yield from _resources(value, seen)
            continue
        if not isinstance(value, yaml.SequenceNode) or id(value) in seen:
            continue
        seen.add(id(value))
        if name in {"services", _DATABASES, _GROUPS}:
            yield from ((name, item) for item in value.value)
        elif name in {"projects", "environments"}:
            for item in value.value:
                yield from _resources(item, seen)
