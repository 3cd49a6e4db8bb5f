"""A store in a SQL database: the ledger, and what is done with it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from database_consumer.entities.model import VERSION_COLUMN, Catalogue, EntityTable, Key
from database_consumer.entities.own import unknown_types_passed_over
from database_consumer.failures import RecordFailure, TransientFailure
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
    StoreUnavailable,
)
from database_consumer.stores.retrying import Retrier
from database_consumer.stores.sql import SqlLedger
from database_consumer.stores.written import WrittenRows

T = TypeVar("T")

_log = logging.getLogger("database_consumer.store")


class SqlStore:
    """See :class:`database_consumer.stores.base.Store`."""

    def __init__(
        self,
        kind: StoreKind,
        ledger: SqlLedger,
        catalogue: Catalogue,
        *,
        handlers: Handlers,
        policy: StorePolicy,
    ) -> None:
        self.kind = kind
        self.engine = ledger.engine
        self.catalogue = catalogue
        self.fallback_reason = ""
        self.after_schema: Callable[[], object] | None = None
        self._ledger = ledger
        self._applier = Applier(ledger, catalogue, handlers, policy)
        self._retrier = Retrier(ledger, catalogue, handlers, policy)
        self._pruned: tuple[int, str] = (0, "")

    def open(self) -> None:
        """Connect."""
        self._once(lambda: None)

    def close(self) -> None:
        """Roll back and let go."""
        self._applier.close()
        self._ledger.rollback()
        self._ledger.drop()
        self.engine.dispose()

    def ensure_schema(self) -> None:
        """Create or migrate the ledger's tables and those of the shipped entities."""
        from database_consumer.migrations import migrate

        self._ledger.drop()
        migrate(self.engine)
        self._once(self._ledger.look_at_schema)
        self._tell_missing()
        if self.after_schema is not None:
            self.after_schema()

    def _tell_missing(self) -> None:
        """Tables that were there before, in another shape: their operations would wait for ever."""
        try:
            inspector = sa.inspect(self.engine)
            for table in self.catalogue:
                if not inspector.has_table(table.name):
                    _log.warning("entity %s: there is no table %s", table.entity, table.name)
                    continue
                with unknown_types_passed_over():
                    columns = inspector.get_columns(table.name)
                there = {str(one["name"]).lower() for one in columns}
                wanted = [*table.columns, *([VERSION_COLUMN] if table.versioned else [])]
                if lacking := [one for one in wanted if one.lower() not in there]:
                    _log.warning(
                        "entity %s: table %s has another shape and lacks %s; add the columns, "
                        "rename the table, or name it in ENTITIES_REFLECT",
                        table.entity,
                        table.name,
                        ", ".join(lacking),
                    )
        except (SQLAlchemyError, OSError) as error:
            raise StoreUnavailable(f"the tables cannot be read: {error}") from error

    def ping(self) -> None:
        """Write nothing, but be able to: a transaction, and whether the server takes writes."""
        self._once(self._ledger.check_writable)

    def _once(self, step: Callable[[], T]) -> T:
        """One step in a transaction of its own."""
        ledger = self._ledger
        try:
            ledger.begin()
            result = step()
            ledger.commit()
        except (RecordFailure, TransientFailure) as error:
            ledger.rollback()
            raise StoreUnavailable(str(error)) from error
        except StoreUnavailable:
            ledger.rollback()
            raise
        except BaseException as error:
            ledger.rollback()
            if type(error).__name__ == "CommitUnknown":
                raise StoreUnavailable(str(error)) from error
            raise
        return result

    def position(self, group: str, topic: str, partition: int) -> Position | None:
        """Where the partition goes on."""
        return self._once(lambda: self._ledger.position(group, topic, partition))

    def apply(self, batch: Batch, *, now: float, coming: Coming | None = None) -> Applied | Fenced:
        """One transaction."""
        return self._applier.apply(batch, now=now, coming=coming)

    def due_parked(self, group: str, now: float) -> int:
        """How many are due."""

        def count() -> int:
            found = self._ledger.rows(
                "SELECT COUNT(*) FROM parked p JOIN consumer_groups g ON g.id = p.group_id "
                "WHERE g.name = ? AND p.due_at <= ?",
                (group, now),
            )
            return int(found[0][0])

        return self._once(count)

    def retry_parked(self, group: str, now: float, limit: int = 500) -> RetryOutcome:
        """One transaction."""
        return self._retrier.retry(group, now, limit)

    def unpublished_dead_letters(self, limit: int = 100) -> Sequence[DeadLetter]:
        """Oldest first."""
        return self._once(lambda: self._ledger.letters("published_at IS NULL", (), limit))

    def mark_published(self, ids: Sequence[int], now: float) -> None:
        """The topic has them."""
        self._once(lambda: self._ledger.mark_published(list(ids), now))

    def dead_letters(self, *, limit: int = 100, after: int = 0) -> Sequence[DeadLetter]:
        """In the order of their ids."""
        return self._once(lambda: self._ledger.letters("id > ?", (after,), limit))

    def dead_letter(self, ident: int) -> DeadLetter | None:
        """One."""
        found = self._once(lambda: self._ledger.letters("id = ?", (ident,), 1))
        return found[0] if found else None

    def purge_dead_letters(self, ids: Sequence[int] | None = None) -> int:
        """Delete them."""
        listed = None if ids is None else list(ids)
        return self._once(lambda: self._ledger.purge_letters(listed))

    def replay(self, ids: Sequence[int], now: float) -> int:
        """Put them back."""
        return self._retrier.replay(ids, now)

    def cache_intents(
        self, limit: int = 1000, *, written: WrittenRows | None = None
    ) -> Sequence[CacheIntent]:
        """The newest state of each row that changed; one look at the tables per entity."""
        return self._once(lambda: self._intents(limit, written))

    def _intents(self, limit: int, written: WrittenRows | None) -> list[CacheIntent]:
        listed = self._ledger.outbox(limit)
        known: dict[int, dict[Key, bytes]] = {}
        wanted: dict[str, tuple[EntityTable, dict[Key, None]]] = {}
        for ident, _, version, entity, keys in listed:
            if entity not in self.catalogue:
                continue
            changed = [key for key, gone in keys if not gone]
            if written is not None and (taken := written.take(entity, version, changed)):
                known[ident] = taken
                changed = [key for key in changed if key not in taken]
            _, some = wanted.setdefault(entity, (self.catalogue.get(entity), {}))
            some.update(dict.fromkeys(changed))
        rows = {
            entity: self._ledger.read_rows(table, list(keys)) if keys else {}
            for entity, (table, keys) in wanted.items()
        }
        intents: list[CacheIntent] = []
        for ident, created_at, version, entity, keys in listed:
            if entity not in wanted:
                intents.append(_nothing(ident, entity, version, created_at))
                continue
            table = wanted[entity][0]
            texts, there = known.get(ident, {}), rows[entity]
            for key, gone in keys:
                name = table.key_text(key)
                text = texts.get(key)
                if text is None and not gone and key in there:
                    text, mine = there[key]
                    now = mine if table.versioned else version
                    intents.append(CacheIntent(ident, entity, name, now, text, created_at))
                else:
                    intents.append(CacheIntent(ident, entity, name, version, text, created_at))
        return intents

    def forget_cache_intents(self, ids: Sequence[int]) -> None:
        """The cache has them."""
        self._once(lambda: self._ledger.forget_outbox(sorted(set(ids))))

    def drop_cache_intents_before(self, before: float) -> int:
        """The epoch was raised."""
        return self._once(
            lambda: int(
                self._ledger.run(
                    "DELETE FROM cache_outbox WHERE created_at < ?", (before,)
                ).rowcount
            )
        )

    def prune_inbox(self, before: float, limit: int = 10_000) -> int:
        """Look at the next ``limit`` ids, in the order of the key, and forget the old ones.

        There is no index on the time: it would cost every insert. Called again and again it goes
        through the whole inbox and starts anew.
        """

        def prune() -> int:
            group, name = self._pruned
            found = self._ledger.rows(
                "SELECT group_id, operation_id, applied_at FROM inbox "
                "WHERE group_id > ? OR (group_id = ? AND operation_id > ?) "
                f"ORDER BY group_id, operation_id LIMIT {int(limit)}",
                (group, group, name),
            )
            old = [(row[0], row[1]) for row in found if row[2] < before]
            for group_id, operation_id in old:
                self._ledger.run(
                    "DELETE FROM inbox WHERE group_id = ? AND operation_id = ?",
                    (group_id, operation_id),
                )
            self._pruned = (found[-1][0], found[-1][1]) if len(found) == limit else (0, "")
            return len(old)

        return self._once(prune)

    def counts(self) -> StoreCounts:
        """What waits."""
        return self._once(self._ledger.counts)

    def rows(self, entity: str, *, limit: int | None = None) -> Sequence[dict[str, Any]]:
        """In the order of their keys."""
        table = self.catalogue.get(entity)
        return self._once(lambda: self._ledger.all_rows(table, limit))


def _nothing(ident: int, entity: str, version: int, created_at: float) -> CacheIntent:
    """Of an entity that is no longer known: nothing to publish but that it may be forgotten."""
    return CacheIntent(
        id=ident, entity=entity, key="", version=version, row=None, created_at=created_at
    )
