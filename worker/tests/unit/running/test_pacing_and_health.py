from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from database_consumer.health import (
    Change,
    DatabaseHealth,
    DatabaseState,
    HealthView,
    after_failure,
    after_success,
)
from database_consumer.pacing import Pace


def settle(pace: Pace, *, fixed: float, each: float, batches: int = 60) -> Pace:
    """The pace after batches that came whole and half full by turns."""
    for number in range(batches):
        records = pace.limit if number % 2 else max(1, pace.limit // 2)
        pace = pace.after(records, fixed + each * records)
    return pace


def test_a_fast_store_gets_bigger_batches() -> None:
    assert settle(Pace(most=5_000, target=0.1), fixed=0.001, each=0.000_01).limit == 5_000


def test_a_store_that_is_slow_for_each_record_gets_smaller_ones() -> None:
    pace = Pace(most=5_000, target=0.1, limit=1_000)
    assert pace.after(1_000, 10.0).limit == 500
    assert settle(pace, fixed=0.0, each=0.01).limit == 50


def test_the_wanted_time_is_met() -> None:
    pace = settle(Pace(most=5_000, target=0.2), fixed=0.02, each=0.000_2)
    assert 0.15 < 0.02 + 0.000_2 * pace.limit < 0.25


def test_a_slow_commit_is_not_answered_with_small_batches() -> None:
    pace = settle(Pace(most=5_000, target=0.1), fixed=0.3, each=0.000_2)
    assert pace.limit > 1_000


def test_small_batches_of_an_idle_time_do_not_shrink_the_limit() -> None:
    pace = settle(Pace(most=5_000, target=0.2), fixed=0.02, each=0.000_1)
    before = pace.limit
    for number in range(50):
        pace = pace.after(1 + number % 5, 0.02)
    assert pace.limit >= before // 2


@given(
    most=st.integers(1, 50_000),
    steps=st.lists(st.tuples(st.integers(0, 50_000), st.floats(0, 1000))),
)
def test_the_limit_stays_within_its_bounds(most: int, steps: list[tuple[int, float]]) -> None:
    pace = Pace(most=most, target=0.1, limit=min(200, most))
    for records, seconds in steps:
        pace = pace.after(records, seconds)
        assert min(50, most) <= pace.limit <= most


def test_the_first_success_is_a_connection_and_the_next_is_nothing() -> None:
    view, change = after_success(HealthView(), 1.0, by_batch=False, trial=False)
    assert change is Change.FIRST
    assert after_success(view, 2.0, by_batch=True, trial=False)[1] is Change.NONE


def test_a_failure_is_announced_once_and_the_return_once() -> None:
    view, _ = after_success(HealthView(), 1.0, by_batch=False, trial=False)
    view, change = after_failure(view, 2.0, "gone")
    assert (change, view.since, view.reason) == (Change.AWAY, 2.0, "gone")
    view, change = after_failure(view, 3.0, "still gone")
    assert (change, view.since, view.reason) == (Change.NONE, 2.0, "still gone")
    view, change = after_success(view, 4.0, by_batch=False, trial=False)
    assert (change, view.healthy) == (Change.BACK, True)


def test_a_batch_that_had_failed_decides_and_not_a_ping() -> None:
    view, _ = after_success(HealthView(), 1.0, by_batch=False, trial=False)
    view, _ = after_failure(view, 2.0, "disk full")
    view, change = after_success(view, 3.0, by_batch=False, trial=True)
    assert (view.state, change) == (DatabaseState.TRIAL, Change.NONE)
    again, change = after_failure(view, 3.1, "disk full")
    assert (again.state, change) == (DatabaseState.AWAY, Change.NONE)
    assert after_success(view, 3.1, by_batch=True, trial=True)[1] is Change.BACK


def test_a_database_that_was_never_there_is_announced_as_away() -> None:
    view, change = after_failure(HealthView(), 1.0, "refused")
    assert change is Change.AWAY
    assert after_success(view, 2.0, by_batch=False, trial=False)[1] is Change.BACK


def test_whoever_holds_a_failed_batch_is_woken_for_one_try() -> None:
    health = DatabaseHealth(now=0)
    health.succeeded(1, by_batch=False)
    health.failed(2, "gone")
    woken = threading.Event()

    def hold() -> None:
        if health.wait_for_try(30):
            woken.set()

    thread = threading.Thread(target=hold)
    thread.start()
    while not woken.is_set() and thread.is_alive():
        health.succeeded(3, by_batch=False)
    thread.join(5)
    assert woken.is_set()
