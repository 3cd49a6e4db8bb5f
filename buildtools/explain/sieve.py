"""Which lines of a long text may name a failure: the few that are then read with care.

The work for one block is bounded, whatever it holds. Where lines repeat each other, one of each
kind is searched; where they do not, the block is searched as it is. Each word of failure costs one
search; rare ones are looked at wherever they stand, of frequent ones a sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

_COMMON = tuple(
    word.encode()
    for word in (
        "not", "No ", "rror", "xception", "ailed", "onnect", "nable", "ndefined", "illed", "ERR",
    )
)  # fmt: skip
_WORDS = (
    *_COMMON,
    *(
        word.encode()
        for word in (
            "NO", "n't", "equire", "match", "nvalid", "eader", "oordinator", "patible", "emory",
            "space", "esolve", "ersion", "atal",
        )
    ),
)  # fmt: skip
"""A line that names a cause has one of these in it, nearly always one of the common ones. Only
those are searched for where no two lines are alike, since each costs one search of everything."""

_MANY = 400
"""So many lines of one block may hold a word; one that more of them hold tells little there."""
_SAMPLE = 40
_QUOTA = 300
"""Lines unlike each other that a frequent word may bring from a whole text."""
_LOOKED_AT = 64 << 10
_REMEMBERED = 100_000
_LONGEST_KEY = 400
_SAME = b"0123456789abcdef"
"""Bytes in which two lines may differ and still say the same."""


class Sieve:
    """Finds the lines of a text's blocks that may name a failure, each of its kind once."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._taken = dict.fromkeys(_WORDS, 0)

    def failures(self, block: bytes) -> Mapping[int, int]:
        """A block's lines that hold words of failure and whose like is new, and how many each."""
        if not _repeats(block):
            starts = self._fresh(block, self._scores(block, _COMMON))
            return _by_line(block, starts)
        lines = block.split(b"\n")
        places = self._new_kinds(block)
        joined = b"\n".join([lines[at] for at in places])
        found = _by_line(joined, self._scores(joined, _WORDS))
        return {places[at]: score for at, score in found.items()}

    def _new_kinds(self, block: bytes) -> list[int]:
        """The first line of each kind that was not seen before."""
        keys = list(map(hash, block.translate(None, _SAME).split(b"\n")))
        fresh = set(keys) - self._seen
        if not fresh:
            return []
        if len(self._seen) < _REMEMBERED:
            self._seen |= fresh
        firsts: dict[int, int] = {}
        for at, key in enumerate(keys):
            if key in fresh:
                firsts.setdefault(key, at)
        return list(firsts.values())

    def _scores(self, block: bytes, words: tuple[bytes, ...]) -> Counter[int]:
        """How many words of failure each line holds, by where the line begins."""
        counted = sorted((count, word) for word in words if (count := block.count(word)))
        scores: Counter[int] = Counter()
        budget = _MANY
        for count, word in counted:
            rare = count <= budget
            if not rare and self._taken[word] >= _QUOTA:
                continue
            starts = list(_starts(block, word, count if rare else _SAMPLE))
            if not rare:
                self._taken[word] += len(starts)
            budget = max(budget - count, _SAMPLE)
            scores.update(starts)
        return scores

    def _fresh(self, block: bytes, scores: Counter[int]) -> Counter[int]:
        kept: Counter[int] = Counter()
        for start, score in scores.items():
            end = block.find(b"\n", start)
            line = block[start : min(end if end >= 0 else len(block), start + _LONGEST_KEY)]
            key = hash(line.translate(None, _SAME))
            if key in self._seen:
                continue
            if len(self._seen) < _REMEMBERED:
                self._seen.add(key)
            kept[start] = score
        return kept


def _repeats(block: bytes) -> bool:
    """Whether most lines at the block's beginning are like another one of them."""
    keys = block[:_LOOKED_AT].translate(None, _SAME).split(b"\n")
    return len(set(keys)) * 2 < len(keys)


def _starts(block: bytes, word: bytes, most: int) -> Iterator[int]:
    """Where the lines begin that hold a word, each once, at most so many."""
    at = block.find(word)
    while at >= 0 and most > 0:
        yield block.rfind(b"\n", 0, at) + 1
        most -= 1
        end = block.find(b"\n", at)
        at = block.find(word, end) if end >= 0 else -1


def _by_line(block: bytes, scores: Counter[int]) -> dict[int, int]:
    """The scores by the line's position instead of where it begins."""
    found: dict[int, int] = {}
    at = number = 0
    for start in sorted(scores):
        number += block.count(b"\n", at, start)
        at = start
        found[number] = scores[start]
    return found
