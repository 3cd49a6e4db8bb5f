"""The one matcher: rules and a text in, matches out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from buildtools.explain.document import Document
from buildtools.explain.rules import Pattern, Rule
from buildtools.findings import Cause

HITS_LOOKED_AT = 200
"""Places of one anchor that are tried."""
_REACH = 1500
"""Characters before and after an anchor that are looked at: a line may be a megabyte of JSON."""
_FLOWED_LINES = 3
_FLOWED_TRUST = 0.93
"""What is left of the confidence when a match needed the line ends taken out."""

_SUCCESS = re.compile(
    r"^.*(?:Successfully installed |Successfully built [0-9a-f]{8}|Installed \d+ packages? in "
    r"|added \d+ packages|Resetting the last seen epoch|Consumer has joined the group"
    r"|Successfully joined group|Finished assignment for group)",
    re.MULTILINE,
)
"""Words after which a trouble that passes has passed (pip, uv, docker, npm, Kafka's clients)."""
_INSTALLED = re.compile(
    r"Successfully installed (?P<names>.+)|Installed \d+ packages? in |\badded \d+ packages?\b"
    r"|Successfully tagged |naming to \S+ .*done|Your service is live|Build successful"
    r"|Verifying deploy\.* done|Installing the current project: "
    r"|No dependencies to install or update"
    r"|(?:^|\W)Done in \d[\d.]*m?s\b|All dependencies are now up-to-date|Bundle complete!"
    r"|Executing transaction: .*\bdone|\bFinished .{1,40} target\(s\) in "
)
"""How pip, uv, poetry, pipenv, conda, npm, yarn, pnpm, cargo, docker and hosts say: all done."""
_TOOLS = re.compile(r"\s*(?:(?:pip|setuptools|wheel|uv|poetry|pipenv|virtualenv)-[\w.+!]+\s*)+$")
"""Nothing but the tools that install: renewing them is no sign that the install went well."""
_AFTERWORDS = re.compile(
    r"\s*$|\s*\+ \S+==|.*(?:WARNING: |DEPRECATION: |\[notice\]|You are using pip)"
    r"|.*You should consider|.*(?:found 0 vulnerabilities|are looking for funding|run `?npm fund)"
    r"|#\d+ (?:DONE|exporting|sha256|writing|unpacking|CACHED)|#\d+ \.\.\.|Removing intermediate"
    r"|\s*--->|==>\s*$|\$\s*$"
)
"""What may still be said once everything was done."""
_OF_AN_INSTALL = frozenset(
    {
        Cause.MISSING_COMPILER,
        Cause.MISSING_PKG_CONFIG,
        Cause.MISSING_MYSQL_CONFIG,
        Cause.MISSING_CLIENT_HEADERS,
        Cause.MISSING_PYTHON_HEADERS,
        Cause.MISSING_LINK_LIBRARY,
        Cause.NO_MATCHING_DISTRIBUTION,
        Cause.UNSUPPORTED_WHEEL,
        Cause.BUILD_BACKEND_TOO_OLD,
        Cause.MISSING_DISTUTILS,
        Cause.HASH_MISMATCH,
        Cause.INDEX_UNREACHABLE,
        Cause.EXTERNALLY_MANAGED,
    }
)
"""What ends an install; where that went well after all, by a retry or another way, it is over."""
_DOUBTED = 0.5
_TYPED = re.compile(
    r"^(?:[^\n]{0,60}(?:[$%\u276f\u279c]|@[^\s#]{1,60}#|[A-Z]:\\[^\n>]{0,80}>)|>) ?(?:sudo )?"
    r"(?:pip3?|python3?|uv|poetry|pipenv|conda|apt(?:-get)?|apk|dnf|yum|brew|npm|yarn|pnpm|docker|export)\b",
    re.MULTILINE,
)
"""A command at a prompt: what went well after it went well because somebody did something."""
_STEP = re.compile(r"#(\d+) +\d+\.\d+ ")
_TAIL = 4000
"""Characters at a text's end that tell how it went."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One rule that holds.

    ``lines`` are indices into the document's lines, first the one that decided; ``named`` what
    the pattern's named groups took.
    """

    rule: Rule
    confidence: float
    document: Document
    lines: tuple[int, ...]
    named: Mapping[str, str]

    @property
    def first(self) -> int:
        """The number of the deciding line in the original text."""
        return self.document.numbers[self.lines[0]]


def match_rules(rules: Iterable[Rule], documents: Sequence[Document]) -> tuple[Match, ...]:
    """Every rule that holds in the text."""
    known = tuple(rules)
    anchors = {anchor for rule in known for anchor in rule.triggers}
    present = {a for a in anchors if any(a in document.lower for document in documents)}
    likely = (r for r in known if not (r.triggers and r.triggers.isdisjoint(present)))
    return tuple(match for rule in likely if (match := _match(rule, documents)) is not None)


def _match(rule: Rule, documents: Sequence[Document]) -> Match | None:
    for document in documents:
        found = _any(rule, document)
        if found is None:
            continue
        if not all(_anywhere(pattern, documents) for pattern in rule.where):
            return None
        if any(_anywhere(pattern, documents) for pattern in rule.unless):
            return None
        if _has_passed(rule, document, found):
            return None
        confidence = rule.confidence
        if rule.context and not any(_anywhere(pattern, documents) for pattern in rule.context):
            confidence = rule.alone
        if rule.cause in _OF_AN_INSTALL:
            confidence = min(confidence, _left_of_it(document, found))
            if not confidence:
                return None
        trust = _FLOWED_TRUST if document.flowed else 1.0
        first, last = document.line_at(found.start()), document.line_at(max(found.end() - 1, 0))
        named = {key: value.strip() for key, value in found.groupdict().items() if value}
        return Match(
            rule=rule,
            confidence=confidence * trust,
            document=document,
            lines=tuple(range(first, min(last, first + 3) + 1)),
            named=named,
        )
    return None


def _has_passed(rule: Rule, document: Document, found: re.Match[str]) -> bool:
    """Whether the text ends well, or goes on, after it says so last, as if it had been well."""
    if rule.fading and _SUCCESS.search(document.text, found.end()):
        return True
    if not rule.over:
        return False
    last = max(again.end() for p in rule.any for again in search(p, document, rule.lines))
    return any(p.expression.search(document.text, last) for p in rule.over)


def _left_of_it(document: Document, found: re.Match[str]) -> float:
    """How sure an install's failure may still be: 0 when the text shows that it was got over."""
    installed = _ends_well(document)
    if installed is None:
        return 0.0 if _mended(document, found) else 1.0
    wanted = found.groupdict().get("requirement") or ""
    name = re.split(r"[\[=<>!~;]", wanted.strip("'\""))[0].lower().replace("_", "-")
    other = (
        bool(name and installed) and f" {name}-" not in f" {installed.lower().replace('_', '-')}"
    )
    return _DOUBTED if other or _TYPED.search(document.text, found.end()) else 0.0


def _ends_well(document: Document) -> str | None:
    """What a text says at its end that was installed, by whatever way; None when it does not."""
    for line in reversed(document.text[-_TAIL:].splitlines()):
        if installed := _INSTALLED.search(line):
            names = installed["names"] or ""
            return None if _TOOLS.match(names) else names
        if not _AFTERWORDS.match(line):
            return None
    return None


def _mended(document: Document, found: re.Match[str]) -> bool:
    """Whether the step of a Docker build that said so went on, and was done in the end."""
    step = _STEP.match(document.shown[document.line_at(found.start())])
    if step is None:
        return False
    done = f"#{step[1]} DONE"
    return any(line.startswith(done) for line in document.shown[document.line_at(found.end()) :])


def _any(rule: Rule, document: Document) -> re.Match[str] | None:
    """The earliest match of a rule's patterns; named groups decide between equals."""
    best: re.Match[str] | None = None
    for pattern in rule.any:
        for found in search(pattern, document, rule.lines):
            if best is None or found.start() < best.start():
                best = found
            break
    return best


def _anywhere(pattern: Pattern, documents: Sequence[Document]) -> bool:
    return any(True for document in documents for _ in search(pattern, document))


def search(pattern: Pattern, document: Document, more: int = 0) -> Iterator[re.Match[str]]:
    """The matches of one pattern: on one line and ``more`` after it.

    In a document whose line ends were taken out a match must run over a line's end, and not far.
    """
    if not pattern.anchors:
        yield from _plain(pattern, document, 0, len(document.text))
        return
    for start, end in _windows(pattern, document, more):
        yield from _plain(pattern, document, start, end)


def _windows(pattern: Pattern, document: Document, more: int) -> list[tuple[int, int]]:
    """Where to try a pattern, in the text's order: around each of its anchors' places."""
    found: set[tuple[int, int]] = set()
    for anchor in pattern.anchors:
        at = document.lower.find(anchor)
        tried = 0
        while at >= 0 and tried < HITS_LOOKED_AT:
            tried += 1
            first, end = _window(document, at, more)
            found.add((max(first, at - _REACH), min(end, at + _REACH)))
            at = document.lower.find(anchor, max(end, at + 1))
    return sorted(found)


def _window(document: Document, at: int, more: int) -> tuple[int, int]:
    if document.flowed:
        line = document.line_at(at)
        first = max(line - _FLOWED_LINES + 1, 0)
        return document.starts[first], document.line_span(at, _FLOWED_LINES - 1)[1]
    if not more:
        return document.line_span(at)
    line = max(document.line_at(at) - more, 0)
    return document.starts[line], document.line_span(at, more)[1]


def _plain(pattern: Pattern, document: Document, start: int, end: int) -> Iterator[re.Match[str]]:
    for found in pattern.expression.finditer(document.text, start, end):
        if document.flowed:
            lines = document.line_at(max(found.end() - 1, 0)) - document.line_at(found.start())
            if not 0 < lines < _FLOWED_LINES:
                continue
        yield found
