"""Every metric that the worker shows, in a registry of its own."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

PREFIX = "database_consumer"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_RECORDS = (1, 5, 10, 25, 50, 100, 250, 500, 1000, 2000, 5000)


class Metrics:
    """The metrics as attributes; ``names`` lists what a dashboard may ask for."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.received = self._counter("records_received", "Records read from the source")
        self.operations = self._counter(
            "operations", "Operations by what became of them", ("outcome",)
        )
        self.batches = self._counter("batches", "Batches by result", ("result",))
        self.batch_size = self._histogram("batch_records", "Records in a batch", _RECORDS)
        self.commit = self._histogram("commit_seconds", "One batch's transaction", _SECONDS)
        self.delay = self._histogram(
            "delay_seconds",
            "From the record's timestamp to its commit, oldest of a batch",
            _SECONDS,
        )
        self.retries = self._counter("retries", "Parked operations tried again", ("result",))
        self.parked = self._gauge("parked_operations", "Operations that wait for their retry")
        self.parked_age = self._gauge("parked_age_seconds", "Age of the oldest parked operation")
        self.dead_letters = self._gauge("dead_letters", "Dead letters in the table")
        self.unpublished = self._gauge(
            "dead_letters_unpublished", "Dead letters that the topic does not have yet"
        )
        self.published = self._gauge(
            "dead_letters_published", "Dead letters that this worker gave the topic"
        )
        self.lag = self._gauge("lag_records", "Records behind the end", ("topic", "partition"))
        self.backlog_age = self._gauge(
            "backlog_age_seconds", "Age of the oldest record that was read and is not applied"
        )
        self.retention = self._gauge(
            "topic_retention_seconds", "How long the topic keeps records; 0: for ever or unknown"
        )
        self.queued = self._gauge("queued_records", "Records read and not applied yet")
        self.queued_bytes = self._gauge("queued_bytes", "Memory that queued records hold, roughly")
        self.batch_limit = self._gauge("batch_limit_records", "The adaptive size of a batch")
        self.healthy = self._gauge("database_healthy", "1 when batches may flow")
        self.paused = self._gauge("paused", "1 when reading is paused")
        self.assigned = self._gauge("assigned_partitions", "Partitions of this member")
        self.cache_healthy = self._gauge("cache_healthy", "1 when the cache answers")
        self.cache_epoch = self._gauge("cache_epoch", "The cache namespace's epoch")
        self.cache_written = self._gauge("cache_entries_written", "Entries that the relay wrote")
        self.cache_intents = self._gauge("cache_intents", "Changes the cache was not told yet")
        self.fallback = self._gauge(
            "store_fallback", "1 when the JSON file stands in for a driver that cannot load"
        )
        self.store = Info(f"{PREFIX}_store", "The store in force", registry=self.registry)

    def names(self) -> frozenset[str]:
        """The sample names that a scrape shows, labels aside; counters end in `_total`."""
        out: set[str] = set()
        for family in self.registry.collect():
            suffixes = {
                "counter": ("_total",),
                "histogram": ("_bucket", "_count", "_sum"),
                "info": ("_info",),
            }.get(family.type, ("",))
            out |= {family.name + ending for ending in suffixes}
        return frozenset(out)

    def _counter(self, name: str, text: str, labels: Iterable[str] = ()) -> Counter:
        return Counter(f"{PREFIX}_{name}", text, tuple(labels), registry=self.registry)

    def _gauge(self, name: str, text: str, labels: Iterable[str] = ()) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", text, tuple(labels), registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"{PREFIX}_{name}", text, buckets=buckets, registry=self.registry)
