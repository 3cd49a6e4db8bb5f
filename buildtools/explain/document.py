"""Lines made comparable: without colour, with one kind of quote, in English, and unwrapped."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from buildtools.explain.reading import RawLine
from buildtools.explain.wording import comparable, printable, unescaped

_PREFIX = re.compile(
    r"""(?x) ^ (?:
      \s+ | [>│|]\s? | ╰─>\s? | \xd7\s
    | \#\d+\s+\d+\.\d+\s            # BuildKit: step and seconds
    | \#\d+\s
    | \d+\.\d{2,}\s                 # BuildKit's summary: seconds
    | [\w.-]{1,60}\s+\|\s           # compose: service
    | remote:\s                     # Heroku, through git
    | npm\s(?:ERR!|error|warn|WARN)\s | gyp\s(?:ERR!|info|verb)\s
    | [^\t]{1,60}\t[^\t]{1,60}\t(?=\d{4}-\d\d-\d\dT)  # gh run view --log: job and step
    | \[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]?:?\s
    | (?:stdout|stderr)\s[FP]\s      # Kubernetes: stream
    | [A-Z][a-z]{2}\s+\d{1,2}\s\d\d:\d\d:\d\d(?:\s[AP]M)?\s+(?:[\w.-]+\s(?=[\w.-]+\[))?
    | [\w.-]{1,40}\[[\w.-]{1,20}\]:\s  # journald, Heroku: unit
    | (?:\[[\w.@: -]{1,40}\]\s)?(?:DEBUG|INFO|WARN(?:ING)?|ERROR|FATAL|CRITICAL)
      \s+[\w.$]{1,80}\s-\s           # a program's log: thread, level, logger
    | \#\#\[\w+\] | ::error[^:]*::
    | ==>\s | ----->\s
    )"""
)
"""What stands before a line and is not part of it."""

WRAP_WIDTH = 60
_TERMINALS = frozenset({72, 76, 78, 79, 80, 100, 120, 132})
"""Widths that one longest line is enough to betray."""
_FLOW_LIMIT = 256 << 10
_MARKS = 4
"""So many may stand before a line: a quote's, a job's, a time's, a stream's."""


@dataclass(frozen=True, slots=True)
class Document:
    """A text to search, its lower-case twin of the same length, and where its lines begin.

    ``numbers`` are the lines' numbers in the original; ``shown`` their words without colour.
    ``flowed`` says that line ends were taken out.
    """

    text: str
    lower: str
    starts: Sequence[int]
    numbers: Sequence[int]
    shown: Sequence[str]
    flowed: bool

    def line_at(self, offset: int) -> int:
        """The index of the line that holds the character at ``offset``."""
        return bisect_right(self.starts, offset) - 1

    def line_span(self, offset: int, more: int = 0) -> tuple[int, int]:
        """Where the line around ``offset`` begins and ends, with ``more`` lines after it."""
        at = self.line_at(offset)
        end = at + 1 + more
        return self.starts[at], self.starts[end] if end < len(self.starts) else len(self.text)


def documents(lines: Sequence[RawLine]) -> tuple[Document, ...]:
    """The text line by line; then, if it is not too long, with its wrapping undone."""
    shown: list[str] = []
    numbers: list[int] = []
    for line in lines:
        for seen in printable(line.data.decode(errors="replace")):
            for part in unescaped(seen):
                shown.append(part)
                numbers.append(line.number)
    plain = comparable(shown)
    made = [_document(plain, numbers, shown, "\n")]
    if len(made[0].text) <= _FLOW_LIMIT and len(plain) > 1:
        made.append(_document(*_unwrapped(plain, numbers, shown)))
        unmarked = plain
        for _ in range(_MARKS):
            marked, unmarked = unmarked, _without_mark(unmarked)
            if unmarked == marked:
                break
            whole = _unwrapped(unmarked, numbers, shown)
            if len(whole[0]) < len(plain):
                made.append(_document(*whole))
        if unmarked != plain:
            made.append(_document(unmarked, numbers, shown, "\n"))
        stripped = [_without_prefix(part) for part in plain]
        made.append(_document(stripped, numbers, shown, " "))
    return tuple(made)


def _without_prefix(text: str) -> str:
    for _ in range(6):
        shorter = _PREFIX.sub("", text, count=1)
        if shorter == text:
            break
        text = shorter
    return text.rstrip()


def _without_mark(plain: list[str]) -> list[str]:
    """Lines without the first that a log puts before each, but with their own indent.

    What a collector wraps at a fixed width and then marks is of one width without the marks only.
    """
    cut: list[str | None] = []
    for text in plain:
        bare = text.lstrip()
        found = _PREFIX.match(bare)
        cut.append(bare[found.end() :] if found else None)
    indents = [len(text) - len(text.lstrip()) for text in cut if text and text.strip()]
    indent = min(indents, default=0)
    return [
        whole if text is None else text[indent:] for whole, text in zip(plain, cut, strict=True)
    ]


def _unwrapped(
    plain: list[str], numbers: list[int], shown: list[str]
) -> tuple[list[str], list[int], list[str], str]:
    """Lines cut at a fixed width put together again, as a terminal's copy cuts them."""
    width = max(map(len, plain))
    full = sum(len(line) == width for line in plain)
    if width < WRAP_WIDTH or (full == 1 and width not in _TERMINALS):
        return plain, numbers, shown, "\n"
    joined: list[str] = []
    kept: list[int] = []
    texts: list[str] = []
    going_on = False
    glue = ""
    for line, number, text in zip(plain, numbers, shown, strict=True):
        if going_on:
            joined[-1] += glue + line
            texts[-1] += glue + text
        else:
            joined.append(line)
            kept.append(number)
            texts.append(text)
        # A blank at the cut is gone with the other blanks at a line's end.
        going_on = len(line) >= width - 1
        glue = " " * (width - len(line))
    return joined, kept, texts, "\n"


def _document(
    plain: Sequence[str], numbers: Sequence[int], shown: Sequence[str], glue: str
) -> Document:
    starts = []
    at = 0
    for line in plain:
        starts.append(at)
        at += len(line) + len(glue)
    text = glue.join(plain)
    lower = text.lower()
    if len(lower) != len(text):
        # A character whose lower case is longer: none of ours, and it would shift every offset.
        text = text.encode("ascii", "replace").decode()
        lower = text.lower()
    return Document(text, lower, starts, numbers, shown, glue == " ")
