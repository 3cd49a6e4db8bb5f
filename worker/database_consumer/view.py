"""What a worker shows of itself: values for the status line, `/status` and `/readyz`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from database_consumer.applier import Counted
from database_consumer.relay import CacheView
from database_consumer.stores.base import StoreCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseView:
    """The database: ``last_check`` in seconds since the epoch, ``uptime`` in seconds.

    ``fallback``: why a JSON file stands in for SQLite, else empty.
    """

    kind: str
    healthy: bool
    last_check: float
    uptime: float
    reason: str
    fallback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerView:
    """The worker at one moment; ``cache`` None: none is configured."""

    running: bool
    paused: bool
    pending: int
    uptime: float
    partitions: tuple[str, ...]
    database: DatabaseView
    cache: CacheView | None
    counts: StoreCounts | None
    counted: Counted

    @property
    def ready(self) -> bool:
        """Whether operations that arrive now are applied now."""
        return self.running and self.database.healthy and bool(self.partitions)

    def line(self) -> dict[str, Any]:
        """The status line: consumer, database and redis."""
        return {
            "consumer": {
                "running": self.running,
                "paused": self.paused,
                "pending": self.pending,
                "databaseHealthy": self.database.healthy,
            },
            "database": {
                "healthy": self.database.healthy,
                "lastCheck": _stamp(self.database.last_check),
                "uptime": round(self.database.uptime, 1),
            },
            "redis": "none" if self.cache is None else _state(healthy=self.cache.healthy),
        }

    def document(self) -> dict[str, Any]:
        """The whole, ready for JSON."""
        counts, cache = self.counts, self.cache
        return {
            "schema": "database-consumer.status/1",
            "ready": self.ready,
            **self.line(),
            "store": {
                "kind": self.database.kind,
                "fallback": self.database.fallback,
                "reason": self.database.reason,
            },
            "uptime": round(self.uptime, 1),
            "partitions": list(self.partitions),
            "operations": {
                "applied": self.counted.applied,
                "duplicates": self.counted.duplicates,
                "dead": self.counted.dead,
                "parked": self.counted.parked,
                "unmatched": self.counted.unmatched,
            },
            "waiting": {
                "parked": counts.parked if counts else None,
                "deadLetters": counts.dead_letters if counts else None,
                "unpublishedDeadLetters": counts.unpublished_dead_letters if counts else None,
                "cacheIntents": counts.cache_intents if counts else None,
            },
            "cache": {
                "kind": cache.kind,
                "healthy": cache.healthy,
                "epoch": cache.epoch,
                "reason": cache.reason,
            }
            if cache is not None
            else None,
        }


def _state(*, healthy: bool) -> str:
    return "healthy" if healthy else "away"


def _stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
