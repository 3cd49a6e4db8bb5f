"""The rules that Render's schema misses: of one service and of one variable."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from buildtools.deploy.blueprint_findings import BlueprintFinding, Rule
from buildtools.deploy.blueprint_reading import Fields, fields_of, text_of
from buildtools.deploy.plain_secrets import secret_kind
from buildtools.findings import Severity

_SOURCES = ("value", "generateValue", "fromDatabase", "fromService", "fromGroup")
_CRON_ITEM = re.compile(r"(?P<first>\*|\w{1,3})(?:-(?P<last>\w{1,3}))?(?:/(?P<step>\d{1,4}))?")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_CRON: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (0, 59, ()),
    (0, 23, ()),
    (1, 31, ()),
    (1, 12, _MONTHS),
    (0, 7, _DAYS),
)
"""The least and the most of a schedule's fields, and the names that the least and more go by."""
_NAME = re.compile(r"[A-Za-z_.-][\w.-]*", re.ASCII)
_INTERPOLATED = re.compile(r"\$\{\{? ?[A-Za-z_][\w.-]* ?\}?\}")
_FREE = "free"
_COMMANDED = frozenset({"web", "worker", "pserv", "cron", "workflow"})
OLD_RUNTIME = "env"
"""``runtime``'s name before; Render's Blueprint reference calls it supported but discouraged."""


def of_service(node: yaml.Node, path: str) -> Iterator[BlueprintFinding]:
    """What is wrong between the fields of one service."""
    fields = fields_of(node)
    service = _Place(node=node, fields=fields, path=path)
    yield from _disk(service)
    yield from _plan(service)
    yield from _commands(service)
    yield from _addresses(fields, path)
    yield from _filter(fields, path)
    yield from _scaling(fields, path)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """One mapping's node and fields, and how to point at them."""

    node: yaml.Node
    fields: Fields
    path: str

    def value(self, name: str) -> str | None:
        return text_of(self.fields[name][1]) if name in self.fields else None

    def at(
        self, name: str, rule: Rule, said: str, severity: Severity = Severity.ERROR
    ) -> BlueprintFinding:
        place = self.fields[name][0] if name in self.fields else self.node
        return BlueprintFinding.at_node(place, rule, said, path=self.path, severity=severity)


def _disk(service: _Place) -> Iterator[BlueprintFinding]:
    if "disk" not in service.fields:
        return
    place = fields_of(service.fields["disk"][1]).get("mountPath")
    mounted = text_of(place[1]) if place else None
    if place is not None and mounted is not None and not mounted.startswith("/"):
        said = f"mountPath {mounted!r} is no absolute path"
        yield BlueprintFinding.at_node(place[1], Rule.WRONG_VALUE, said, path=service.path)
    if "maxShutdownDelaySeconds" in service.fields:
        said = "a service with a disk takes no maxShutdownDelaySeconds"
        yield service.at("maxShutdownDelaySeconds", Rule.DISK_WITH_SHUTDOWN_DELAY, said)
    for name in ("scaling", "numInstances"):
        if name in service.fields and service.value(name) != "1":
            said = f"a service with a disk takes no {name}"
            yield service.at(name, Rule.DISK_WITH_SCALING, said)


def _plan(service: _Place) -> Iterator[BlueprintFinding]:
    kind = service.value("type")
    if kind == "redis":
        yield service.at("type", Rule.DEPRECATED, "type redis is now keyvalue", Severity.WARNING)
    if service.value("plan") != _FREE:
        return
    for name in ("disk", "preDeployCommand", "maxShutdownDelaySeconds", "scaling"):
        if name in service.fields:
            said = f"{name} needs a paid plan; this one is free"
            yield service.at(name, Rule.NEEDS_PAID_PLAN, said)
    if kind in {"worker", "pserv", "cron"}:
        yield service.at("plan", Rule.NEEDS_PAID_PLAN, f"there is no free {kind}")


