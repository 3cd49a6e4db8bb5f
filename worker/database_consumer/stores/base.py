"""What a store promises, as values and one protocol; nothing here touches a database.

A store applies a batch of one partition in **one transaction**: the fence, the inbox, the rows, the
dead letters, the parked operations and the cache intents. Either all of it is there afterwards or
nothing is. Every clock value comes in as an argument: seconds since the epoch, as a float.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import msgspec

from database_consumer.retry import RetryPolicy
from database_consumer.stores.written import Written, WrittenRows


class StoreKind(StrEnum):
    """Which store is in force."""

    MYSQL = "mysql"
    SQLITE = "sqlite"
    JSON = "json"


class StoreError(Exception):
    """A store could not do what was asked."""


class StoreUnavailable(StoreError):
    """Systemic: the server is away, read-only or full, or its schema is not the expected one.

    The batch was rolled back whole and no attempt was burned: pause everything and come again with
    the same batch, for ever. ``code`` is the driver's error number where there is one.
    """

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class TopicRecreated(StoreError):
    """The topic has another id than the one whose offsets are stored: stop, do not skip."""

    def __init__(self, topic: str, *, stored: str, found: str) -> None:
        super().__init__(
            f"topic {topic} was recreated: the stored offsets belong to topic id {stored}, the "
            f"broker has {found}; forget the old offsets on purpose or restore the topic"
        )
        self.topic = topic
        self.stored = stored
        self.found = found


class StoreCorrupt(StoreError):
    """A store's own file is damaged in the middle; it was not touched."""


class Record(msgspec.Struct, frozen=True):
    """One message as it was read; ``timestamp_ms`` is 0 when the source has none."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()


Coming = Callable[[], Sequence[Record]]
"""Gives the records that will likely be applied next; asked in another thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a partition goes on, and the id of the topic that the offset belongs to."""

    next_offset: int
    topic_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Records of one partition in the order of their offsets, which may have gaps.

    ``expected`` is the stored position that the batch starts from: None when the store has no row
    for the partition yet. ``next_offset`` is where the partition goes on afterwards; it is above
    the last record's offset and may be further (compaction, transaction markers).
    """

    group: str
    topic: str
    partition: int
    expected: int | None
    next_offset: int
    records: tuple[Record, ...]
    topic_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A batch that is committed.

    ``won`` operations were new; ``duplicates`` had been seen; of the won ones ``dead`` are dead
    letters and ``parked`` wait; ``unmatched`` changed nothing because their row is not there
    (UPDATE and DELETE). ``dead`` also counts undecodable records and conflicts, which win nothing.
    ``intents`` says how many cache intents the batch left behind; of ``written`` the cache can be
    told without reading them again.
    """

    position: Position
    won: int
    duplicates: int
    dead: int
    parked: int
    unmatched: int = 0
    intents: int = 0
    written: tuple[Written, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fenced:
    """Another writer moved the partition: nothing was applied; seek to ``position``.

    ``position`` is None when the store has no row although the batch expected one.
    """

    position: Position | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryOutcome:
    """What one pass over the parked operations did; ``next_due`` is the earliest time left."""

    applied: int = 0
    again: int = 0
    dead: int = 0
    next_due: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One operation that will not be applied, as it came, and why.

    ``error_class`` is a short code (``undecodable``, ``unknown-entity``, ``duplicate-key``, …),
    ``attempts`` how many retries were made, ``stack`` at most 8 kB. ``replayed_at`` is set when it
    was put back in the queue, ``published_at`` when the topic has it.
    """

    id: int
    group: str
    topic: str
    partition: int
    offset: int
    operation_id: str
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: tuple[tuple[str, bytes], ...]
    error_class: str
    error_message: str
    stack: str
    attempts: int
    failed_at: float
    published_at: float | None = None
    replayed_at: float | None = None


