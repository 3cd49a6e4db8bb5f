from __future__ import annotations

from typing import Any

from database_consumer.applier import Applier, Hooks
from database_consumer.health import Change, DatabaseHealth
from database_consumer.intake import Intake
from database_consumer.metrics import Metrics
from database_consumer.pacing import Pace
from database_consumer.stores.base import StoreUnavailable


class Cut:
    """A store whose connection was cut: its first ``times`` questions fail."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.asked = 0

    def due_parked(self, _group: str, _now: float) -> int:
        self.asked += 1
        if self.left:
            self.left -= 1
            raise StoreUnavailable("gone away")
        return 0


def applier(store: Any, health: DatabaseHealth, told: list[Change]) -> Applier:
    return Applier(
        0,
        store,
        Intake("g"),
        health,
        Metrics(),
        group="g",
        pace=Pace(most=10, target=0.1, limit=10),
        hooks=Hooks(
            move=lambda _partition, _position: None,
            committed=lambda _: None,
            fail=lambda _error: None,
            announce=told.append,
        ),
        clock=lambda: 100.0,
    )


def healthy() -> DatabaseHealth:
    health = DatabaseHealth(now=0.0)
    health.succeeded(0.0, by_batch=False)
    return health


def test_a_connection_that_an_outage_left_dead_is_no_second_outage() -> None:
    store, health, told = Cut(1), healthy(), list[Change]()
    applier(store, health, told)._retry_parked()
    assert store.asked == 2
    assert health.view.healthy
    assert told == []


def test_a_database_that_is_away_is_told_of() -> None:
    store, health, told = Cut(2), healthy(), list[Change]()
    applier(store, health, told)._retry_parked()
    assert not health.view.healthy
    assert told == [Change.AWAY]
