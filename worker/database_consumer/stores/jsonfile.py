"""The JSON file store: what stands in where SQLite cannot load, with the same guarantees.

Everything is held in memory and in two files (see :mod:`database_consumer.stores.jsonstate`). Keys,
NOT NULL, lengths, types, unique columns and foreign keys are held; CHECK constraints and defaults
that only a database can compute are not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from database_consumer.entities.model import VERSION_COLUMN, Catalogue
from database_consumer.entities.reading import plain_row
from database_consumer.handlers import Handlers
from database_consumer.stores.applying import Applier
from database_consumer.stores.base import (
    Applied,
    Batch,
    CacheIntent,
    Coming,
    DeadLetter,
    Fenced,
    Position,
    RetryOutcome,
    StoreCounts,
    StoreKind,
    StorePolicy,
)
from database_consumer.stores.jsonledger import JsonLedger
from database_consumer.stores.retrying import Retrier
from database_consumer.stores.written import WrittenRows

T = TypeVar("T")


class JsonStore:
    """See :class:`database_consumer.stores.base.Store`."""

    kind = StoreKind.JSON

    def __init__(
        self,
        path: Path,
        catalogue: Catalogue,
        handlers: Handlers,
        policy: StorePolicy,
        *,
        fallback_reason: str = "",
    ) -> None:
        self.catalogue = catalogue
        self.path = path
        self.fallback_reason = fallback_reason
        self._ledger = JsonLedger(path, catalogue)
        self._applier = Applier(self._ledger, catalogue, handlers, policy)
        self._retrier = Retrier(self._ledger, catalogue, handlers, policy)

    def open(self) -> None:
        """Read the files."""
        self._ledger.begin()

    def close(self) -> None:
        """Let go of the files."""
        self._applier.close()
        self._ledger.rollback()
        self._ledger.state.close()

    def ensure_schema(self) -> None:
        """There is none."""
        self._ledger.begin()

    def ping(self) -> None:
        """The files are in hand."""
        self._ledger.begin()

    def _once(self, step: Callable[[], T]) -> T:
        ledger = self._ledger
        ledger.begin()
        try:
            result = step()
            ledger.commit()
        except BaseException:
            ledger.rollback()
            raise
        return result

    def position(self, group: str, topic: str, partition: int) -> Position | None:
        """Where the partition goes on."""
        return self._once(lambda: self._ledger.position(group, topic, partition))

    def apply(self, batch: Batch, *, now: float, coming: Coming | None = None) -> Applied | Fenced:
        """One line of the log."""
        return self._applier.apply(batch, now=now, coming=coming)

    def due_parked(self, group: str, now: float) -> int:
        """How many are due."""

        def count() -> int:
            group_id = self._ledger.lock_group(group)
            return 0 if group_id is None else len(self._ledger.due_ids(group_id, now, 1 << 30))

        return self._once(count)

    def retry_parked(self, group: str, now: float, limit: int = 500) -> RetryOutcome:
        """One line of the log."""
        return self._retrier.retry(group, now, limit)

    def unpublished_dead_letters(self, limit: int = 100) -> Sequence[DeadLetter]:
        """Oldest first."""
        letters = self._once(self._ledger.letters)
        return [one for one in letters if one.published_at is None][:limit]

    def mark_published(self, ids: Sequence[int], now: float) -> None:
        """The topic has them."""
        self._once(lambda: self._ledger.mark_letters("published_at", ids, now))

    def dead_letters(self, *, limit: int = 100, after: int = 0) -> Sequence[DeadLetter]:
        """In the order of their ids."""
        return [one for one in self._once(self._ledger.letters) if one.id > after][:limit]

    def dead_letter(self, ident: int) -> DeadLetter | None:
        """One."""
        return next((one for one in self._once(self._ledger.letters) if one.id == ident), None)

    def purge_dead_letters(self, ids: Sequence[int] | None = None) -> int:
        """Delete them."""

        def purge() -> int:
            state = self._ledger.state
            names = list(state.of("dead")) if ids is None else [str(one) for one in ids]
            there = [one for one in names if one in state.of("dead")]
            for name in there:
                letter = self._ledger.letter(int(name))
                place = [letter.group, letter.topic, letter.partition, letter.offset]
                state.put("purged", name, [*place, letter.error_class])
                state.put("dead", name, None)
            return len(there)

        return self._once(purge)

    def replay(self, ids: Sequence[int], now: float) -> int:
        """Put them back."""
        return self._retrier.replay(ids, now)

    def cache_intents(
        self, limit: int = 1000, *, written: WrittenRows | None = None
    ) -> Sequence[CacheIntent]:
        """The newest state of each row that changed; all of it is in memory already."""
        del written

        def intents() -> list[CacheIntent]:
            found: list[CacheIntent] = []
            for ident, created_at, version, entity, keys in self._ledger.outbox(limit):
                table = self.catalogue.get(entity)
                columns = list(table.columns.values())
                for key, gone in keys:
                    row = None if gone else self._ledger.table_rows.read(table, key)
                    mine, text = version, None
                    if row is not None:
                        if table.versioned:
                            mine = int(row.pop(VERSION_COLUMN))
                        values = plain_row(columns, [row.get(one) for one in table.columns])
                        text = table.json_rows([list(values.values())])[0]
                    name = table.key_text(key)
                    found.append(CacheIntent(ident, entity, name, mine, text, created_at))
            return found

        return self._once(intents)

    def forget_cache_intents(self, ids: Sequence[int]) -> None:
        """The cache has them."""

        def forget() -> None:
            for ident in set(ids):
                if str(ident) in self._ledger.state.of("outbox"):
                    self._ledger.state.put("outbox", str(ident), None)

        self._once(forget)

    def drop_cache_intents_before(self, before: float) -> int:
        """The epoch was raised."""

        def drop() -> int:
            state = self._ledger.state
            old = [ident for ident, one in state.of("outbox").items() if one["created_at"] < before]
            for ident in old:
                state.put("outbox", ident, None)
            return len(old)

        return self._once(drop)

    def prune_inbox(self, before: float, limit: int = 10_000) -> int:
        """Forget old ids."""

        def prune() -> int:
            state = self._ledger.state
            old = [
                (name, key)
                for name in list(state.maps)
                if name.startswith("inbox:")
                for key, entry in state.of(name).items()
                if entry[3] < before
            ][:limit]
            for name, key in old:
                state.put(name, key, None)
            return len(old)

        return self._once(prune)

    def counts(self) -> StoreCounts:
        """What waits."""
        return self._once(self._ledger.counts)

    def rows(self, entity: str, *, limit: int | None = None) -> Sequence[dict[str, Any]]:
        """In the order of their keys."""
        table = self.catalogue.get(entity)
        columns = list(table.columns.values())

        def read() -> list[dict[str, Any]]:
            found = self._ledger.table_rows.all(table)[:limit]
            return [plain_row(columns, [row.get(one.name) for one in columns]) for row in found]

        return self._once(read)
