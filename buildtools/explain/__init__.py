"""Text in, cause out: reads what a user saw and names the root of it and the way out.

:func:`explain` takes a text of any size; :func:`explain_failure` is the same for the output of a
build that this tool has run itself.
"""

from __future__ import annotations

from typing import IO

from buildtools.explain.document import documents
from buildtools.explain.explanation import Evidence, Explanation
from buildtools.explain.matcher import Match, match_rules
from buildtools.explain.platforms import place_of
from buildtools.explain.ranking import LEAST, rank, sureness
from buildtools.explain.reading import read_lines
from buildtools.explain.remedies import remedy_for
from buildtools.explain.rules import load_rules
from buildtools.findings import Cause
from buildtools.processes import redact

__all__ = ["Evidence", "Explanation", "explain", "explain_failure"]

EVIDENCE_LINES = 6
_LONGEST_EVIDENCE = 400
_ALSO_LEAST = 0.4
_NOTHING = "No known sign of a failing driver, build or service is in this text."


def explain(source: str | bytes | IO[bytes] | IO[str]) -> Explanation:
    """The root cause that a text shows, or ``unknown``.

    ``source`` is the text, or a stream that is read once, in pieces; lines are numbered from 1.
    Never raises for what the text holds.
    """
    seen = documents(read_lines(source))
    matches = match_rules(load_rules(), seen)
    ranked = [match for match in rank(matches) if match.confidence >= LEAST]
    if not ranked:
        return Explanation(cause=Cause.UNKNOWN, confidence=0.0, explanation=_NOTHING)
    return _explanation(ranked, seen[0].text)


def explain_failure(log_text: str) -> Explanation:
    """Why a build or install of our own failed, from its output."""
    return explain(log_text)


def _explanation(ranked: list[Match], text: str) -> Explanation:
    first = ranked[0]
    remedy, commands = remedy_for(first, text, place_of(text))
    also = [match.rule.cause for match in ranked[1:] if match.confidence >= _ALSO_LEAST]
    return Explanation(
        cause=first.rule.cause,
        confidence=round(sureness(ranked), 2),
        evidence=_evidence(ranked),
        explanation=_worded(first),
        remedy=remedy,
        commands=commands,
        also=tuple(cause for cause in also if cause is not Cause.UNKNOWN),
        rule=first.rule.id,
    )


def _worded(match: Match) -> str:
    """The rule's explanation with what the pattern took filled in."""
    words = {name: match.named.get(name) or match.named.get(f"{name}2") or "" for name in _NAMES}
    text = match.rule.explanation
    for name, word in words.items():
        text = text.replace(f"{{{name}}}", word or _STANDING_IN.get(name, ""))
    return text.replace(" ()", "").replace(" .", ".").replace("  ", " ")


_NAMES = (
    "path", "library", "symbol", "need", "found", "module", "package", "tool", "header", "plugin",
    "host", "id", "requirement", "wheel", "backend", "why", "word", "name", "arch",
)  # fmt: skip
"""What a pattern's groups may be called."""

_STANDING_IN = {
    "tool": "the tool it needs",
    "library": "it names",
    "need": "a newer version",
    "symbol": "what it asks for",
    "requirement": "this requirement",
    "package": "such package",
    "module": "it",
    "header": "",
    "host": "see the evidence",
}


def _evidence(ranked: list[Match]) -> tuple[Evidence, ...]:
    """The lines that decided, then one line of each other cause, each line once."""
    found: dict[int, str] = {}
    for position, match in enumerate(ranked):
        indices = match.lines if position == 0 else match.lines[:1]
        for index in indices:
            text = redact(match.document.shown[index].strip())
            if text and len(found) < EVIDENCE_LINES:
                found.setdefault(match.document.numbers[index], text[:_LONGEST_EVIDENCE])
    return tuple(Evidence(line=line, text=text) for line, text in found.items())
