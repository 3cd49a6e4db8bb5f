"""What a committed batch left behind goes out: cache intents to the cache, dead letters to a topic.

Both are rows written in the batch's own transaction, so nothing is forgotten by a crash between
the commit and the telling; both may be told twice, which the cache's versions and the dead letter's
headers make harmless.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from database_consumer.cache.base import Cache, CacheUnavailable, Entry, EpochMoved, suffix
from database_consumer.logs import logger
from database_consumer.stores.base import CacheIntent, DeadLetter, Store
from database_consumer.stores.written import WrittenRows

INTENTS = 2_000
LETTERS = 200
EPOCH_AFTER = 20.0
"""Seconds that the cache must have been away before the epoch is raised on its return."""
DROP_MARGIN = 120.0
"""Seconds that an intent must be older than the raise to be dropped: longer than a transaction."""
CACHE_PAUSE = 1.0
LETTER_PAUSE = 5.0

_log = logger("relay")


class Letters(Protocol):
    """Where dead letters are published."""

    def publish(self, letters: Sequence[DeadLetter]) -> Sequence[int]:
        """Publish and wait for the delivery reports; the ids that the topic has."""

    def close(self) -> None:
        """Let go of the producer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheView:
    """What is known of the cache: ``away_since`` is None while it answers."""

    kind: str
    epoch: str | None = None
    away_since: float | None = None
    reason: str = ""
    written: int = 0
    raised: int = 0

    @property
    def healthy(self) -> bool:
        """Whether the last call succeeded."""
        return self.away_since is None


class CacheRelay:
    """Tells the cache what changed; ``step`` never raises for a cache that is away."""

    def __init__(
        self,
        cache: Cache,
        *,
        ttl_seconds: int,
        tombstone_seconds: int,
        written: WrittenRows | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cache = cache
        self._known = written
        self._ttl = ttl_seconds
        self._tombstone_ttl = tombstone_seconds
        self._clock = clock
        self._epoch: str | None = None
        self._away_since: float | None = None
        self._reason = ""
        self._retry_at = 0.0
        self._drop_before: float | None = None
        self._written = 0
        self._raised = 0

    @property
    def view(self) -> CacheView:
        """The cache as it is known now."""
        return CacheView(
            kind=self._cache.kind,
            epoch=self._epoch,
            away_since=self._away_since,
            reason=self._reason,
            written=self._written,
            raised=self._raised,
        )

    def step(self, store: Store) -> int:
        """Write one round of intents; how many. Raises what the store raises."""
        now = self._clock()
        if now < self._retry_at:
            return 0
        try:
            epoch = self._current(now)
            self._drop(store)
            intents = store.cache_intents(INTENTS, written=self._known)
            if intents:
                self._cache.put(self._entries(intents), epoch)
        except CacheUnavailable as error:
            self._away(now, str(error))
            return 0
        except EpochMoved:
            self._epoch = None
            return 0
        self._here(now)
        if intents:
            store.forget_cache_intents(sorted({one.id for one in intents}))
            self._written += len(intents)
        return len(intents)

    def check(self) -> None:
        """Ask the cache for its epoch when nothing was to be written for a while."""
        now = self._clock()
        if now < self._retry_at:
            return
        try:
            if self._cache.epoch() != self._epoch:
                self._epoch = None
            self._current(now)
        except CacheUnavailable as error:
            self._away(now, str(error))
        else:
            self._here(now)

    def close(self) -> None:
        """Let go of the cache."""
        self._cache.close()

    def _current(self, now: float) -> str:
        """The epoch, raised first when the server is another run or was away for long."""
        known = self._epoch
        long_away = self._away_since is not None and now - self._away_since >= EPOCH_AFTER
        if known is not None and self._away_since is None:
            return known
        found = self._cache.epoch()
        if found is None or (long_away and found == known):
            found = self._cache.raise_epoch(now, known)
            self._raised += 1
            self._drop_before = now - DROP_MARGIN
            _log.warning("cache epoch raised", epoch=found, before=known)
        self._epoch = found
        return found

    def _drop(self, store: Store) -> None:
        if self._drop_before is not None:
            dropped = store.drop_cache_intents_before(self._drop_before)
            self._drop_before = None
            if dropped:
                _log.info("stale cache intents dropped", count=dropped)

    def _away(self, now: float, reason: str) -> None:
        if self._away_since is None:
            self._away_since = now
            _log.warning("cache unhealthy", why=reason)
        self._reason = reason
        self._retry_at = now + CACHE_PAUSE

    def _here(self, now: float) -> None:
        if self._away_since is not None:
            _log.info("cache healthy again", away_seconds=round(now - self._away_since, 1))
        self._away_since = None
        self._reason = ""

    def _entries(self, intents: Sequence[CacheIntent]) -> list[Entry]:
        return [
            Entry(suffix(entity, key), version, b"", self._tombstone_ttl)
            if row is None
            else Entry(suffix(entity, key), version, row, self._ttl)
            for _, entity, key, version, row, _ in intents
        ]


class LetterRelay:
    """Publishes dead letters and marks those whose delivery was reported."""

    def __init__(self, letters: Letters, *, clock: Callable[[], float] = time.time) -> None:
        self._letters = letters
        self._clock = clock
        self._retry_at = 0.0
        self.published = 0

    def step(self, store: Store) -> int:
        """Publish one round; how many the topic took. Raises what the store raises."""
        now = self._clock()
        if now < self._retry_at:
            return 0
        waiting = store.unpublished_dead_letters(LETTERS)
        if not waiting:
            return 0
        done = self._letters.publish(waiting)
        if done:
            store.mark_published(list(done), self._clock())
            self.published += len(done)
        if len(done) < len(waiting):
            self._retry_at = now + LETTER_PAUSE
        return len(done)

    def close(self) -> None:
        """Let go of the producer."""
        self._letters.close()
