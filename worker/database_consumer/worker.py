"""The worker: polls the source, feeds the appliers, follows the database's health, ends in order.

Threads: the caller's (polls, and owns the source), the appliers (batches), the relay (cache and
dead-letter topic), the housekeeper (checks and reports). Each has a store object of its own. The
module is long because the polling thread's states are one machine, told in one place.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from database_consumer.applier import Applier, Counted, Hooks
from database_consumer.cache.base import Cache
from database_consumer.health import Change, DatabaseHealth
from database_consumer.housekeeping import Housekeeper, Rhythm
from database_consumer.intake import Intake
from database_consumer.logs import Tally, logger
from database_consumer.metrics import Metrics
from database_consumer.pacing import Pace
from database_consumer.relay import CacheRelay, LetterRelay, Letters
from database_consumer.relaying import RelayThread
from database_consumer.settings import Settings
from database_consumer.sources.base import Partition, Source, SourceError
from database_consumer.stores.base import Position, Store, StoreKind, StoreUnavailable
from database_consumer.stores.written import Written, WrittenRows
from database_consumer.topics import TopicWatch
from database_consumer.view import DatabaseView, WorkerView
from database_consumer.watching import Progress

SLICE_SECONDS = 0.05
SLICE_RECORDS = 2_000
FULL_SECONDS = 1.0
HINT_SECONDS = 1.0
PLACE_SECONDS = 0.25
SOON_SECONDS = 5.0
WAITING_SECONDS = 30.0

_log = logger("worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a worker is made of; without ``cache`` or ``letters`` nothing is told there.

    ``until_done``: end when the source is exhausted, all is applied and, unless ``leave_parked``,
    nothing is parked any more. ``gaps``: the source's offsets are not consecutive.
    """

    source: Source
    stores: Callable[[], Store]
    cache: Cache | None = None
    letters: Letters | None = None
    until_done: bool = False
    leave_parked: bool = False
    gaps: bool = False


