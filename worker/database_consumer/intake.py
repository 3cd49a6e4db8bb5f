"""What was read and is not applied yet: one bounded lane per partition, between two threads.

The polling thread offers records and learns where to seek; the applying threads take one batch of
one lane at a time, so that a partition's order is kept. A record that does not belong (revoked
partition, offset below the expected one) is dropped here; a gap is read once more before it is
believed, because compaction leaves gaps and client bugs do too.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from database_consumer.sources.base import Partition
from database_consumer.stores.base import Batch, Position, Record

OVERHEAD = 200
"""Bytes that a queued record costs beyond its key and value, roughly."""


@dataclass(slots=True, kw_only=True)
class Lane:
    """One partition's queue.

    ``expected`` is the store's position (the fence), ``fetch`` the offset that should come next
    from the source; None: unknown, any offset is taken. ``generation`` tells one assignment of the
    partition from the next.
    """

    partition: Partition
    generation: int
    expected: int | None
    fetch: int | None
    topic_id: str | None = None
    records: deque[Record] = field(default_factory=deque)
    size: int = 0
    in_hand: int = 0
    gap: tuple[int, int] | None = None
    placed: bool = True
    leaving: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A batch in an applier's hand; ``generation`` is the lane's."""

    batch: Batch
    partition: Partition
    generation: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much waits."""

    records: int
    size: int
    in_hand: int


class Intake:
    """Every lane, under one lock."""

    def __init__(self, group: str, *, gaps: bool = False) -> None:
        self._group = group
        self._gaps = gaps
        self._lanes: dict[Partition, Lane] = {}
        self._turns: deque[Partition] = deque()
        self._changed = threading.Condition()
        self._generation = 0
        self._closed = False

    def assign(
        self, partition: Partition, position: Position | None, *, topic_id: str | None, placed: bool
    ) -> None:
        """A new lane; ``placed`` False: the store could not be asked yet, nothing is taken."""
        with self._changed:
            self._generation += 1
            start = position.next_offset if position else None
            self._lanes[partition] = Lane(
                partition=partition,
                generation=self._generation,
                expected=start,
                fetch=start,
                topic_id=topic_id,
                placed=placed,
            )
            if partition not in self._turns:
                self._turns.append(partition)

    def move(self, partition: Partition, position: Position | None) -> None:
        """The lane goes on at ``position``, whatever it held before."""
        with self._changed:
            lane = self._lanes.get(partition)
            if lane is None:
                return
            lane.records.clear()
            lane.size = 0
            lane.gap = None
            lane.expected = lane.fetch = position.next_offset if position else None
            lane.placed = True
            self._changed.notify_all()

    def unplace(self, partition: Partition) -> None:
        """Nothing is taken for this lane until :meth:`move`."""
        with self._changed:
            if lane := self._lanes.get(partition):
                lane.records.clear()
                lane.size = 0
                lane.placed = False

    def unplaced(self) -> tuple[Partition, ...]:
        """The lanes whose position is still to be found."""
        with self._changed:
            return tuple(
                lane.partition
                for lane in self._lanes.values()
                if not lane.placed and not lane.leaving
            )

    def leave(self, partitions: Iterable[Partition]) -> None:
        """These are about to go: nothing more is taken, a batch that failed is given up."""
        with self._changed:
            for partition in partitions:
                if lane := self._lanes.get(partition):
                    lane.records.clear()
                    lane.size = 0
                    lane.placed = False
                    lane.leaving = True
            self._changed.notify_all()

    def drop(self, partitions: Iterable[Partition]) -> None:
        """Forgets these lanes; a batch in hand is its applier's to finish or to give up."""
        with self._changed:
            for partition in partitions:
                self._lanes.pop(partition, None)
            self._turns = deque(one for one in self._turns if one in self._lanes)
            self._changed.notify_all()

    def offer(self, records: Sequence[Record]) -> Mapping[Partition, int]:
        """Queues records; gives the partitions to seek, with the offset to read again."""
        seeks: dict[Partition, int] = {}
        with self._changed:
            for record in records:
                partition = Partition(record.topic, record.partition)
                lane = self._lanes.get(partition)
                if lane is None or not lane.placed or partition in seeks:
                    continue
                if lane.fetch is not None and not self._fits(lane, record, seeks):
                    continue
                lane.records.append(record)
                lane.size += cost(record)
                lane.fetch = record.offset + 1
            self._changed.notify_all()
        return seeks

    def _fits(self, lane: Lane, record: Record, seeks: dict[Partition, int]) -> bool:
        wanted = lane.fetch
        if wanted is None or record.offset == wanted:
            return True
        if record.offset < wanted:
            return False
        found = (wanted, record.offset)
        if self._gaps or lane.gap == found:
            lane.gap = None
            return True
        lane.gap = found
        seeks[lane.partition] = wanted
        return False

    def take(self, limit: int, *, timeout: float, bytes_limit: int) -> Work | None:
        """The next batch of a lane that nobody has in hand; None after ``timeout`` seconds."""
        with self._changed:
            work = self._next(limit, bytes_limit)
            if work is None and not self._closed:
                self._changed.wait(timeout)
                work = self._next(limit, bytes_limit)
            return work

    def _next(self, limit: int, bytes_limit: int) -> Work | None:
        if self._closed:
            return None
        for _ in range(len(self._turns)):
            self._turns.rotate(-1)
            lane = self._lanes[self._turns[-1]]
            if lane.records and lane.placed and not lane.in_hand:
                return self._batch(lane, limit, bytes_limit)
        return None

    def _batch(self, lane: Lane, limit: int, bytes_limit: int) -> Work:
        out: list[Record] = []
        size = 0
        while lane.records and len(out) < limit and (not out or size < bytes_limit):
            record = lane.records.popleft()
            size += cost(record)
            out.append(record)
        lane.size -= size
        lane.in_hand = len(out)
        batch = Batch(
            group=self._group,
            topic=lane.partition.topic,
            partition=lane.partition.partition,
            expected=lane.expected,
            next_offset=out[-1].offset + 1,
            records=tuple(out),
            topic_id=lane.topic_id,
        )
        return Work(batch=batch, partition=lane.partition, generation=lane.generation, size=size)

    def coming(self, limit: int) -> Sequence[Record]:
        """What the next :meth:`take` will likely give, when one applier takes all; a guess."""
        with self._changed:
            for partition in self._turns:
                lane = self._lanes[partition]
                if lane.records and lane.placed:
                    return tuple(islice(lane.records, limit))
            return ()

    def owned(self, work: Work) -> bool:
        """Whether the lane that ``work`` was taken from is still this assignment's."""
        with self._changed:
            lane = self._lanes.get(work.partition)
            return lane is not None and lane.generation == work.generation and not lane.leaving

    def done(self, work: Work, position: Position | None) -> None:
        """The applier is through; ``position`` is the store's now, None: the work was given up."""
        with self._changed:
            lane = self._lanes.get(work.partition)
            if lane is not None and lane.generation == work.generation:
                lane.in_hand = 0
                if position is not None:
                    lane.expected = position.next_offset
            self._changed.notify_all()

    def wait_idle(self, partitions: Sequence[Partition], timeout: float) -> bool:
        """Waits until nothing of these is in hand; False after ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(
                lambda: (
                    not any(
                        lane.in_hand
                        for one in partitions
                        if (lane := self._lanes.get(one)) is not None
                    )
                ),
                timeout,
            )

    def wait_room(self, records: int, size: int, timeout: float) -> bool:
        """Waits until fewer records and bytes than these are queued."""
        with self._changed:
            return self._changed.wait_for(
                lambda: (
                    self._closed or (self._load().records < records and self._load().size < size)
                ),
                timeout,
            )

    def load(self) -> Load:
        """What is queued and in hand now."""
        with self._changed:
            return self._load()

    def _load(self) -> Load:
        lanes = self._lanes.values()
        return Load(
            records=sum(len(lane.records) for lane in lanes),
            size=sum(lane.size for lane in lanes),
            in_hand=sum(lane.in_hand for lane in lanes),
        )

    def positions(self) -> Mapping[Partition, int | None]:
        """Every lane's stored position."""
        with self._changed:
            return {lane.partition: lane.expected for lane in self._lanes.values()}

    def oldest(self) -> Mapping[Partition, int]:
        """The timestamp (ms) of every lane's first queued record."""
        with self._changed:
            return {
                lane.partition: lane.records[0].timestamp_ms
                for lane in self._lanes.values()
                if lane.records
            }

    def close(self) -> None:
        """Nothing is taken any more; whoever waits returns."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def cost(record: Record) -> int:
    """About how many bytes of memory a queued record holds."""
    return OVERHEAD + len(record.key or b"") + len(record.value or b"")
