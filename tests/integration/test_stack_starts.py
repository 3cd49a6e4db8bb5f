"""From nothing to ready, again and again: what comes first after "ready" succeeds."""

import time
from pathlib import Path

import pytest

from tests.integration.stack_project import (
    ROUNDS,
    Project,
    alive,
    first_join,
    first_produce,
    project,
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
        _set_in_redis_and_mysql(one)
        one.ok("down")
        one.ok("up")
        assert first_join(one.brokers, "later") == 5
        assert _read_from_redis_and_mysql(one) == ("kept", "kept")


def _credentials(one: Project) -> dict[str, str]:
    lines = (one.folder / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _set_in_redis_and_mysql(one: Project) -> None:
    import pymysql
    import redis

    own = _credentials(one)
    with redis.Redis(port=one.ports["REDIS_PORT"], password=own["REDIS_PASSWORD"]) as link:
        link.set("word", "kept")
    connection = pymysql.connect(
        host="127.0.0.1",
        port=one.ports["DB_PORT"],
        user=own["DB_USER"],
        password=own["DB_PASSWORD"],
        database=own["DB_NAME"],
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE words (word VARCHAR(10))")
        cursor.execute("INSERT INTO words VALUES ('kept')")


def _read_from_redis_and_mysql(one: Project) -> tuple[str, str]:
    import pymysql
    import redis

    own = _credentials(one)
    with redis.Redis(port=one.ports["REDIS_PORT"], password=own["REDIS_PASSWORD"]) as link:
        cached = link.get("word")
    connection = pymysql.connect(
        host="127.0.0.1",
        port=one.ports["DB_PORT"],
        user=own["DB_USER"],
        password=own["DB_PASSWORD"],
        database=own["DB_NAME"],
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT word FROM words")
        row = cursor.fetchone()
    assert isinstance(cached, bytes)
    assert row is not None
    return cached.decode(), str(row[0])
