"""One store object for several threads, for a store that one process may open only once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from database_consumer.stores.base import (
    Applied,
    Batch,
    CacheIntent,
    Coming,
    DeadLetter,
    Fenced,
    Position,
    RetryOutcome,
    Store,
    StoreCounts,
    StoreKind,
)
from database_consumer.stores.written import WrittenRows


class SharedStore:
    """Passes every call on under one lock; closes the store when its last user has closed it.

    ``guard`` takes the lock's place: it must keep threads apart, and may refuse.
    """

    def __init__(
        self, store: Store, *, guard: AbstractContextManager[object] | None = None
    ) -> None:
        self._store = store
        self._lock = guard if guard is not None else threading.RLock()
        self._users = 0
        self.kind: StoreKind = store.kind
        self.fallback_reason = store.fallback_reason

    def open(self) -> None:
        """See the protocol."""
        with self._lock:
            if self._users == 0:
                self._store.open()
            self._users += 1

    def close(self) -> None:
        """See the protocol."""
        with self._lock:
            self._users = max(0, self._users - 1)
            if self._users == 0:
                self._store.close()

    def ensure_schema(self) -> None:
        """See the protocol."""
        with self._lock:
            self._store.ensure_schema()

    def ping(self) -> None:
        """See the protocol."""
        with self._lock:
            self._store.ping()

    def position(self, group: str, topic: str, partition: int) -> Position | None:
        """See the protocol."""
        with self._lock:
            return self._store.position(group, topic, partition)

    def apply(self, batch: Batch, *, now: float, coming: Coming | None = None) -> Applied | Fenced:
        """See the protocol."""
        with self._lock:
            return self._store.apply(batch, now=now, coming=coming)

    def due_parked(self, group: str, now: float) -> int:
        """See the protocol."""
        with self._lock:
            return self._store.due_parked(group, now)

    def retry_parked(self, group: str, now: float, limit: int = 500) -> RetryOutcome:
        """See the protocol."""
        with self._lock:
            return self._store.retry_parked(group, now, limit)

    def unpublished_dead_letters(self, limit: int = 100) -> Sequence[DeadLetter]:
        """See the protocol."""
        with self._lock:
            return self._store.unpublished_dead_letters(limit)

    def mark_published(self, ids: Sequence[int], now: float) -> None:
        """See the protocol."""
        with self._lock:
            self._store.mark_published(ids, now)

    def dead_letters(self, *, limit: int = 100, after: int = 0) -> Sequence[DeadLetter]:
        """See the protocol."""
        with self._lock:
            return self._store.dead_letters(limit=limit, after=after)

    def dead_letter(self, ident: int) -> DeadLetter | None:
        """See the protocol."""
        with self._lock:
            return self._store.dead_letter(ident)

    def purge_dead_letters(self, ids: Sequence[int] | None = None) -> int:
        """See the protocol."""
        with self._lock:
            return self._store.purge_dead_letters(ids)

    def replay(self, ids: Sequence[int], now: float) -> int:
        """See the protocol."""
        with self._lock:
            return self._store.replay(ids, now)

    def cache_intents(
        self, limit: int = 1000, *, written: WrittenRows | None = None
    ) -> Sequence[CacheIntent]:
        """See the protocol."""
        with self._lock:
            return self._store.cache_intents(limit, written=written)

    def forget_cache_intents(self, ids: Sequence[int]) -> None:
        """See the protocol."""
        with self._lock:
            self._store.forget_cache_intents(ids)

    def drop_cache_intents_before(self, before: float) -> int:
        """See the protocol."""
        with self._lock:
            return self._store.drop_cache_intents_before(before)

    def prune_inbox(self, before: float, limit: int = 10_000) -> int:
        """See the protocol."""
        with self._lock:
            return self._store.prune_inbox(before, limit)

    def rows(self, entity: str, *, limit: int | None = None) -> Sequence[dict[str, Any]]:
        """See the protocol."""
        with self._lock:
            return self._store.rows(entity, limit=limit)

    def counts(self) -> StoreCounts:
        """See the protocol."""
        with self._lock:
            return self._store.counts()


def per_thread(make: Callable[[], Store]) -> Callable[[], Store]:
    """A factory for the worker's threads: a store each, but one shared JSON file store."""
    first = make()
    if first.kind is not StoreKind.JSON:
        return make
    shared = SharedStore(first)
    return lambda: shared
