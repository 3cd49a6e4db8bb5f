"""From nothing to ready, again and again: what comes first after "ready" succeeds."""

import time
from pathlib import Path

import pytest

from tests.integration.stack_project import (
    ROUNDS,
    alive,
    first_join,
    first_produce,
    project,
    read_from_redis_and_mysql,
    set_in_redis_and_mysql,
)


@pytest.mark.parametrize("mode", ["zookeeper", "kraft"])
def test_the_first_produce_and_the_first_join_succeed(tmp_path: Path, mode: str) -> None:
    seconds = []
    for number in range(ROUNDS):
        with project(tmp_path / f"{mode}{number}") as one:
            begun = time.monotonic()
            one.ok("up", "--mode", mode)
            seconds.append(time.monotonic() - begun)
            first_produce(one.brokers)
            assert first_join(one.brokers, "database-writer-group") == 1
            pids = one.pids()
            one.ok("down")
            assert not [pid for pid in pids if alive(pid)]
    print(f"{mode}: ready after", " ".join(f"{one:.1f}" for one in seconds), "s")  # noqa: T201 - the figures


@pytest.mark.parametrize("mode", ["zookeeper", "kraft"])
def test_data_outlives_down_and_up(tmp_path: Path, mode: str) -> None:
    with project(tmp_path / "one") as one:
        one.ok("up", "--mode", mode)
        for number in range(5):
            first_produce(one.brokers, f"k{number}")
        set_in_redis_and_mysql(one)
        one.ok("down")
        one.ok("up")
        assert first_join(one.brokers, "later") == 5
        assert read_from_redis_and_mysql(one) == ("kept", "kept")
