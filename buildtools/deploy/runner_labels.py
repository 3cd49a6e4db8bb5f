"""Reads workflows for runner labels that are gone, or soon will be; any repository's.

A job on a retired label waits for a runner that never comes, and is cancelled after a day. Source:
GitHub's workflow syntax (``runs-on``, ``strategy.matrix``) and its list of runner images.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import yaml

from buildtools.deploy.blueprint_reading import BlueprintUnreadable, composed, fields_of
from buildtools.deploy.matrix import Runner, RunnerState, load_runners
from buildtools.findings import Severity

FOLDER = ".github/workflows"
"""Where GitHub looks for them."""

_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_WORD = re.compile(r"[\w.-]+")


class LabelCause(StrEnum):
    """What ``matrix --check --json`` gives as ``cause``."""

    RETIRED = "runner-retired"
    DEPRECATED = "runner-deprecated"
    NOT_YAML = "workflow-not-yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFinding:
    """One label of a workflow; ``line`` and ``column`` start at 1."""

    cause: LabelCause
    severity: Severity
    path: str
    evidence: str
    remedy: str
    line: int
    column: int


def label_findings(text: str, path: str) -> tuple[LabelFinding, ...]:
    """The labels in one workflow that are retired (errors) or deprecated (warnings)."""
    try:
        root = composed(text)
    except BlueprintUnreadable as unreadable:
        return (
            LabelFinding(
                cause=LabelCause.NOT_YAML,
                severity=Severity.ERROR,
                path=path,
                evidence=unreadable.problem,
                remedy="Correct the YAML at this place.",
                line=unreadable.line,
                column=unreadable.column,
            ),
        )
    runners = load_runners()
    by_label = {runner.label: runner for runner in runners}
    found = dict.fromkeys(
        finding
        for node in _places(root)
        for label, column in _labels(node)
        if (finding := _finding(label, by_label, node, column, path)) is not None
    )
    return tuple(sorted(found, key=lambda one: (one.line, one.column)))


def _places(root: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    """The scalars that name runners: of ``runs-on``, of a matrix, and inputs' defaults."""
    if root is None:
        return
    top = fields_of(root)
    jobs = fields_of(top["jobs"][1]) if "jobs" in top else {}
    for _, job in jobs.values():
        fields = fields_of(job)
        if "runs-on" in fields:
            yield from _scalars(fields["runs-on"][1], set())
        if "strategy" in fields:
            yield from _scalars(fields["strategy"][1], set())
        if "with" in fields:  # a reusable workflow is told its runner so
            yield from _scalars(fields["with"][1], set())
    for _, event in fields_of(top["on"][1]).values() if "on" in top else ():
        yield from _inputs(event)


def _inputs(event: yaml.Node) -> Iterator[yaml.ScalarNode]:
    """What a workflow's inputs offer, and take where nothing is given."""
    inputs = fields_of(event).get("inputs")
    for _, given in fields_of(inputs[1]).values() if inputs else ():
        fields = fields_of(given)
        for name in ("default", "options"):
            if name in fields:
                yield from _scalars(fields[name][1], set())


def _scalars(node: yaml.Node, seen: set[int]) -> Iterator[yaml.ScalarNode]:
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _scalars(item, seen)
    elif isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            yield from _scalars(value, seen)


def _labels(node: yaml.ScalarNode) -> Iterator[tuple[str, int]]:
    """The labels in a scalar, each with its column's offset; in an expression what is quoted."""
    text = node.value
    quoted = 1 if node.style in {"'", '"'} else 0
    if "${{" not in text:
        yield text.strip(), 0
        return
    for match in _QUOTED.finditer(text):
        inner = match.start() + 1
        for word in _WORD.finditer(match[1] if match[1] is not None else match[2]):
            offset = inner + word.start() + quoted if node.style not in {"|", ">"} else 0
            yield word[0], offset


def _finding(
    label: str, by_label: Mapping[str, Runner], node: yaml.Node, offset: int, path: str
) -> LabelFinding | None:
    runner = by_label.get(label.lower())
    if runner is None or runner.state not in {RunnerState.RETIRED, RunnerState.DEPRECATED}:
        return None
    retired = runner.state is RunnerState.RETIRED
    instead = [
        one.label
        for one in by_label.values()
        if (one.os, one.arch) == (runner.os, runner.arch) and one.state is RunnerState.CURRENT
    ]
    words = "is gone: the job waits for it and is cancelled" if retired else "is deprecated"
    return LabelFinding(
        cause=LabelCause.RETIRED if retired else LabelCause.DEPRECATED,
        severity=Severity.ERROR if retired else Severity.WARNING,
        path=path,
        evidence=f"{label} {words}",
        remedy=f"Use {' or '.join(instead[:3])}.",
        line=node.start_mark.line + 1,
        column=node.start_mark.column + 1 + offset,
    )