def _commands(service: _Place) -> Iterator[BlueprintFinding]:
    kind = service.value("type")
    named = "runtime" if "runtime" in service.fields else OLD_RUNTIME
    runtime = service.value(named)
    schedule = service.value("schedule")
    if schedule is not None and not _is_schedule(schedule):
        yield service.at("schedule", Rule.BAD_SCHEDULE, f"{schedule!r} is no cron schedule")
    native = runtime not in {None, "docker", "image", "static"}
    for name in ("buildCommand", "startCommand"):
        if native and name not in service.fields and kind in _COMMANDED:
            yield service.at(named, Rule.MISSING_COMMAND, f"a {runtime} service needs {name}")
    if runtime == "image" and "image" not in service.fields:
        yield service.at(named, Rule.MISSING_KEY, "runtime image needs image.url")
    if kind == "worker" and "healthCheckPath" in service.fields:
        said = "a worker takes no requests, so no healthCheckPath"
        yield service.at("healthCheckPath", Rule.WRONG_VALUE, said)


def _scaling(fields: Fields, path: str) -> Iterator[BlueprintFinding]:
    if "scaling" not in fields:
        return
    inner = fields_of(fields["scaling"][1])
    numbers = {name: text_of(value) or "" for name, (_, value) in inner.items()}
    least, most = numbers.get("minInstances", ""), numbers.get("maxInstances", "")
    if least.isdigit() and most.isdigit() and int(least) > int(most):
        said = f"minInstances {least} is more than maxInstances {most}"
        yield BlueprintFinding.at_node(inner["minInstances"][1], Rule.WRONG_VALUE, said, path=path)
    if not {"targetCPUPercent", "targetMemoryPercent"} & set(inner):
        said = "scaling needs targetCPUPercent or targetMemoryPercent"
        yield BlueprintFinding.at_node(fields["scaling"][0], Rule.MISSING_KEY, said, path=path)


def _addresses(fields: Fields, path: str) -> Iterator[BlueprintFinding]:
    entries = fields["ipAllowList"][1] if "ipAllowList" in fields else None
    for entry in entries.value if isinstance(entries, yaml.SequenceNode) else ():
        source = fields_of(entry).get("source")
        text = text_of(source[1]) if source else None
        if source is None or text is None:
            continue
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            said = f"{text!r} is neither an address nor a range"
            yield BlueprintFinding.at_node(source[1], Rule.BAD_ADDRESS, said, path=path)
            continue
        kind = text_of(fields["type"][1]) if "type" in fields else None
        if network.prefixlen == 0 and kind in {"keyvalue", "redis"}:
            yield BlueprintFinding.at_node(
                source[1],
                Rule.OPEN_TO_ALL,
                f"{text} lets the whole internet at the store",
                path=path,
                severity=Severity.WARNING,
            )


def _filter(fields: Fields, path: str) -> Iterator[BlueprintFinding]:
    if "buildFilter" not in fields:
        return
    for name, (key, value) in fields_of(fields["buildFilter"][1]).items():
        if isinstance(value, yaml.SequenceNode) and not value.value:
            said = f"buildFilter.{name} is empty"
            yield BlueprintFinding.at_node(
                key, Rule.EMPTY_FILTER, said, path=path, severity=Severity.WARNING
            )


def of_variable(node: yaml.Node, path: str, *, in_group: bool) -> Iterator[BlueprintFinding]:
    """What is wrong with one environment variable, of a service or of a group."""
    fields = fields_of(node)
    variable = _Place(node=node, fields=fields, path=path)
    if "fromGroup" in fields:
        if len(fields) > 1:
            said = "fromGroup stands alone in its entry"
            yield variable.at("fromGroup", Rule.VARIABLE_SOURCE, said)
        return
    if "key" not in fields and not in_group:
        said = "an environment variable needs key or fromGroup"
        yield variable.at("", Rule.MISSING_KEY, said)
        return
    name = variable.value("key") or ""
    if name and not _NAME.fullmatch(name):
        said = f"{name!r} is no name of a variable: letters, digits and _ . - only, no digit first"
        yield BlueprintFinding.at_node(
            fields["key"][1], Rule.WRONG_VALUE, said, path=path, severity=Severity.WARNING
        )
    yield from _source(variable, name, in_group=in_group)
    if "value" in fields:
        yield from _plain_value(name, fields["value"][1], path)
    if "fromService" in fields and not in_group:
        inner = fields_of(fields["fromService"][1])
        if ("property" in inner) == ("envVarKey" in inner):
            said = f"{name}: fromService takes property or envVarKey, one of them"
            yield variable.at("fromService", Rule.VARIABLE_SOURCE, said)


