"""What a store gives to the code that applies batches: the steps of one transaction.

A :class:`Ledger` is one store's connection. Between ``begin`` and ``commit`` or ``rollback`` every
step is part of one transaction. Steps raise :class:`RecordFailure`, :class:`TransientFailure` or
:class:`StoreUnavailable`; ``execute`` alone raises the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from database_consumer.batching import TablePlan
from database_consumer.entities.model import EntityTable, Key
from database_consumer.stores.base import Batch, DeadLetter, Position, Record
from database_consumer.stores.written import Faithful


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A fenced partition: its row's id, the group's id, and the version that this batch writes.

    ``parked`` says whether any operation of the group is parked.
    """

    id: int
    group_id: int
    version: int
    parked: bool


Claim = tuple[str, int, bytes]
"""An operation id on its way into the inbox: id, offset, fingerprint."""


class Claimed(NamedTuple):
    """What the inbox holds for an id."""

    stream_id: int
    offset: int
    fingerprint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """A dead letter to be written."""

    record: Record
    operation_id: str
    code: str
    message: str
    stack: str
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parking:
    """An operation to be parked: due at ``due_at``, or queued behind another when None.

    ``attempts`` is 0 for one that was tried once, -1 for one that never was.
    """

    attempts: int
    record: Record
    operation_id: str
    keys: tuple[bytes, ...]
    due_at: float | None
    code: str
    message: str
    stack: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A parked operation; ``stream_id`` is the partition that it came from.

    ``attempts`` are the retries made; -1 for one that queued behind another and was never tried.
    """

    id: int
    stream_id: int
    record: Record
    operation_id: str
    attempts: int
    code: str


class Ledger(Protocol):
    """One store's steps."""

    def begin(self) -> None:
        """Start a transaction, connecting first where there is no connection."""

    def fence(self, batch: Batch, now: float) -> Stream | None:
        """Move the partition's offset if it stands where the batch expects it; None if not."""

    def claim(self, stream: Stream, claims: Sequence[Claim], now: float) -> dict[str, Claimed]:
        """Put ids (sorted, each once) into the inbox; those that were there before, as they are."""

    def hold_parked(self, group_id: int) -> None:
        """Keep retries of parked operations out until the end of this transaction."""

    def parked_keys(self, group_id: int, keys: Sequence[bytes]) -> set[bytes]:
        """Which of these keys a parked operation holds."""

    def present(self, table: EntityTable, keys: Sequence[Key], *, likely: bool) -> dict[Key, int]:
        """Lock these rows; those that are there, each with a version not below its own.

        In a table without versions that is 0. ``likely`` says whether all are thought to be there.
        """

    def execute(self, tables: Sequence[TablePlan], version: int) -> None:
        """Carry a plan out: deletes with children first, inserts with parents first, updates."""

    def savepoint(self) -> None:
        """Remember this state; one at a time."""

    def release(self) -> None:
        """Forget the savepoint."""

    def back_to_savepoint(self) -> None:
        """Undo what was done since the savepoint and forget it."""

    def bury(self, group: str, deaths: Sequence[Death], now: float) -> None:
        """Write dead letters."""

    def park(self, group_id: int, stream_id: int, parkings: Sequence[Parking], now: float) -> None:
        """Write parked operations, in their order."""

    def note_touched(self, tables: Sequence[TablePlan], version: int, now: float) -> int:
        """Write cache intents; how many."""

    def faithful(self, table: EntityTable) -> Faithful | None:
        """How columns read what is written; None: unknown. Asked after the table was written."""

    def commit(self) -> None:
        """Make it last. Raises :class:`CommitUnknown` when the answer was lost."""

    def rollback(self) -> None:
        """Undo everything; never raises."""

    def lock_group(self, name: str) -> int | None:
        """The id of a group and a lock: one writer at a time retries its parked operations."""

    def due_ids(self, group_id: int, now: float, limit: int) -> list[int]:
        """Parked operations that are due, in their order."""

    def keys_of(self, ids: Sequence[int]) -> dict[int, tuple[bytes, ...]]:
        """The keys that parked operations hold."""

    def holders(self, group_id: int, keys: Sequence[bytes], limit: int) -> list[int]:
        """Parked operations that hold any of these keys, in their order, at most ``limit``."""

    def load_parked(self, ids: Sequence[int]) -> list[Parked]:
        """Parked operations, in their order."""

    def unpark(self, group_id: int, ids: Sequence[int], now: float) -> None:
        """Delete parked operations and make those that come next on their keys due."""

    def postpone(self, ident: int, *, attempts: int, due_at: float) -> None:
        """Note one more try that failed."""

    def version_after(self, stream_ids: Sequence[int], now: float) -> int:
        """A version above every one that was written for these partitions."""

    def next_due(self, group_id: int) -> float | None:
        """When the next parked operation is due."""

    def position(self, group: str, topic: str, partition: int) -> Position | None:
        """Where the partition goes on."""

    def unreplayed(self, ids: Sequence[int]) -> list[tuple[DeadLetter, int, int]]:
        """Lock these dead letters; those not replayed before, with group id and stream id."""

    def mark_replayed(self, ids: Sequence[int], now: float) -> None:
        """They were put back."""


class CommitUnknown(Exception):
    """The connection was lost while the commit was on its way: it may have happened."""
