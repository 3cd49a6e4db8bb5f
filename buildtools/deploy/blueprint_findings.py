"""What the Blueprint's linter says: a rule, and where in the file it is broken."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import yaml

from buildtools.findings import Severity


class Rule(StrEnum):
    """The rules by name; the name is what ``render check --json`` gives as ``cause``."""

    NOT_YAML = "blueprint-not-yaml"
    UNKNOWN_KEY = "blueprint-unknown-key"
    MISSING_KEY = "blueprint-missing-key"
    DUPLICATE_KEY = "blueprint-duplicate-key"
    WRONG_TYPE = "blueprint-wrong-type"
    WRONG_VALUE = "blueprint-wrong-value"
    UNKNOWN_PLAN = "blueprint-unknown-plan"
    DEPRECATED = "blueprint-deprecated"
    DUPLICATE_NAME = "blueprint-duplicate-name"
    DISK_WITH_SHUTDOWN_DELAY = "blueprint-disk-with-shutdown-delay"
    DISK_WITH_SCALING = "blueprint-disk-with-scaling"
    NEEDS_PAID_PLAN = "blueprint-needs-paid-plan"
    PLAINTEXT_SECRET = "blueprint-plaintext-secret"  # noqa: S105 - a rule's name
    VARIABLE_SOURCE = "blueprint-variable-source"
    GROUP_VARIABLE = "blueprint-group-variable"
    UNKNOWN_REFERENCE = "blueprint-unknown-reference"
    DUPLICATE_VARIABLE = "blueprint-duplicate-variable"
    OTHER_REGION = "blueprint-other-region"
    INTERPOLATION = "blueprint-interpolation"
    MISSING_COMMAND = "blueprint-missing-command"
    COMMAND_NOT_RUN = "blueprint-command-not-run"
    LOCAL_ONLY = "blueprint-local-only"
    BAD_SCHEDULE = "blueprint-bad-schedule"
    BAD_ADDRESS = "blueprint-bad-address"
    OPEN_TO_ALL = "blueprint-open-to-all"
    EMPTY_FILTER = "blueprint-empty-filter"
    PYTHON_VERSION = "blueprint-python-version"
    LOST_DIGITS = "blueprint-lost-digits"
    DRIFT = "blueprint-drift"

    @property
    def remedy(self) -> str:
        """What to do, in one sentence."""
        return _REMEDIES[self]


_REMEDIES = {
    Rule.NOT_YAML: "Correct the YAML at this place; quote a value that starts with a sign.",
    Rule.UNKNOWN_KEY: "Remove the key or correct its spelling; Render refuses the whole file.",
    Rule.MISSING_KEY: "Add the key; Render refuses the file without it.",
    Rule.DUPLICATE_KEY: "Keep one of the two; YAML readers silently take the last.",
    Rule.WRONG_TYPE: "Write a value of the type that the key takes.",
    Rule.WRONG_VALUE: "Write one of the values that the key takes.",
    Rule.UNKNOWN_PLAN: "Check the plan's name; plans change more often than this tool.",
    Rule.DEPRECATED: "Use the newer name; the old one is still read, for now.",
    Rule.DUPLICATE_NAME: "Give each resource a name of its own in the whole Blueprint.",
    Rule.DISK_WITH_SHUTDOWN_DELAY: "Remove one: a service with a disk takes no shutdown delay.",
    Rule.DISK_WITH_SCALING: "Remove one: a disk belongs to a single instance.",
    Rule.NEEDS_PAID_PLAN: "Choose a paid plan, or remove what the free one does not have.",
    Rule.PLAINTEXT_SECRET: "Set sync: false and enter the value in the dashboard, or"
    " generateValue: true.",
    Rule.VARIABLE_SOURCE: "Give the variable exactly one source: value, generateValue, sync:"
    " false, fromDatabase, fromService or fromGroup.",
    Rule.GROUP_VARIABLE: "Put it on the service: a group holds values and generateValue only.",
    Rule.UNKNOWN_REFERENCE: "Name a resource of this Blueprint, with its type.",
    Rule.DUPLICATE_VARIABLE: "Keep one of the two: a service has one value for each variable.",
    Rule.OTHER_REGION: "Put both in one region: the private network does not reach another.",
    Rule.INTERPOLATION: "Write the value out, or put it together when the program starts.",
    Rule.MISSING_COMMAND: "Add the command; without it the service does not build or start.",
    Rule.COMMAND_NOT_RUN: "Move it to the Dockerfile, or write dockerCommand to start otherwise.",
    Rule.LOCAL_ONLY: "Let it listen on 0.0.0.0 and $PORT: --host 0.0.0.0 --port $PORT.",
    Rule.BAD_SCHEDULE: "Write five fields: minute hour day month weekday.",
    Rule.BAD_ADDRESS: "Write an address or a range such as 203.0.113.4/30.",
    Rule.OPEN_TO_ALL: "List the addresses that may connect, or [] for internal traffic only.",
    Rule.EMPTY_FILTER: "Remove the key or give it paths: an empty list clears the filter.",
    Rule.PYTHON_VERSION: 'Write the whole version, in quotes, such as "3.13.4".',
    Rule.LOST_DIGITS: "Put the value in quotes, so that it stays as it is written.",
    Rule.DRIFT: "Write the Blueprint again: buildtools render blueprint --write render.yaml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BlueprintFinding:
    """One broken rule; ``line`` and ``column`` start at 1."""

    rule: Rule
    severity: Severity
    path: str
    evidence: str
    remedy: str
    line: int | None = None
    column: int | None = None

    def at(self, line: int, column: int) -> BlueprintFinding:
        """The same finding at a place."""
        return replace(self, line=line, column=column)

    @classmethod
    def at_node(
        cls,
        node: yaml.Node,
        rule: Rule,
        evidence: str,
        *,
        path: str,
        severity: Severity = Severity.ERROR,
    ) -> BlueprintFinding:
        """A finding at the place where a node begins."""
        mark = node.start_mark
        return cls(
            rule=rule,
            severity=severity,
            path=path,
            evidence=evidence,
            remedy=rule.remedy,
            line=mark.line + 1,
            column=mark.column + 1,
        )
