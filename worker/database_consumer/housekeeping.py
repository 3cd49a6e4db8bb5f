"""The thread of regular duties: health checks, the status line, counts, pruning, the topic's id."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from database_consumer.health import Change, DatabaseHealth, DatabaseState
from database_consumer.logs import Repeats, logger
from database_consumer.metrics import Metrics
from database_consumer.stores.base import Store, StoreCounts, StoreUnavailable

COUNT_SECONDS = 5.0
PRUNE_SECONDS = 60.0
PRUNE_STEPS = 5
TOPIC_SECONDS = 15.0

_log = logger("housekeeping")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """Seconds between checks of a healthy database, of one that is away, and status lines."""

    check: float
    reconnect: float
    status: float
    inbox_retention: float


class Housekeeper(threading.Thread):
    """Checks and reports with a store of its own, so that a long batch hides nothing."""

    def __init__(
        self,
        store: Store,
        health: DatabaseHealth,
        metrics: Metrics,
        rhythm: Rhythm,
        *,
        announce: Callable[[Change], None],
        report: Callable[[], None],
        check_topic: Callable[[], None],
        check_cache: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(name="housekeeper", daemon=True)
        self._store = store
        self._health = health
        self._metrics = metrics
        self._rhythm = rhythm
        self._announce = announce
        self._report = report
        self._check_topic = check_topic
        self._check_cache = check_cache
        self._clock = clock
        self._stopping = threading.Event()
        self._opened = False
        self._due: dict[str, float] = {}
        self._repeats: defaultdict[str, Repeats] = defaultdict(Repeats)
        self.counts: StoreCounts | None = None

    def stop(self) -> None:
        """End after the duty in hand."""
        self._stopping.set()
        self._health.stop()

    def run(self) -> None:
        """Until stopped; the store is closed on the way out."""
        duties: tuple[tuple[str, Callable[[], None], Callable[[], float]], ...] = (
            ("database", self._check_database, self._check_pause),
            ("counts", self._count, lambda: COUNT_SECONDS),
            ("cache", self._check_cache, lambda: self._rhythm.check),
            ("topic", self._check_topic, lambda: TOPIC_SECONDS),
            ("prune", self._prune, lambda: PRUNE_SECONDS),
            ("status", self._report, lambda: self._rhythm.status),
        )
        self._due["status"] = time.monotonic() + self._rhythm.status
        try:
            while not self._stopping.is_set():
                for name, duty, pause in duties:
                    if not self._stopping.is_set() and time.monotonic() >= self._due.get(name, 0):
                        started = time.monotonic()
                        self._do(name, duty)
                        self._due[name] = started + pause()
                self._wait()
        finally:
            self._store.close()

    def _wait(self) -> None:
        """Until the next duty; a batch that failed brings the next check forward."""
        before = self._health.view.state
        left = min(self._due.values()) - time.monotonic()
        self._health.wait_change(max(0.01, min(left, 1.0)))
        after = self._health.view.state
        if before is not DatabaseState.AWAY and after is DatabaseState.AWAY:
            soon = time.monotonic() + self._rhythm.reconnect
            self._due["database"] = min(self._due["database"], soon)

    def _do(self, name: str, duty: Callable[[], None]) -> None:
        try:
            duty()
            self._repeats[name].forget()
        except StoreUnavailable as error:
            self._announce(self._health.failed(self._clock(), str(error)))
        except Exception as error:  # noqa: BLE001 -- one duty that fails must not end the others
            _log.error("duty failed", duty=name, **self._repeats[name].told(error))
            if duty == self._check_database:
                self._announce(self._health.failed(self._clock(), f"{error}"))

    def _check_pause(self) -> float:
        return self._rhythm.check if self._health.view.healthy else self._rhythm.reconnect

    def _check_database(self) -> None:
        if not self._opened:
            self._store.open()
            self._store.ensure_schema()
            self._opened = True
        try:
            self._store.ping()
        except StoreUnavailable:
            self._store.ping()  # the old connection may be dead; this one is new
        self._announce(self._health.succeeded(self._clock(), by_batch=False))

    def _count(self) -> None:
        if not self._health.view.healthy:
            return
        counts = self.counts = self._store.counts()
        now = self._clock()
        shown = self._metrics
        shown.parked.set(counts.parked)
        shown.parked_age.set(now - counts.oldest_parked if counts.oldest_parked else 0)
        shown.dead_letters.set(counts.dead_letters)
        shown.unpublished.set(counts.unpublished_dead_letters)
        shown.cache_intents.set(counts.cache_intents)

    def _prune(self) -> None:
        """A stretch of the inbox; the store remembers where it was."""
        if not self._health.view.healthy:
            return
        before = self._clock() - self._rhythm.inbox_retention
        for _ in range(PRUNE_STEPS):
            self._store.prune_inbox(before)
            if self._stopping.wait(0.1):
                return
