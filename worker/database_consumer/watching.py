"""What a worker knows of its own progress: lag, backlog, the announcements, the metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from database_consumer.health import Change, DatabaseHealth
from database_consumer.intake import Intake
from database_consumer.logs import logger
from database_consumer.metrics import Metrics
from database_consumer.relay import CacheView
from database_consumer.sources.base import Partition, Source

_log = logger("worker")


class Progress:
    """Reads the intake and the source; ``look`` belongs to the polling thread alone."""

    def __init__(
        self,
        source: Source,
        intake: Intake,
        health: DatabaseHealth,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._intake = intake
        self._health = health
        self._metrics = metrics
        self._clock = clock
        self._behind: dict[Partition, int] = {}

    def look(self) -> None:
        """Learn how far each partition is behind.

        On the polling thread only: a second thread inside the client can lock both up.
        """
        behind: dict[Partition, int] = {}
        for partition, position in self._intake.positions().items():
            lag = self._source.lag(partition)
            if lag is not None:
                behind[partition] = max(0, lag.high - (lag.low if position is None else position))
        self._behind = behind

    def forget(self, partitions: Iterable[Partition]) -> None:
        """These are another member's: their lag is shown there."""
        gone = set(partitions)
        self._behind = {one: lag for one, lag in self._behind.items() if one not in gone}
        for partition in gone:
            self._metrics.lag.remove_by_labels(
                {"topic": partition.topic, "partition": str(partition.partition)}
            )

    def pending(self) -> int:
        """Records that the source holds or has delivered and that are not applied yet."""
        load = self._intake.load()
        return max(sum(self._behind.values()), load.records + load.in_hand)

    def announce(self, change: Change, *, database: str) -> None:
        """One line for each change of the database's state."""
        if change is Change.FIRST:
            _log.info("connected", database=database)
        elif change is Change.AWAY:
            reason = self._health.view.reason
            _log.error("database unhealthy", database=database, why=reason)
        elif change is Change.BACK:
            _log.info("database healthy again", database=database)
            _log.info(f"working off {self.pending()} pending", pending=self.pending())

    def measure(self, *, paused: bool, cache: CacheView | None, published: int) -> None:
        """Bring the gauges up to date."""
        load = self._intake.load()
        shown = self._metrics
        shown.queued.set(load.records)
        shown.queued_bytes.set(load.size)
        shown.healthy.set(int(self._health.view.healthy))
        shown.paused.set(int(paused))
        shown.published.set(published)
        oldest = min((one for one in self._intake.oldest().values() if one), default=0)
        shown.backlog_age.set(max(0.0, self._clock() - oldest / 1000) if oldest else 0)
        if cache is not None:
            shown.cache_healthy.set(int(cache.healthy))
            shown.cache_epoch.set(float(cache.epoch or 0))
            shown.cache_written.set(cache.written)
        for partition, behind in self._behind.items():
            shown.lag.labels(partition.topic, str(partition.partition)).set(behind)