class CacheIntent(NamedTuple):
    """A row that changed: the cache takes ``row`` as ``version`` unless it has a newer one.

    ``row`` is what the table holds now as JSON (see :mod:`database_consumer.entities`), or None: it
    is gone and ``version`` is its tombstone's. ``key`` is the key as text: one column's value,
    or a JSON array for a composite key. ``id`` goes to ``forget_cache_intents`` when every intent
    of that id has been published; several share one.
    """

    id: int
    entity: str
    key: str
    version: int
    row: bytes | None
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCounts:
    """What waits in the ledger; ``oldest_…`` are times, None when there is none.

    ``cache_intents`` counts groups of up to 500 rows each.
    """

    parked: int
    dead_letters: int
    unpublished_dead_letters: int
    cache_intents: int
    oldest_parked: float | None
    oldest_cache_intent: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StorePolicy:
    """How a store treats failures.

    ``share_guard`` is the share of a batch that the database may refuse for reasons of the record
    before the whole is taken for systemic, looked at from ``share_guard_from`` refusals on.
    ``park_missing_rows`` parks an UPDATE whose row is not there (otherwise it changes nothing and
    is counted as unmatched). ``max_statement_bytes`` bounds a statement beside the server's own
    bound.
    """

    retry: RetryPolicy = field(default_factory=RetryPolicy)
    share_guard: float = 0.5
    share_guard_from: int = 20
    park_missing_rows: bool = False
    cache: bool = True
    max_statement_bytes: int = 4 << 20


class Store(Protocol):
    """A place where operations are applied. One thread uses one store object at a time.

    Every method may raise :class:`StoreUnavailable`; afterwards the object reconnects by itself at
    its next use.
    """

    kind: StoreKind
    fallback_reason: str
    """Why a JSON file stands in for SQLite; empty otherwise."""

    def open(self) -> None:
        """Connect. Raises :class:`StoreUnavailable`."""

    def close(self) -> None:
        """Let go of everything; an open transaction is rolled back. May be called twice."""

    def ensure_schema(self) -> None:
        """Create or migrate the tables of the ledger and of the shipped entities."""

    def ping(self) -> None:
        """Return when the store can write; raises :class:`StoreUnavailable` when it cannot."""

    def position(self, group: str, topic: str, partition: int) -> Position | None:
        """Where the partition goes on; None when nothing was ever applied of it."""

    def apply(self, batch: Batch, *, now: float, coming: Coming | None = None) -> Applied | Fenced:
        """Apply one batch in one transaction; also raises :class:`TopicRecreated`.

        The records that ``coming`` gives are decoded while the commit is on its way.
        """

    def due_parked(self, group: str, now: float) -> int:
        """How many parked operations are due."""

    def retry_parked(self, group: str, now: float, limit: int = 500) -> RetryOutcome:
        """Try due operations again, in their order per key, in one transaction."""

    def unpublished_dead_letters(self, limit: int = 100) -> Sequence[DeadLetter]:
        """Dead letters that the topic does not have yet, oldest first."""

    def mark_published(self, ids: Sequence[int], now: float) -> None:
        """After the delivery report."""

    def dead_letters(self, *, limit: int = 100, after: int = 0) -> Sequence[DeadLetter]:
        """Dead letters in the order of their ids, those above ``after``."""

    def dead_letter(self, ident: int) -> DeadLetter | None:
        """One of them."""

    def purge_dead_letters(self, ids: Sequence[int] | None = None) -> int:
        """Delete these (None: all); how many there were."""

    def replay(self, ids: Sequence[int], now: float) -> int:
        """Put dead letters back as parked operations that are due now; how many.

        One transaction marks them replayed and parks them, so none can be applied twice however
        often it is asked for; those replayed before are left out. ``retry_parked`` applies them.
        """

    def cache_intents(
        self, limit: int = 1000, *, written: WrittenRows | None = None
    ) -> Sequence[CacheIntent]:
        """Rows whose change the cache has not been told, oldest first; whole ids, about limit.

        Those that ``written`` still has are taken from there and not read.
        """

    def forget_cache_intents(self, ids: Sequence[int]) -> None:
        """The cache has them."""

    def drop_cache_intents_before(self, before: float) -> int:
        """Forget all that were created before this time (the epoch was raised); how many ids."""

    def prune_inbox(self, before: float, limit: int = 10_000) -> int:
        """Forget operation ids applied before this time; how many."""

    def counts(self) -> StoreCounts:
        """What waits."""

    def rows(self, entity: str, *, limit: int | None = None) -> Sequence[dict[str, Any]]:
        """An entity's rows as they would be sent, in the order of their keys."""
