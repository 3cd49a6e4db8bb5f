"""The thread that applies batches: one store of its own, one batch at a time.

A systemic failure keeps the batch in hand and tries it again for ever; nothing is burned and
nothing becomes a dead letter because a server is away. Parked operations are tried again here,
between batches, so that waiting keys never hold up the others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from database_consumer.health import Change, DatabaseHealth
from database_consumer.intake import Intake, Work
from database_consumer.logs import Repeats, Tally, logger
from database_consumer.metrics import Metrics
from database_consumer.pacing import Pace
from database_consumer.sources.base import Partition
from database_consumer.stores.base import (
    Applied,
    Fenced,
    Position,
    Record,
    Store,
    StoreUnavailable,
    TopicRecreated,
)
from database_consumer.stores.written import Written

TAKE_SECONDS = 0.1
BATCH_BYTES = 4 * 1024 * 1024
PARKED_SECONDS = 1.0
"""How often parked operations are looked for: another worker may have parked them."""

_log = logger("applier")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Whom an applier tells: of a lane that must move, of work for the relay, of the end."""

    move: Callable[[Partition, Position | None], None]
    committed: Callable[[Sequence[Written]], None]
    fail: Callable[[Exception], None]
    announce: Callable[[Change], None]


class Applier(threading.Thread):
    """Takes batches from the intake until it is told to stop.

    ``ahead``: it is the only one, so that what comes next can be decoded while it commits.
    """

    def __init__(
        self,
        number: int,
        store: Store,
        intake: Intake,
        health: DatabaseHealth,
        metrics: Metrics,
        *,
        group: str,
        pace: Pace,
        hooks: Hooks,
        ahead: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(name=f"applier-{number}", daemon=True)
        self._store = store
        self._intake = intake
        self._health = health
        self._metrics = metrics
        self._group = group
        self._hooks = hooks
        self._coming = self._next if ahead else None
        self._clock = clock
        self._stopping = threading.Event()
        self._retry_at = 0.0
        self._processed = Tally()
        self._repeats = Repeats()
        self.pace = pace
        self.counted = Counted()

    def stop(self) -> None:
        """Finish what is in hand if that is possible now, then end."""
        self._stopping.set()

    def run(self) -> None:
        """Until stopped; the store is closed on the way out."""
        with suppress(StoreUnavailable):
            self._store.open()
        try:
            while not self._stopping.is_set():
                work = self._intake.take(
                    self.pace.limit, timeout=TAKE_SECONDS, bytes_limit=BATCH_BYTES
                )
                if work is not None:
                    self._finish(work)
                if not self._stopping.is_set():
                    self._retry_parked()
                self._tell()
        except Exception as error:  # noqa: BLE001 -- the last frame of a thread: the worker must hear of it
            self._hooks.fail(error)
        finally:
            self._store.close()

    def _finish(self, work: Work) -> None:
        fresh = self._health.view.healthy
        while self._intake.owned(work):
            started = time.monotonic()
            try:
                result = self._store.apply(work.batch, now=self._clock(), coming=self._coming)
            except TopicRecreated as error:
                self._intake.done(work, None)
                self._hooks.fail(error)
                return
            except Exception as error:  # noqa: BLE001 -- an unknown failure must not lose the batch either
                if fresh and isinstance(error, StoreUnavailable):
                    # a connection that was cut meanwhile is no outage: the next use is a new one
                    fresh = False
                    continue
                self._failed(error)
                if not self._may_try(work):
                    break
                continue
            self._repeats.forget()
            self._hooks.announce(self._health.succeeded(self._clock(), by_batch=True))
            self._count(work, result, time.monotonic() - started)
            return
        self._intake.done(work, None)

    def _next(self) -> Sequence[Record]:
        return self._intake.coming(self.pace.limit)

    def _failed(self, error: Exception) -> None:
        if isinstance(error, StoreUnavailable):
            reason = str(error)
        else:
            reason = f"{type(error).__name__}: {error}"
            _log.error(
                "batch failed for an unknown reason, tried again", **self._repeats.told(error)
            )
        self._metrics.batches.labels("unavailable").inc()
        self._hooks.announce(self._health.failed(self._clock(), reason))

    def _may_try(self, work: Work) -> bool:
        while not self._stopping.is_set() and self._intake.owned(work):
            if self._health.wait_for_try(0.25):
                return True
        return False

    def _count(self, work: Work, result: Applied | Fenced, seconds: float) -> None:
        if isinstance(result, Fenced):
            self._metrics.batches.labels("fenced").inc()
            _log.warning("fenced", partition=str(work.partition), position=str(result.position))
            self._hooks.move(work.partition, result.position)
            self._intake.done(work, None)
            return
        self._intake.done(work, result.position)
        records = len(work.batch.records)
        self.pace = self.pace.after(records, seconds)
        self._metrics.batches.labels("applied").inc()
        self._metrics.batch_size.observe(records)
        self._metrics.commit.observe(seconds)
        self._metrics.batch_limit.set(self.pace.limit)
        oldest = work.batch.records[0].timestamp_ms
        if oldest:
            self._metrics.delay.observe(max(0.0, self._clock() - oldest / 1000))
        outcome = self._metrics.operations.labels
        applied = max(0, records - result.duplicates - result.dead - result.parked)
        for name, count in (
            ("applied", applied),
            ("duplicate", result.duplicates),
            ("dead", result.dead),
            ("parked", result.parked),
            ("unmatched", result.unmatched),
        ):
            if count:
                outcome(name).inc(count)
        self.counted = self.counted.plus(applied, result)
        self._processed.hold(records)
        if result.parked:
            self._retry_at = 0.0
        self._hooks.committed(result.written)

    def _retry_parked(self) -> None:
        now = self._clock()
        if now < self._retry_at or not self._health.view.healthy:
            return
        self._retry_at = now + PARKED_SECONDS
        try:
            if not self._due_parked(now):
                return
            outcome = self._store.retry_parked(self._group, now)
        except Exception as error:  # noqa: BLE001 -- as in _finish
            self._failed(error)
            return
        for name, count in (
            ("applied", outcome.applied),
            ("again", outcome.again),
            ("dead", outcome.dead),
        ):
            if count:
                self._metrics.retries.labels(name).inc(count)
                _log.info("retried", result=name, count=count)
        self.counted = self.counted.retried(outcome.applied, outcome.dead)
        if outcome.applied or outcome.dead:
            self._retry_at = 0.0
        self._hooks.committed(())

    def _due_parked(self, now: float) -> int:
        """As in `_finish`: the connection may be one that an outage left dead, the next is new."""
        try:
            return self._store.due_parked(self._group, now)
        except StoreUnavailable:
            return self._store.due_parked(self._group, now)

    def _tell(self) -> None:
        if count := self._processed.add(0):
            _log.info("processed", count=count, batch_limit=self.pace.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What an applier did since its start."""

    applied: int = 0
    duplicates: int = 0
    dead: int = 0
    parked: int = 0
    unmatched: int = 0

    def with_all(self, other: Counted) -> Counted:
        """The sum of both."""
        return Counted(
            applied=self.applied + other.applied,
            duplicates=self.duplicates + other.duplicates,
            dead=self.dead + other.dead,
            parked=self.parked + other.parked,
            unmatched=self.unmatched + other.unmatched,
        )

    def plus(self, applied: int, result: Applied) -> Counted:
        """With one more batch."""
        return self.with_all(
            Counted(
                applied=applied,
                duplicates=result.duplicates,
                dead=result.dead,
                parked=result.parked,
                unmatched=result.unmatched,
            )
        )

    def retried(self, applied: int, dead: int) -> Counted:
        """With parked operations that were applied, or that are dead letters now."""
        return self.with_all(Counted(applied=applied, dead=dead))
