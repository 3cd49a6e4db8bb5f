"""A text of any size in, the lines worth looking at out.

A log of many megabytes repeats itself: lines that differ in digits only are looked at once, and of
the rest only the lines that carry a word of failure are kept, with their neighbours. What is kept
is bounded, so memory does not grow with the log.
"""

from __future__ import annotations

import codecs
import io
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

CHUNK_BYTES = 1 << 20
WHOLE_BYTES = 1 << 20
"""Up to this size a text is kept whole."""
KEPT_BYTES = 512 << 10
"""Of a longer one, this much is kept from the front and as much from the end."""
LONGEST_LINE = 16 << 10
BEFORE, AFTER = 4, 8
"""Neighbours kept with a line of failure."""
EDGE_LINES = 150
"""First and last lines kept whatever they say: they tell the platform."""
_REMEMBERED = 60_000

_HINTS = tuple(
    word.encode()
    for word in (
        "rror",
        "RROR",
        "ailed",
        "FAIL",
        "annot",
        "an't",
        "not found",
        "No such",
        "no such",
        "Could not",
        "could not",
        "o module",
        "atal",
        "FATAL",
        "xception",
        "illed",
        "efused",
        "undefined",
        "Unable",
        "No space",
        "NoBrokers",
        "NOAUTH",
        "WRONGPASS",
        "LEADER",
        "COORDINATOR",
        "required",
        "requires",
        "not available",
        "unavailable",
        "mismatch",
        "MISMATCH",
        "not match",
        "incompatible",
        "invalid",
        "not supported",
        "unsupported",
        "emory",
        "isconnected",
        "Retrying",
        "xternally",
        "out of",
        "Failed",
        "invalid ELF",
        "SIGKILL",
    )
)
"""A line of failure has one of these in it; ``tests/unit/explain`` holds every rule to that."""

_SAME = b"0123456789abcdef"
"""Bytes in which two lines may differ and still say the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawLine:
    """A line as it came, without its end, and its number from 1."""

    number: int
    data: bytes


def read_lines(source: str | bytes | IO[bytes] | IO[str]) -> tuple[RawLine, ...]:
    """The lines of a text that matter, in their order; all of them when the text is small."""
    pieces = _pieces(source)
    head = bytearray()
    for piece in pieces:
        head += piece
        if len(head) > WHOLE_BYTES:
            return _sift(_chained(bytes(head), pieces))
    return tuple(
        RawLine(number=number, data=line[:LONGEST_LINE])
        for number, line in enumerate(bytes(head).split(b"\n"), 1)
    )


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    for start in range(0, len(first), CHUNK_BYTES):
        yield first[start : start + CHUNK_BYTES]
    yield from rest


def _pieces(source: str | bytes | IO[bytes] | IO[str]) -> Iterator[bytes]:
    """The text as UTF-8 in pieces; a byte-order mark of UTF-16 is understood."""
    if isinstance(source, str):
        for start in range(0, len(source), CHUNK_BYTES):
            yield source[start : start + CHUNK_BYTES].encode(errors="replace")
        return
    stream: IO[bytes] | IO[str] = io.BytesIO(source) if isinstance(source, bytes) else source
    decoder: codecs.IncrementalDecoder | None = None
    first = True
    while piece := stream.read(CHUNK_BYTES):
        if isinstance(piece, str):
            yield piece.encode(errors="replace")
            continue
        if first and piece.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            decoder = codecs.getincrementaldecoder("utf-16")(errors="replace")
        first = False
        yield decoder.decode(piece).encode(errors="replace") if decoder else piece


class _Kept:
    """What is kept of a long text: the front, and a tail that forgets."""

    def __init__(self) -> None:
        self._front: list[RawLine] = []
        self._front_bytes = 0
        self._tail: deque[RawLine] = deque()
        self._tail_bytes = 0
        self._last = 0

    def add(self, line: RawLine) -> None:
        if line.number <= self._last:
            return
        self._last = line.number
        size = len(line.data)
        if self._front_bytes + size <= KEPT_BYTES:
            self._front.append(line)
            self._front_bytes += size
            return
        self._tail.append(line)
        self._tail_bytes += size
        while self._tail_bytes > KEPT_BYTES:
            self._tail_bytes -= len(self._tail.popleft().data)

    def lines(self) -> tuple[RawLine, ...]:
        return (*self._front, *self._tail)


def _sift(pieces: Iterator[bytes]) -> tuple[RawLine, ...]:
    kept = _Kept()
    seen: set[bytes] = set()
    carry = b""
    number = 1
    owed = 0
    lines: list[bytes] = []
    before: list[bytes] = []
    for piece in pieces:
        block = carry + piece
        cut = block.rfind(b"\n") + 1
        if not cut and len(block) < (CHUNK_BYTES << 1):
            carry = block
            continue
        cut = cut or len(block)
        block, carry = block[:cut], block[cut:]
        lines = block.split(b"\n")
        if block.endswith(b"\n"):
            lines.pop()
        owed = _take(kept, seen, before, lines, number, owed)
        number += len(lines)
        before = lines[-EDGE_LINES:]
    ending = [*before, *([carry] if carry else [])]
    start = number - len(before)
    for offset, data in enumerate(ending[-EDGE_LINES:], len(ending) - len(ending[-EDGE_LINES:])):
        kept.add(RawLine(number=start + offset, data=data[:LONGEST_LINE]))
    return kept.lines()


def _take(
    kept: _Kept, seen: set[bytes], before: list[bytes], lines: list[bytes], number: int, owed: int
) -> int:
    """Keep what matters of one block of lines; gives how many of the next block's are owed."""
    wanted = set(range(min(owed, len(lines))))
    if number == 1:
        wanted.update(range(min(EDGE_LINES, len(lines))))
    left = owed - len(lines)
    for at in _failures(seen, lines):
        wanted.update(range(max(at - BEFORE, -len(before)), min(at + AFTER + 1, len(lines))))
        left = max(left, at + AFTER + 1 - len(lines))
    for at in sorted(wanted):
        data = lines[at] if at >= 0 else before[at]
        kept.add(RawLine(number=number + at, data=data[:LONGEST_LINE]))
    return max(left, 0)


def _failures(seen: set[bytes], lines: list[bytes]) -> list[int]:
    """Positions of the lines of failure whose like was not seen before."""
    keys = b"\n".join(lines).translate(None, _SAME).split(b"\n")
    positions = dict(zip(reversed(keys), range(len(keys) - 1, -1, -1), strict=True))
    fresh = sorted(positions[key] for key in positions.keys() - seen)
    if len(seen) < _REMEMBERED:
        seen.update(positions)
    joined = b"\n".join(lines[at] for at in fresh)
    if not joined:
        return []
    found: set[int] = set()
    for hint in _HINTS:
        if hint in joined:
            found.update(at for at in fresh if at not in found and hint in lines[at])
    return sorted(found)