class Worker:
    """One member of the group. ``run`` blocks; ``stop`` may be called from anywhere."""

    def __init__(
        self,
        settings: Settings,
        parts: Parts,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._parts = parts
        self._clock = clock
        self._source = parts.source
        self._group = settings.kafka_group_id
        self._started = clock()
        self._stop = threading.Event()
        self._failure: Exception | None = None
        self._moves: queue.SimpleQueue[tuple[Partition, Position | None]] = queue.SimpleQueue()
        self._store: Store | None = None
        self._assigned: set[Partition] = set()
        self._hinted: dict[Partition, int] = {}
        self._next_hint = 0.0
        self._next_place = 0.0
        self._next_waiting = time.monotonic() + SOON_SECONDS
        self._full_since: float | None = None
        self._paused = False
        self._running = False
        self.finished = False
        self._received = Tally()
        self.metrics = Metrics()
        self.health = DatabaseHealth(now=clock())
        self.intake = Intake(self._group, gaps=parts.gaps)
        self._topics = TopicWatch(parts.source)
        self._progress = Progress(parts.source, self.intake, self.health, self.metrics, clock=clock)
        self._written = WrittenRows()
        self._cache = self._cache_relay()
        self._letters = LetterRelay(parts.letters, clock=clock) if parts.letters else None
        self._appliers: list[Applier] = []
        self._relays: list[RelayThread] = []
        self._keeper: Housekeeper | None = None

    # -- life ---------------------------------------------------------------------------------

    def run(self) -> Exception | None:
        """Works until stopped or, with ``until_done``, until all is done; the failure, if any."""
        self._running = True
        try:
            self._begin()
            if self._wait_for_database():
                self._source.open(self)
                while not self._stop.is_set() and not self.finished:
                    self._turn()
                    self.finished = self._done()
        except SourceError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the end is in order
            _log.exception("the polling thread failed")
            self._fail(error)
        finally:
            self._end()
            self._running = False
        return self._failure

    def stop(self) -> None:
        """End in order; safe in a signal handler."""
        self._stop.set()

    def _begin(self) -> None:
        settings = self._settings
        self._store = self._parts.stores()
        self.metrics.store.info({"kind": str(self._store.kind)})
        self.metrics.fallback.set(int(bool(self._store.fallback_reason)))
        hooks = Hooks(
            move=lambda partition, position: self._moves.put((partition, position)),
            committed=self._committed,
            fail=self._fail,
            announce=self._announce,
        )
        pace = Pace(most=settings.batch_max, target=settings.commit_target_ms / 1000)
        pace = Pace(most=pace.most, target=pace.target, limit=min(200, pace.most))
        self._keeper = Housekeeper(
            self._parts.stores(),
            self.health,
            self.metrics,
            Rhythm(
                check=settings.db_health_check_interval / 1000,
                reconnect=settings.db_reconnect_interval / 1000,
                status=settings.status_interval / 1000,
                inbox_retention=settings.inbox_retention_hours * 3600.0,
            ),
            announce=self._announce,
            report=self._report,
            check_topic=self._check_topics,
            check_cache=self._check_cache,
            clock=self._clock,
        )
        writers = settings.writers or _writers(self._store.kind)
        self._appliers = [
            Applier(
                number,
                self._parts.stores(),
                self.intake,
                self.health,
                self.metrics,
                group=self._group,
                pace=pace,
                hooks=hooks,
                ahead=writers == 1,
                clock=self._clock,
            )
            for number in range(writers)
        ]
        self._keeper.start()

    def _wait_for_database(self) -> bool:
        """Until the database can be written to; says what it waits for."""
        said = time.monotonic() + 1.0
        while not self._stop.is_set() and not self.health.view.healthy:
            if time.monotonic() >= said:
                said = time.monotonic() + self._settings.db_reconnect_interval / 1000
                _log.info("waiting for the database", why=self.health.view.reason)
            self.health.wait_change(0.2)
        if self._stop.is_set():
            return False
        self._begin_relays()
        for applier in self._appliers:
            applier.start()
        return True

    def _begin_relays(self) -> None:
        cache, letters = self._cache, self._letters
        if cache is not None:
            store = self._parts.stores()
            self._relays.append(
                RelayThread("cache-relay", store, self.health, cache.step, check=cache.check)
            )
        if letters is not None:
            store = self._parts.stores()
            self._relays.append(RelayThread("letter-relay", store, self.health, letters.step))
        for relay in self._relays:
            relay.start()

    def _end(self) -> None:
        """Checks, batches in hand, the group, the database, the cache: in this order."""
        deadline = time.monotonic() + self._settings.shutdown_timeout_ms / 1000
        _log.info("stopping")
        if self._keeper is not None:
            self._keeper.stop()
        for applier in self._appliers:
            applier.stop()
        self.intake.close()
        for applier in self._appliers:
            _join(applier, deadline, share=0.6)
        for relay in self._relays:
            relay.stop()
        for relay in self._relays:
            _join(relay, deadline, share=0.7)
        self._hint(force=True)
        self._source.close()
        if self._keeper is not None:
            _join(self._keeper, deadline, share=0.8)
        if self._store is not None:
            self._store.close()
        if self._letters is not None:
            self._letters.close()
        if self._cache is not None:
            self._cache.close()
        _log.info("stopped", failure=str(self._failure) if self._failure else None)

    def _fail(self, error: Exception) -> None:
        if self._failure is None:
            self._failure = error
            _log.error("cannot go on", why=str(error), kind=type(error).__name__)
        self._stop.set()

    # -- the loop -----------------------------------------------------------------------------

    def _turn(self) -> None:
        self._follow_health()
        self._make_moves()
        self._place_waiting()
        if not self._paused and not self._has_room():
            return
        self._say_waiting()
        records = self._source.poll(SLICE_RECORDS, SLICE_SECONDS)
        if records:
            self.metrics.received.inc(len(records))
            self._received.hold(len(records))
            for partition, offset in self.intake.offer(records).items():
                _log.warning("gap read again", partition=str(partition), offset=offset)
                if not self._source.place(partition, offset):
                    self.intake.unplace(partition)
        if count := self._received.add(0):
            _log.info("received", count=count)
        self._hint()

    def _say_waiting(self) -> None:
        """While nothing is assigned: what is waited for, every half minute."""
        if self._assigned:
            self._next_waiting = time.monotonic() + WAITING_SECONDS
        elif time.monotonic() >= self._next_waiting:
            self._next_waiting = time.monotonic() + WAITING_SECONDS
            _log.info(
                "waiting for kafka",
                why="no partition is assigned yet",
                topic=self._settings.topic_db_operations,
                brokers=self._settings.kafka_brokers,
            )

    def _follow_health(self) -> None:
        """Pauses everything while the database is away, or while nothing is taken for long."""
        full = self._full_since is not None and time.monotonic() - self._full_since > FULL_SECONDS
        want = not self.health.view.healthy or full
        if full and self._room(share=0.5):
            self._full_since = None
        if want:
            self._source.pause(self._assigned)
        elif self._paused:
            self._source.resume(self._assigned - set(self.intake.unplaced()))
        self._paused = want

    def _has_room(self) -> bool:
        if self._room():
            self._full_since = None
            return True
        if self._full_since is None:
            self._full_since = time.monotonic()
        settings = self._settings
        return self.intake.wait_room(settings.queue_max_records, settings.queue_max_bytes, 0.1)

    def _room(self, share: float = 1.0) -> bool:
        load = self.intake.load()
        settings = self._settings
        return (
            load.records < settings.queue_max_records * share
            and load.size < settings.queue_max_bytes * share
        )

    def _make_moves(self) -> None:
        """A fenced lane goes on where the store is."""
        while not self._moves.empty():
            partition, _ = self._moves.get()
            self.intake.unplace(partition)
            self._next_place = 0.0

    def _place_waiting(self) -> None:
        """Finds the position of lanes that have none, then lets them flow."""
        if time.monotonic() < self._next_place or not self.health.view.healthy:
            return
        for partition in self.intake.unplaced():
            self._next_place = time.monotonic() + PLACE_SECONDS
            try:
                position = self._position(partition)
            except StoreUnavailable as error:
                self._announce(self.health.failed(self._clock(), str(error)))
                return
            start = position.next_offset if position else None
            if self._source.place(partition, start):
                self.intake.move(partition, position)
                if not self._paused:
                    self._source.resume([partition])

    def _position(self, partition: Partition) -> Position | None:
        if self._store is None:
            raise StoreUnavailable("the store is not open yet")
        place = (self._group, partition.topic, partition.partition)
        try:
            found = self._store.position(*place)
        except StoreUnavailable:
            found = self._store.position(*place)  # the old connection may be dead; this one is new
        self._topics.check(partition.topic, found)
        return found

    def _hint(self, *, force: bool = False) -> None:
        now = time.monotonic()
        if now < self._next_hint and not force:
            return
        self._next_hint = now + HINT_SECONDS
        changed = {
            partition: offset
            for partition, offset in self.intake.positions().items()
            if offset is not None and self._hinted.get(partition) != offset
        }
        if changed:
            self._hinted |= changed
            self._source.hint(changed)
        self._progress.look()
        self._measure()

    def _done(self) -> bool:
        if not self._parts.until_done or not self._source.exhausted:
            return False
        load = self.intake.load()
        if load.records or load.in_hand or self.intake.unplaced() or not self._moves.empty():
            return False
        if self._parts.leave_parked or self._store is None:
            return True
        try:
            waiting = self._store.counts().parked
        except StoreUnavailable:
            return False
        return waiting == 0

    # -- what the source tells ----------------------------------------------------------------

    def assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int | None]:
        """See :class:`database_consumer.sources.base.Listener`."""
        starts: dict[Partition, int | None] = {}
        ids: dict[str, str | None] = {}
        for topic in {partition.topic for partition in partitions}:
            ids[topic] = self._topics.learn(topic)
        for partition in partitions:
            self._assigned.add(partition)
            self._hinted.pop(partition, None)
            topic_id = ids[partition.topic]
            try:
                position = self._position(partition)
            except StoreUnavailable as error:
                self._announce(self.health.failed(self._clock(), str(error)))
                self.intake.assign(partition, None, topic_id=topic_id, placed=False)
                continue
            self.intake.assign(partition, position, topic_id=topic_id, placed=True)
            starts[partition] = position.next_offset if position else None
        self.metrics.assigned.set(len(self._assigned))
        return starts

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """Stops intake, lets batches in hand end within a fifth of the poll interval, lets go."""
        self.intake.leave(partitions)
        limit = self._settings.consumer_max_poll_interval / 1000 / 5
        if self._stop.is_set():
            limit = min(limit, 1.0)
        if not self.intake.wait_idle(partitions, limit):
            _log.warning("a batch is still in hand: the fence decides who writes it")
        self._hint(force=True)
        self._forget(partitions)

    def lost(self, partitions: Sequence[Partition]) -> None:
        """Drops what is queued; a batch in hand meets the fence."""
        self.intake.leave(partitions)
        self._forget(partitions)

    def _forget(self, partitions: Sequence[Partition]) -> None:
        self.intake.drop(partitions)
        self._assigned.difference_update(partitions)
        self.metrics.assigned.set(len(self._assigned))
        self._progress.forget(partitions)

    # -- what is told -------------------------------------------------------------------------

    def _committed(self, written: Sequence[Written]) -> None:
        if self._cache is not None:
            self._written.keep(written)
        for relay in self._relays:
            relay.wake()

    def _check_cache(self) -> None:
        for relay in self._relays:
            relay.check()

    def _announce(self, change: Change) -> None:
        kind = str(self._store.kind) if self._store is not None else ""
        self._progress.announce(change, database=kind)

    def _measure(self) -> None:
        self._progress.measure(
            paused=self._paused,
            cache=self._cache.view if self._cache is not None else None,
            published=self._letters.published if self._letters is not None else 0,
        )

    def _check_topics(self) -> None:
        """Not while the database is away: its return must not wait for a broker's answer."""
        if not self.health.view.healthy:
            return
        try:
            self.metrics.retention.set(self._topics.look_again())
        except SourceError as error:
            self._fail(error)

    def counted(self) -> Counted:
        """What all appliers did since the start."""
        out = Counted()
        for applier in self._appliers:
            out = out.with_all(applier.counted)
        return out

    def view(self) -> WorkerView:
        """Everything that a status page shows, as values."""
        health = self.health.view
        counts = self._keeper.counts if self._keeper is not None else None
        cache = self._cache.view if self._cache is not None else None
        now = self._clock()
        return WorkerView(
            running=self._running and not self._stop.is_set(),
            paused=self._paused,
            pending=self._progress.pending(),
            uptime=now - self._started,
            partitions=tuple(sorted(str(one) for one in self._assigned)),
            database=DatabaseView(
                kind=str(self._store.kind) if self._store is not None else "",
                healthy=health.healthy,
                last_check=health.last_check,
                uptime=now - health.since if health.healthy else 0.0,
                reason=health.reason,
                fallback=self._store.fallback_reason if self._store is not None else "",
            ),
            cache=cache,
            counts=counts,
            counted=self.counted(),
        )

    def _report(self) -> None:
        self._measure()
        _log.info("status", **self.view().line())

    def _cache_relay(self) -> CacheRelay | None:
        if self._parts.cache is None:
            return None
        return CacheRelay(
            self._parts.cache,
            ttl_seconds=self._settings.cache_ttl_seconds,
            tombstone_seconds=self._settings.cache_tombstone_seconds,
            written=self._written,
            clock=self._clock,
        )


def _writers(kind: StoreKind) -> int:
    """One writes while another's commit is on its way; a file takes one writer at a time."""
    return 2 if kind is StoreKind.MYSQL else 1


def _join(thread: threading.Thread, deadline: float, *, share: float) -> None:
    if thread.is_alive():
        thread.join(max(0.1, (deadline - time.monotonic()) * share))
        if thread.is_alive():
            _log.warning("did not end in time", thread=thread.name)
