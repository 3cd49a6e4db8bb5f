"""What a cache promises to the relay and to readers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol


class CacheKind(StrEnum):
    """Which cache is in force."""

    REDIS = "redis"
    MEMORY = "memory"


class CacheUnavailable(Exception):
    """The cache is away; nothing is known about what it holds afterwards."""


class EpochMoved(Exception):
    """The namespace has another epoch than the caller thinks: ask again, write nothing."""


class Entry(NamedTuple):
    """One value for one key: ``payload`` is JSON, as text or in UTF-8, empty for a tombstone.

    ``version`` is the row's, ``suffix`` the entity and the key as :func:`suffix` joins them.
    """

    suffix: str
    version: int
    payload: str | bytes
    ttl_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the cache holds for a key.

    ``epoch`` None: the cache must not be written to now. ``version`` None: a miss. ``payload`` ""
    with a version: the row was deleted.
    """

    epoch: str | None
    version: int | None = None
    payload: str = ""


def suffix(entity: str, key: str) -> str:
    """The part of a cache key that names the row; an entity's name has no colon."""
    return f"{entity}:{key}"


class Cache(Protocol):
    """A place for values by key, each with the version of the row that it was read from.

    Every method may raise :class:`CacheUnavailable`.
    """

    kind: CacheKind

    def epoch(self) -> str | None:
        """The namespace's epoch; None: it has to be raised before anything is written."""

    def raise_epoch(self, now: float, known: str | None) -> str:
        """Make all that is held unreachable in one step; not when ``known`` is passed already."""

    def get(self, suffix: str) -> Found:
        """What is held."""

    def put(self, entries: Sequence[Entry], epoch: str) -> int:
        """Set each entry unless a newer one is there; how many. Raises :class:`EpochMoved`."""

    def close(self) -> None:
        """Let go of connections."""
