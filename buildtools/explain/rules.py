"""The rules under ``rules/``: what a text says, and what that means; read and checked.

A rule's patterns are regular expressions with two liberties: upper and lower case are one, and a
blank stands for any run of blanks. A pattern looks at one line, or with ``lines: N`` at that line
and the N after it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from buildtools.errors import CannotLookError
from buildtools.explain.anchors import anchors_of
from buildtools.findings import Cause

_KEYS = frozenset(
    {"id", "cause", "confidence", "source", "any", "where", "unless", "lines", "fading", "over"}
    | {"context", "alone", "explanation", "remedy", "commands"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One expression, and literals in lower case of which each match holds one; may be none."""

    expression: re.Pattern[str]
    anchors: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One way in which one cause shows itself.

    ``any``: one of them must match; ``triggers``: literals without all of which none can, empty
    when that is not known; ``where``: each of them must match somewhere in the text;
    ``unless``: none of them may. ``context``: when none of these stands anywhere in the text, the
    words may be about something else, and the confidence is ``alone``. ``fading``: a trouble that
    passes, over when the text ends well; ``over``: and as soon as one of these stands after it.
    ``remedy`` and ``commands``, where given, stand before those of the cause.
    """

    id: str
    cause: Cause
    confidence: float
    sources: tuple[str, ...]
    any: tuple[Pattern, ...]
    triggers: frozenset[str]
    where: tuple[Pattern, ...] = ()
    unless: tuple[Pattern, ...] = ()
    context: tuple[Pattern, ...] = ()
    alone: float = 0.0
    lines: int = 0
    fading: bool = False
    over: tuple[Pattern, ...] = ()
    explanation: str = ""
    remedy: str = ""
    commands: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def compile_pattern(text: str) -> Pattern:
    """A rule's expression compiled, and its anchors."""
    expression = re.compile(_with_blanks(text), re.IGNORECASE | re.MULTILINE)
    return Pattern(expression=expression, anchors=anchors_of(text))


def _with_blanks(text: str) -> str:
    """Each blank outside a set made "any run of blanks"; one with a quantifier keeps that."""
    made: list[str] = []
    inside = False
    for at, char in enumerate(text):
        escaped = at > 0 and text[at - 1] == "\\"
        if char == "[" and not escaped and not inside:
            inside = True
        elif char == "]" and not escaped:
            inside = False
        if char == " " and not inside:
            made.append(r"[ \t]" if text[at + 1 : at + 2] in {"?", "*", "+", "{"} else r"[ \t]+")
        else:
            made.append(char)
    return "".join(made)


@cache
def load_rules() -> tuple[Rule, ...]:
    """Every rule that ships with the package, in the files' order."""
    rules: list[Rule] = []
    for name in rule_files():
        contexts = load_data("contexts.yaml")
        rules += [_rule(entry, name, contexts) for entry in load_data(f"rules/{name}.yaml")]
    ids = [rule.id for rule in rules]
    for rule_id in ids:
        if ids.count(rule_id) > 1:
            raise CannotLookError(f"two rules are called {rule_id}", where="buildtools/explain")
    return tuple(rules)


def rule_files() -> tuple[str, ...]:
    """The names of the files of rules, without their ends, in the order of the alphabet."""
    folder = files("buildtools.explain").joinpath("rules")
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


@cache
def load_data(name: str) -> Any:
    """One YAML file of this package, parsed."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = files("buildtools.explain").joinpath(name).read_text(encoding="utf-8")
    return yaml.load(text, Loader=loader)  # noqa: S506 - one of the two safe loaders


def _rule(
    entry: Mapping[str, Any], name: str, contexts: Mapping[str, Sequence[str]] | None = None
) -> Rule:
    where = f"{name}.yaml, rule {entry.get('id', '?')}"
    strange = entry.keys() - _KEYS
    if strange:
        raise CannotLookError(f"a rule has the unknown key {min(strange)}", where=where)
    try:
        patterns = _patterns(entry["any"])
        return Rule(
            id=entry["id"],
            cause=Cause(entry["cause"]),
            confidence=float(entry["confidence"]),
            sources=_words(entry["source"]),
            any=patterns,
            triggers=_triggers(patterns),
            where=_patterns(entry.get("where", ())),
            unless=_patterns(entry.get("unless", ())),
            context=_context(entry.get("context", ()), contexts or {}),
            alone=float(entry.get("alone", 0.0)),
            lines=int(entry.get("lines", 0)),
            fading=bool(entry.get("fading", False)),
            over=_patterns(entry.get("over", ())),
            explanation=" ".join(str(entry.get("explanation", "")).split()),
            remedy=" ".join(str(entry.get("remedy", "")).split()),
            commands={key: _words(value) for key, value in entry.get("commands", {}).items()},
        )
    except (KeyError, ValueError, re.error) as error:
        raise CannotLookError("a rule is wrong", where=where, why=repr(error)) from error


def _context(value: Any, contexts: Mapping[str, Sequence[str]]) -> tuple[Pattern, ...]:
    """A rule's context: the name of one of contexts.yaml, or patterns of its own."""
    return _patterns(contexts.get(value, value) if isinstance(value, str) else value)


def _triggers(patterns: tuple[Pattern, ...]) -> frozenset[str]:
    if not all(pattern.anchors for pattern in patterns):
        return frozenset()
    return frozenset(anchor for pattern in patterns for anchor in pattern.anchors)


def _patterns(value: Any) -> tuple[Pattern, ...]:
    return tuple(compile_pattern(text) for text in _words(value))


def _words(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
