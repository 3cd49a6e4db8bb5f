"""A text of any size in, the lines worth looking at out.

A log of many megabytes repeats itself: lines that differ in digits only are looked at once, and of
the rest only the lines that carry a word of failure are kept, with their neighbours. What is kept
is bounded, so memory does not grow with the log.
"""

from __future__ import annotations

import codecs
import heapq
import io
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO

from buildtools.explain.sieve import Sieve

CHUNK_BYTES = 1 << 20
WHOLE_BYTES = 192 << 10
"""Up to this size a text is kept whole."""
KEPT_BYTES = 96 << 10
"""Of a longer one, this much is kept from the front and as much from the end."""
BEST_BYTES = 48 << 10
"""And so much from between them: the lines with the most words of failure."""
LONGEST_LINE = 16 << 10
BEFORE, AFTER = 4, 8
"""Neighbours kept with a line of failure."""
EDGE_LINES = 150
"""First and last lines kept whatever they say: they tell the platform."""


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
    """The first lines, the last ones, and between them those that say most of a failure."""

    def __init__(self) -> None:
        self._front: list[RawLine] = []
        self._front_bytes = 0
        self._tail: deque[RawLine] = deque()
        self._tail_bytes = 0
        self._best: list[tuple[int, int, RawLine]] = []
        self._best_bytes = 0
        self._last = 0

    def add(self, line: RawLine, score: int) -> None:
        if line.number <= self._last:
            return
        self._last = line.number
        line = RawLine(number=line.number, data=line.data[:LONGEST_LINE])
        size = len(line.data)
        if self._front_bytes + size <= KEPT_BYTES:
            self._front.append(line)
            self._front_bytes += size
            return
        if score > 1:
            self._add_best(line, score)
        self._tail.append(line)
        self._tail_bytes += size
        while self._tail_bytes > KEPT_BYTES:
            self._tail_bytes -= len(self._tail.popleft().data)

    def _add_best(self, line: RawLine, score: int) -> None:
        heapq.heappush(self._best, (score, -line.number, line))
        self._best_bytes += len(line.data)
        while self._best_bytes > BEST_BYTES:
            self._best_bytes -= len(heapq.heappop(self._best)[2].data)

    def lines(self) -> tuple[RawLine, ...]:
        first = self._tail[0].number if self._tail else 0
        best = sorted((line for _, _, line in self._best), key=lambda line: line.number)
        return (*self._front, *(line for line in best if line.number < first), *self._tail)


def _sift(pieces: Iterator[bytes]) -> tuple[RawLine, ...]:
    kept = _Kept()
    sieve = Sieve()
    before: list[bytes] = []
    number, owed = 1, 0
    for block in _whole_lines(pieces):
        count = block.count(b"\n") + 1
        scores = sieve.failures(block)
        wanted, owed = _wanted(scores, owed, len(before), count)
        if number == 1:
            wanted.update(range(min(EDGE_LINES, count)))
        if wanted:
            lines = block.split(b"\n")
            for at in sorted(wanted):
                line = RawLine(number=number + at, data=lines[at] if at >= 0 else before[at])
                kept.add(line, scores.get(at, 0))
        number += count
        tail = block.rsplit(b"\n", EDGE_LINES)
        before = tail[1:] if len(tail) > EDGE_LINES else tail
    for at, data in enumerate(before, number - len(before)):
        kept.add(RawLine(number=at, data=data), 0)
    return kept.lines()


def _whole_lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The text in blocks that end with a line, without that line's end; a giant line is cut."""
    carry = b""
    for piece in pieces:
        block = carry + piece
        cut = block.rfind(b"\n")
        if cut < 0 and len(block) < (CHUNK_BYTES << 1):
            carry = block
            continue
        yield block[:cut] if cut >= 0 else block
        carry = block[cut + 1 :] if cut >= 0 else b""
    if carry:
        yield carry


def _wanted(failures: Iterable[int], owed: int, before: int, count: int) -> tuple[set[int], int]:
    """The positions to keep of one block of lines, and how many of the next block's are owed.

    Negative positions are lines of the block before, counted from its end.
    """
    wanted = set(range(min(owed, count)))
    left = owed - count
    for at in failures:
        wanted.update(range(max(at - BEFORE, -before), min(at + AFTER + 1, count)))
        left = max(left, at + AFTER + 1 - count)
    return wanted, max(left, 0)
