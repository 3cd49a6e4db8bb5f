"""Lints a Render Blueprint: its shape, and the rules that Render's schema misses.

Every finding carries the line and column of the node that it is about, both counted from 1.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import assert_never

import yaml

from buildtools.deploy.blueprint_findings import BlueprintFinding, Rule
from buildtools.deploy.blueprint_reading import (
    BlueprintUnreadable,
    composed,
    fields_of,
    is_merge,
    merged,
    text_of,
)
from buildtools.deploy.blueprint_references import across_services
from buildtools.deploy.blueprint_rules import OLD_RUNTIME, of_service, of_variable
from buildtools.deploy.blueprint_serving import of_serving
from buildtools.deploy.blueprint_shapes import (
    CRON,
    KEY_VALUE,
    ROOT,
    SERVER,
    SERVICE_TYPES,
    SERVICES,
    STATIC,
    WORKFLOW,
    Choice,
    Kind,
    ListOf,
    Range,
    Scalar,
    Shape,
)
from buildtools.findings import Severity


def check_blueprint(text: str, path: str) -> tuple[BlueprintFinding, ...]:
    """Every finding of a Blueprint, in the file's order; none when there is nothing to say."""
    try:
        root = composed(text)
    except BlueprintUnreadable as unreadable:
        return (unreadable_finding(unreadable, path),)
    if root is None:
        empty = BlueprintUnreadable("the file is empty")
        return (unreadable_finding(empty, path, Rule.MISSING_KEY),)
    walk = _Walk(path)
    walk.check(root, ROOT, "the Blueprint")
    walk.findings.extend(across_services(root, path))
    unique = dict.fromkeys(walk.findings)
    return tuple(sorted(unique, key=lambda found: (found.line or 0, found.column or 0)))


def unreadable_finding(
    unreadable: BlueprintUnreadable, path: str, rule: Rule = Rule.NOT_YAML
) -> BlueprintFinding:
    """The one finding of a text that is no Blueprint."""
    return BlueprintFinding(
        rule=rule,
        severity=Severity.ERROR,
        path=path,
        evidence=unreadable.problem,
        remedy=rule.remedy,
        line=unreadable.line,
        column=unreadable.column,
    )


_SERVICE_SHAPES = (SERVER, CRON, STATIC, KEY_VALUE, WORKFLOW)
_VARIABLES = "envVars"
_OTHER_TYPES = {
    **dict.fromkeys(
        ("postgres", "postgresql", "pg", "database", "db"), "; a PostgreSQL stands under databases"
    ),
    **dict.fromkeys(("mysql", "mariadb"), "; Render has none: name an external one, or a pserv"),
    **dict.fromkeys(("static", "static_site"), "; a static site is web with runtime: static"),
    **dict.fromkeys(("background", "background_worker"), "; that is a worker"),
    **dict.fromkeys(("private", "private_service"), "; that is a pserv"),
    **dict.fromkeys(("cronjob", "cron_job"), "; that is cron"),
    "valkey": "; that is keyvalue",
}
"""What else a type is taken for, and what it is here."""


