"""Damage for binaries: bits, integers that sit in fields, cuts, splices and repeats."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_BLOCK = 16
_ORDERS: tuple[Literal["little"], Literal["big"]] = ("little", "big")
_EDGES = (0, 1, 2, 3, 4, 7, 8, 16, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000,
          0xFFFFFFFF, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """A whole binary, and where in it something other than zeros stands."""

    name: str
    data: bytes
    blocks: tuple[int, ...]

    @classmethod
    def of(cls, name: str, data: bytes) -> Seed:
        blocks = [at for at in range(0, len(data), _BLOCK) if any(data[at : at + _BLOCK])]
        return cls(name=name, data=data, blocks=tuple(blocks))


def mutate(rng: random.Random, seeds: Sequence[Seed]) -> bytes:
    """One damaged file: a seed with one to eight mutations, most of them few."""
    seed = rng.choice(seeds)
    data = bytearray(seed.data)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4, 8))):
        if not data:
            break
        rng.choice(_MUTATIONS)(rng, data, seed, seeds)
    return bytes(data)


def _place(rng: random.Random, data: bytearray, seed: Seed) -> int:
    """A place that matters more often than not: headers and tables, not padding."""
    choice = rng.random()
    if choice < 0.3:
        return rng.randrange(min(len(data), 256))
    if choice < 0.9 and seed.blocks:
        return min(rng.choice(seed.blocks) + rng.randrange(_BLOCK), len(data) - 1)
    return rng.randrange(len(data))


def _flip(rng: random.Random, data: bytearray, seed: Seed, _: Sequence[Seed]) -> None:
    data[_place(rng, data, seed)] ^= 1 << rng.randrange(8)


def _byte(rng: random.Random, data: bytearray, seed: Seed, _: Sequence[Seed]) -> None:
    data[_place(rng, data, seed)] = rng.randrange(256)


def _integer(rng: random.Random, data: bytearray, seed: Seed, _: Sequence[Seed]) -> None:
    """An integer at the edge of something, where a field of its width may begin."""
    width = rng.choice((1, 2, 4, 4, 8, 8))
    at = _place(rng, data, seed) // width * width
    size = len(data)
    near = (size, size - 1, size + 1, size // 2, rng.randrange(size), at, rng.getrandbits(64))
    value = rng.choice((*_EDGES, *near)) & ((1 << 8 * width) - 1)
    data[at : at + width] = value.to_bytes(width, rng.choice(_ORDERS))


def _nudge(rng: random.Random, data: bytearray, seed: Seed, _: Sequence[Seed]) -> None:
    """A field that is off by little."""
    width = rng.choice((2, 4, 8))
    at = _place(rng, data, seed) // width * width
    order = rng.choice(_ORDERS)
    value = int.from_bytes(data[at : at + width], order) + rng.choice((-8, -1, 1, 8, 16, 4096))
    data[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, order)


def _cut(rng: random.Random, data: bytearray, seed: Seed, _: Sequence[Seed]) -> None:
    del data[_place(rng, data, seed) :]


def _remove(rng: random.Random, data: bytearray, seed: Seed, _: Sequence[Seed]) -> None:
    at = _place(rng, data, seed)
    del data[at : at + rng.choice((1, 4, 8, 64, 512))]


def _repeat(rng: random.Random, data: bytearray, seed: Seed, _: Sequence[Seed]) -> None:
    at, length = _place(rng, data, seed), rng.choice((8, 16, 24, 56, 256))
    data[at:at] = data[at : at + length] * rng.choice((1, 2, 16))


def _splice(rng: random.Random, data: bytearray, seed: Seed, seeds: Sequence[Seed]) -> None:
    other = rng.choice(seeds).data
    at, start = _place(rng, data, seed), rng.randrange(len(other))
    part = other[start : start + rng.choice((4, 16, 64, 512, 4096))]
    data[at : at + len(part)] = part


def _copy(rng: random.Random, data: bytearray, seed: Seed, _: Sequence[Seed]) -> None:
    """One table's row over another."""
    length = rng.choice((4, 8, 16, 24, 40, 56, 64))
    start, at = _place(rng, data, seed), _place(rng, data, seed)
    part = data[start : start + length]
    data[at : at + len(part)] = part


_MUTATIONS = (
    _flip, _flip, _byte, _integer, _integer, _integer, _nudge, _nudge, _cut, _remove, _repeat,
    _splice, _copy,
)  # fmt: skip