def _source(variable: _Place, name: str, *, in_group: bool) -> Iterator[BlueprintFinding]:
    """A variable has exactly one source; in a group ``sync`` is none."""
    fields = variable.fields
    sources = [source for source in _SOURCES if source in fields]
    asked_for = variable.value("sync") == "false"
    if in_group and "sync" in fields:
        yield variable.at("sync", Rule.GROUP_VARIABLE, f"{name}: sync has no effect in a group")
    if len(sources) > 1:
        said = f"{name} has {len(sources)} sources: {', '.join(sources)}"
        yield variable.at(sources[1], Rule.VARIABLE_SOURCE, said)
    elif asked_for and sources:
        said = f"{name} has both sync: false and {sources[0]}"
        yield variable.at("sync", Rule.VARIABLE_SOURCE, said)
    elif not sources and not asked_for and not in_group:
        yield variable.at("key", Rule.VARIABLE_SOURCE, f"{name} has no source")


def _plain_value(name: str, node: yaml.Node, path: str) -> Iterator[BlueprintFinding]:
    value = text_of(node) or ""
    kind = secret_kind(name, value)
    if kind:
        said = f"{name} {kind}, and its value stands in the file"
        yield BlueprintFinding.at_node(node, Rule.PLAINTEXT_SECRET, said, path=path)
    if inner := _INTERPOLATED.search(value):
        said = f"{name} holds {inner[0]}, which Render hands on as it is written"
        yield BlueprintFinding.at_node(
            node, Rule.INTERPOLATION, said, path=path, severity=Severity.WARNING
        )
    number = _number_of(node)
    if number and name != "PYTHON_VERSION":
        said = f"{name} {value} without quotes is the number {number}"
        yield BlueprintFinding.at_node(
            node, Rule.LOST_DIGITS, said, path=path, severity=Severity.WARNING
        )
    if name == "PYTHON_VERSION" and not re.fullmatch(r"\d+\.\d+\.\d+", value):
        said = f"PYTHON_VERSION {value!r} is not a whole version"
        yield BlueprintFinding.at_node(node, Rule.PYTHON_VERSION, said, path=path)


def _number_of(node: yaml.Node) -> str:
    """The number that YAML makes of a value, where that is written otherwise; else empty."""
    if not isinstance(node, yaml.ScalarNode) or not node.tag.endswith(":float"):
        return ""
    read = str(yaml.safe_load(node.value))
    return "" if read == node.value else read


def _is_schedule(text: str) -> bool:
    fields = text.split()
    return len(fields) == len(_CRON) and all(
        _is_cron_item(item, least, most, names)
        for field, (least, most, names) in zip(fields, _CRON, strict=True)
        for item in field.split(",")
    )


def _is_cron_item(item: str, least: int, most: int, names: tuple[str, ...]) -> bool:
    """Whether ``5``, ``*/15``, ``1-5`` or ``MON-FRI`` lies between the bounds of its field."""
    match = _CRON_ITEM.fullmatch(item)
    if match is None or (match["step"] and int(match["step"]) == 0):
        return False
    if match["first"] == "*":
        return match["last"] is None
    numbers = []
    for word in filter(None, match.group("first", "last")):
        known = word.lower() in names
        if not known and not (word.isascii() and word.isdigit()):
            return False
        numbers.append(names.index(word.lower()) + least if known else int(word))
    return all(least <= number <= most for number in numbers) and numbers == sorted(numbers)
