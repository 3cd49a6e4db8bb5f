"""Applies a batch: one transaction, the fence first.

The steps and their order are those of the facts in ``docs/semantics.md``: fence, inbox with
read-back, rows, dead letters, parked operations, cache intents, commit. A transaction that lost
against another one is done again at once, a few times; a commit whose answer was lost is looked up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter, ge

from database_consumer.entities.model import Catalogue
from database_consumer.failures import RecordFailure, TransientFailure
from database_consumer.handlers import Handlers
from database_consumer.stores.ahead import Ahead
from database_consumer.stores.base import (
    Applied,
    Batch,
    Coming,
    Fenced,
    Position,
    StorePolicy,
    StoreUnavailable,
    TopicRecreated,
)
from database_consumer.stores.creates import CreateSet, Prepared, items_of
from database_consumer.stores.item import Item
from database_consumer.stores.prepared import Preparing
from database_consumer.stores.running import Outcome, Refusal, RefusedAsSet, Run, stack_of
from database_consumer.stores.transaction import (
    Claimed,
    CommitUnknown,
    Death,
    Ledger,
    Parking,
    Stream,
)

TRIES = 8
"""How often a transaction that lost against another one is done again before that is systemic."""

CAREFUL_BATCHES = 20
"""After a set was refused, as many batches read every row first: the next ones are alike."""


@dataclass(slots=True, kw_only=True)
class _Sorted:
    """What the inbox said: those to be applied, those to be buried at once."""

    live: Prepared
    refused: list[Refusal]
    won: int
    duplicates: int


class Applier:
    """Applies batches through one ledger; one thread at a time."""

    def __init__(
        self, ledger: Ledger, catalogue: Catalogue, handlers: Handlers, policy: StorePolicy
    ) -> None:
        self._ledger = ledger
        self._catalogue = catalogue
        self._ahead = Ahead(Preparing(catalogue, handlers))
        self._policy = policy
        self._careful = 0
        self._doubt: tuple[Batch, Applied] | None = None

    def close(self) -> None:
        """Let go of what was decoded ahead."""
        self._ahead.close()

    def apply(self, batch: Batch, *, now: float, coming: Coming | None = None) -> Applied | Fenced:
        """See :meth:`database_consumer.stores.base.Store.apply`."""
        _check(batch)
        if self._doubt is not None:
            known = self._resolve(batch)
            if known is not None:
                return known
        prepared = self._ahead.prepared(batch.records)
        for _ in range(TRIES):
            try:
                return self._attempt(batch, prepared, now, coming)
            except TransientFailure:
                self._ledger.rollback()
            except BaseException:
                self._ledger.rollback()
                raise
        raise StoreUnavailable(f"lost against other transactions {TRIES} times in a row")

    def _attempt(
        self, batch: Batch, prepared: Prepared, now: float, coming: Coming | None
    ) -> Applied | Fenced:
        if self._careful == 0:
            try:
                return self._transaction(batch, prepared, now, coming, whole=True)
            except (RefusedAsSet, RecordFailure):
                self._ledger.rollback()
                self._careful = CAREFUL_BATCHES
        else:
            self._careful -= 1
        return self._transaction(batch, prepared, now, coming, whole=False)

    def _transaction(
        self,
        batch: Batch,
        prepared: Prepared,
        now: float,
        coming: Coming | None,
        *,
        whole: bool,
    ) -> Applied | Fenced:
        ledger = self._ledger
        ledger.begin()
        stream = ledger.fence(batch, now)
        if stream is None:
            ledger.rollback()
            return self._fenced(batch)
        sorted_ = self._claim(stream, prepared, now)
        run = Run(
            ledger,
            self._catalogue,
            self._policy,
            version=stream.version,
            now=now,
            blocked=self._blocked(stream, sorted_.live),
            size=len(prepared),
        )
        live = sorted_.live
        if not whole:
            run.halving(items_of(live))
        elif not isinstance(live, CreateSet) or not run.creates(live):
            run.whole(items_of(live), optimistic=True)
        outcome = run.outcome
        dead = self._settle(batch.group, stream, sorted_.refused, outcome, now)
        applied = Applied(
            position=Position(next_offset=batch.next_offset, topic_id=batch.topic_id),
            won=sorted_.won,
            duplicates=sorted_.duplicates,
            dead=dead,
            parked=len(outcome.queued) + len(outcome.parked),
            unmatched=outcome.unmatched,
            intents=outcome.intents,
            written=tuple(outcome.written),
        )
        if coming is not None:
            self._ahead.start(coming)
        try:
            ledger.commit()
        except CommitUnknown:
            self._doubt = (batch, applied)
            known = self._resolve(batch)
            if known is None:
                raise TransientFailure("the commit did not happen") from None
            return known
        self._doubt = None
        return applied

    def _fenced(self, batch: Batch) -> Applied | Fenced:
        known = self._resolve(batch)
        if known is not None:
            return known
        position = self._position(batch)
        if (
            position is not None
            and batch.topic_id is not None
            and position.topic_id not in {None, batch.topic_id}
        ):
            raise TopicRecreated(batch.topic, stored=str(position.topic_id), found=batch.topic_id)
        return Fenced(position=position)

    def _position(self, batch: Batch) -> Position | None:
        self._ledger.begin()
        position = self._ledger.position(batch.group, batch.topic, batch.partition)
        self._ledger.rollback()
        return position

    def _resolve(self, batch: Batch) -> Applied | None:
        """What a commit in doubt did, if it was this batch's and it happened.

        The server may still be at it: then the fence waits for it, and this is asked again.
        """
        if self._doubt is None:
            return None
        doubtful, applied = self._doubt
        if _identity(doubtful) != _identity(batch):
            return None
        position = self._position(batch)
        if position is None or position.next_offset != batch.next_offset:
            return None
        self._doubt = None
        return applied

    def _claim(self, stream: Stream, prepared: Prepared, now: float) -> _Sorted:
        """Put the ids into the inbox and sort out what was seen before."""
        claims = prepared.claims() if isinstance(prepared, CreateSet) else None
        firsts: dict[str, Item] = {}
        usual = claims is not None
        if claims is None:
            items = items_of(prepared)
            for item in items:
                if item.operation_id not in firsts:
                    firsts[item.operation_id] = item
            firsts.pop("", None)
            claims = [(name, one.record.offset, one.fingerprint) for name, one in firsts.items()]
            claims.sort()
            usual = len(firsts) == len(items) and all(one.invalid is None for one in items)
        seen = self._ledger.claim(stream, claims, now) if claims else {}
        if usual and not seen:
            return _Sorted(live=prepared, refused=[], won=len(prepared), duplicates=0)
        items = items_of(prepared)
        return _sorted(items, firsts or {one.operation_id: one for one in items}, seen)

    def _blocked(self, stream: Stream, live: Prepared) -> set[bytes]:
        """The keys of these operations that parked ones hold."""
        ledger = self._ledger
        if not live or not stream.parked:
            return set()
        keys = sorted({key for item in items_of(live) for key in item.held()})
        if not ledger.parked_keys(stream.group_id, keys):
            return set()
        ledger.hold_parked(stream.group_id)
        return ledger.parked_keys(stream.group_id, keys)

    def _settle(
        self, group: str, stream: Stream, refused: list[Refusal], outcome: Outcome, now: float
    ) -> int:
        """Write dead letters and parked operations; how many dead letters."""
        retry = self._policy.retry
        first_delay = retry.delay(0)
        deaths = [*refused, *outcome.dead]
        if first_delay is None:
            deaths += outcome.parked
            outcome.parked.clear()
        if deaths:
            deaths.sort(key=lambda one: one.item.record.offset)
            self._ledger.bury(group, [death_of(one, attempts=0) for one in deaths], now)
        parkings = [
            parking_of(one.item, due_at=now + (first_delay or 0.0), refusal=one)
            for one in outcome.parked
        ]
        parkings += [parking_of(item, due_at=None, refusal=None) for item in outcome.queued]
        if parkings:
            parkings.sort(key=lambda one: one.record.offset)
            self._ledger.park(stream.group_id, stream.id, parkings, now)
        return len(deaths)


def _check(batch: Batch) -> None:
    """Raises ValueError for a batch that no source may give."""
    for topic, partition in set(map(attrgetter("topic", "partition"), batch.records)):
        if (topic, partition) != (batch.topic, batch.partition):
            raise ValueError(f"a record of {topic}/{partition} in a batch of another")
    first = 0 if batch.expected is None else batch.expected
    offsets = [first - 1, *map(attrgetter("offset"), batch.records)]
    if any(map(ge, offsets, offsets[1:])):
        before, after = next(two for two in pairwise(offsets) if two[0] >= two[1])
        raise ValueError(f"offset {after} after {before}: not in order")
    if batch.next_offset <= offsets[-1]:
        raise ValueError(f"next_offset {batch.next_offset} is not above the last record's offset")


def _identity(batch: Batch) -> tuple[str, str, int, int | None, int]:
    return batch.group, batch.topic, batch.partition, batch.expected, batch.next_offset


def _sorted(
    items: Iterable[Item], firsts: Mapping[str, Item], seen: Mapping[str, Claimed]
) -> _Sorted:
    """Each operation by whether its id is new; ``firsts`` are the first ones of each id."""
    live: list[Item] = []
    result = _Sorted(live=live, refused=[], won=0, duplicates=0)
    for item in items:
        name = item.operation_id
        if name:
            first = firsts[name]
            before = seen.get(name)
            if before is not None:
                _sort_seen(item, before.fingerprint, result)
                continue
            if item is not first:
                _sort_seen(item, first.fingerprint, result)
                continue
            result.won += 1
        if item.invalid is not None:
            result.refused.append(
                Refusal(item, item.invalid.code, str(item.invalid), stack_of(item.invalid))
            )
        else:
            live.append(item)
    return result


def _sort_seen(item: Item, fingerprint: bytes, result: _Sorted) -> None:
    """An id that was seen: the same content is a duplicate, another one a conflict."""
    if item.fingerprint == fingerprint:
        result.duplicates += 1
        return
    message = f"operation id {item.shown_id} was used before with another content"
    result.refused.append(Refusal(item, "conflict", message, ""))


def death_of(refusal: Refusal, *, attempts: int) -> Death:
    """The dead letter of a refused operation."""
    return Death(
        record=refusal.item.record,
        operation_id=refusal.item.shown_id,
        code=refusal.code,
        message=refusal.message,
        stack=refusal.stack,
        attempts=attempts,
    )


def parking_of(item: Item, *, due_at: float | None, refusal: Refusal | None) -> Parking:
    """The parked form of an operation that was refused, or that queues."""
    return Parking(
        attempts=-1 if refusal is None else 0,
        record=item.record,
        operation_id=item.shown_id,
        keys=item.held(),
        due_at=due_at,
        code=refusal.code if refusal else "queued",
        message=refusal.message if refusal else "",
        stack=refusal.stack if refusal else "",
    )