class _Walk:
    """Goes through the nodes beside the shape that they should have, gathering findings."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.findings: list[BlueprintFinding] = []
        self._seen: set[tuple[int, int]] = set()

    def say(
        self, node: yaml.Node, rule: Rule, evidence: str, severity: Severity = Severity.ERROR
    ) -> None:
        self.findings.append(
            BlueprintFinding.at_node(node, rule, evidence, path=self.path, severity=severity)
        )

    def check(self, node: yaml.Node, kind: Kind, where: str) -> None:
        """Check one node against its kind; once, however many aliases lead to it."""
        if (id(node), id(kind)) in self._seen:
            return
        self._seen.add((id(node), id(kind)))
        match kind:
            case Scalar():
                self._scalar(node, kind, where)
            case Choice():
                self._choice(node, kind, where)
            case Range():
                self._range(node, kind, where)
            case ListOf():
                self._list(node, kind, where)
            case Shape():
                self._mapping(node, kind, where)
            case _:
                assert_never(kind)

    def _scalar(self, node: yaml.Node, kind: Scalar, where: str) -> None:
        tag = node.tag.rpartition(":")[2]
        fits = {
            Scalar.TEXT: tag in {"str", "null"},
            Scalar.WHOLE: tag == "int",
            Scalar.TRUTH: tag == "bool",
            Scalar.TEXT_OR_NUMBER: tag in {"str", "int", "float"},
        }[kind]
        if not isinstance(node, yaml.ScalarNode) or not fits:
            quote = ' (put it in quotes: "…")' if isinstance(node, yaml.ScalarNode) else ""
            self.say(node, Rule.WRONG_TYPE, f"{where} must be {kind.value}, found {tag}{quote}")

    def _choice(self, node: yaml.Node, kind: Choice, where: str) -> None:
        value = node.value if isinstance(node, yaml.ScalarNode) else None
        if value in kind.words:
            return
        close = get_close_matches(str(value), kind.words, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        if kind.open and value is not None:
            said = f"{where} {value!r} is not a plan known to this version{hint}"
            self.say(node, Rule.UNKNOWN_PLAN, said, Severity.WARNING)
            return
        said = f"{where} must be one of {', '.join(kind.words)}{hint}"
        self.say(node, Rule.WRONG_VALUE, said)

    def _range(self, node: yaml.Node, kind: Range, where: str) -> None:
        whole = isinstance(node, yaml.ScalarNode) and re.fullmatch(r"[+-]?\d{1,9}", node.value)
        most = f" and {kind.most}" if kind.most is not None else ""
        wanted = f"between {kind.least}{most}" if most else f"at least {kind.least}"
        if not whole or not node.tag.endswith(":int"):
            self.say(node, Rule.WRONG_TYPE, f"{where} must be a whole number, {wanted}")
            return
        number = int(node.value)
        if number < kind.least or (kind.most is not None and number > kind.most):
            self.say(node, Rule.WRONG_VALUE, f"{where} is {number}; it must be {wanted}")

    def _list(self, node: yaml.Node, kind: ListOf, where: str) -> None:
        if not isinstance(node, yaml.SequenceNode):
            self.say(node, Rule.WRONG_TYPE, f"{where} must be a list")
            return
        for item in node.value:
            self.check(item, self._service_shape(item) if kind is SERVICES else kind.item, where)

    def _service_shape(self, node: yaml.Node) -> Shape:
        """The shape that a service's ``type`` and ``runtime`` call for."""
        fields = {name: text_of(value) for name, (_, value) in fields_of(node).items()}
        if fields.get("type") in {"keyvalue", "redis"}:
            return KEY_VALUE
        if fields.get("type") == "cron":
            return CRON
        if fields.get("type") == "workflow":
            return WORKFLOW
        if fields.get("type") == "web" and "static" in {fields.get("runtime"), fields.get("env")}:
            return STATIC
        return SERVER

    def _mapping(self, node: yaml.Node, kind: Shape, where: str) -> None:
        if not isinstance(node, yaml.MappingNode):
            self.say(node, Rule.WRONG_TYPE, f"{where} must be a mapping of keys to values")
            return
        seen: set[str] = set()
        for key, value in node.value:
            if is_merge(key):
                continue
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
            if name in seen:
                self.say(key, Rule.DUPLICATE_KEY, f"{name} stands twice in {kind.name}")
            seen.add(name)
            self._field(kind, name, key, value)
        for name, (key, value) in merged(node).items():
            self._field(kind, name, key, value)
            seen.add(name)
        for name in kind.required:
            if name not in seen and not (name == "runtime" and OLD_RUNTIME in seen):
                self.say(node, Rule.MISSING_KEY, f"{kind.name} needs {name}")
        if kind.name == "environment variable":
            self.findings.extend(
                of_variable(node, self.path, in_group="fromGroup" not in kind.fields)
            )
        elif kind in _SERVICE_SHAPES:
            self.findings.extend(of_service(node, self.path))
            self.findings.extend(of_serving(node, self.path))

    def _field(self, kind: Shape, name: str, key: yaml.Node, value: yaml.Node) -> None:
        if (
            name == OLD_RUNTIME
            and isinstance(value, yaml.SequenceNode)
            and _VARIABLES in kind.fields
        ):
            said = "variables stand under envVars; env is the old name of runtime"
            self.say(key, Rule.UNKNOWN_KEY, said)
            self.check(value, kind.fields[_VARIABLES], _VARIABLES)
            return
        if name == OLD_RUNTIME and "runtime" in kind.fields:
            said = "env is the old name of runtime"
            self.say(key, Rule.DEPRECATED, said, Severity.WARNING)
            self.check(value, kind.fields["runtime"], name)
            return
        if name not in kind.fields:
            close = get_close_matches(name, kind.fields, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            self.say(key, Rule.UNKNOWN_KEY, f"{kind.name} has no key {name}{hint}")
            return
        if name in kind.deprecated:
            said = f"{name} is deprecated; use {kind.deprecated[name]}"
            self.say(key, Rule.DEPRECATED, said, Severity.WARNING)
        if name == "type" and "runtime" in kind.required and not _known_type(value):
            hint = _OTHER_TYPES.get(text_of(value) or "", "")
            said = f"type must be one of {', '.join(SERVICE_TYPES[:-1])}{hint}"
            self.say(value, Rule.WRONG_VALUE, said)
            return
        self.check(value, kind.fields[name], name)


def _known_type(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value in SERVICE_TYPES
