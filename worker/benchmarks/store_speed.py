"""A store against the same rows written barely: ``python benchmarks/store_speed.py --help``.

Each figure is operations or rows a second, wall clock, one connection, commits as durable on both
sides. The sides take turns in slices of some batches, so that a machine that slows down slows both;
the ratio is of the sums.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from database_consumer.collector import calm_collector
from database_consumer.stores.base import Applied, Batch, Record, StorePolicy
from database_consumer.stores.opening import open_mysql, open_sqlite
from database_consumer.stores.sqlstore import SqlStore

BATCH = 1_000
COLUMNS = ("id", "name", "email", "phone", "role", "active")


def rows_from(start: int, count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": ident,
            "name": f"User number {ident}",
            "email": f"user.{ident}@example.org",
            "phone": f"+49 30 {ident:08d}",
            "role": "member",
            "active": True,
        }
        for ident in range(start, start + count)
    ]


def message(kind: str, data: Any, number: int) -> bytes:
    return json.dumps(
        {
            "type": kind,
            "entity": "User",
            "data": data,
            "metadata": {
                "operationId": f"0192f{number:07x}-7000-8000-{number:012x}",
                "timestamp": "2026-11-22T10:00:00.000Z",
                "userId": "user-1",
                "source": "bench",
                "action": "write",
            },
        }
    ).encode()


class Feed:
    """Applies messages in batches; the time of making them does not count."""

    def __init__(self, store: SqlStore, group: str = "bench") -> None:
        self.store = store
        self.group = group
        self.next = 0
        self.expected: int | None = None
        self.number = 0

    def records(self, kinds: list[tuple[str, Any]]) -> tuple[Record, ...]:
        made = []
        for place, (kind, data) in enumerate(kinds):
            self.number += 1
            made.append(
                Record("bench", 0, self.next + place, b"k", message(kind, data, self.number))
            )
        return tuple(made)

    def apply(self, kinds: list[tuple[str, Any]]) -> float:
        records = self.records(kinds)
        batch = Batch(
            group=self.group,
            topic="bench",
            partition=0,
            expected=self.expected,
            next_offset=self.next + len(records),
            records=records,
        )
        started = time.perf_counter()
        result = self.store.apply(batch, now=time.time())
        seconds = time.perf_counter() - started
        assert isinstance(result, Applied)
        assert result.dead == 0, result
        self.expected = self.next = batch.next_offset
        return seconds


Bare = Callable[[list[dict[str, Any]]], float]


def bare_mysql(store: SqlStore) -> Bare:
    """INSERT … ON DUPLICATE KEY UPDATE of 1,000 rows, a commit each; the driver's executemany."""
    ledger: Any = store._ledger
    connection = ledger._connect()
    cursor = connection.cursor()
    names = ", ".join(COLUMNS)
    sets = ", ".join(f"{one} = VALUES({one})" for one in COLUMNS[1:])
    one = "(" + ", ".join(["%s"] * len(COLUMNS)) + ")"

    def write(rows: list[dict[str, Any]]) -> float:
        started = time.perf_counter()
        values = [row[name] for row in rows for name in COLUMNS]
        cursor.execute(
            f"INSERT INTO bare_users ({names}) VALUES {', '.join([one] * len(rows))} "
            f"ON DUPLICATE KEY UPDATE {sets}",
            values,
        )
        connection.commit()
        return time.perf_counter() - started

    cursor.execute("DROP TABLE IF EXISTS bare_users")
    cursor.execute("CREATE TABLE bare_users LIKE users")
    connection.commit()
    return write


def bare_sqlite(store: SqlStore) -> Bare:
    ledger: Any = store._ledger
    connection = ledger._connect()
    names = ", ".join(COLUMNS)
    marks = ", ".join("?" * len(COLUMNS))
    (made,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'users'").fetchone()
    connection.execute(made.replace("CREATE TABLE users", "CREATE TABLE bare_users"))

    def write(rows: list[dict[str, Any]]) -> float:
        started = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            f"INSERT INTO bare_users ({names}) VALUES ({marks})",
            [tuple(row[name] for name in COLUMNS) for row in rows],
        )
        connection.execute("COMMIT")
        return time.perf_counter() - started

    return write


def side_by_side(store: SqlStore, bare: Bare, batches: int) -> dict[str, float]:
    feed = Feed(store)
    mine = theirs = 0.0
    feed.apply([("CREATE", row) for row in rows_from(10**9, 10)])
    for number in range(batches):
        rows = rows_from(number * BATCH, BATCH)
        kinds = [("CREATE", row) for row in rows]
        if number % 2:
            mine += feed.apply(kinds)
            theirs += bare(rows)
        else:
            theirs += bare(rows)
            mine += feed.apply(kinds)
    count = batches * BATCH
    return {"store": count / mine, "bare": count / theirs, "share": theirs / mine}


def hot_keys(store: SqlStore, batches: int) -> dict[str, float]:
    """CREATE, UPDATE and DELETE over 2,000 keys, as valid histories, against CREATE alone."""
    chance = random.Random(5)
    there: set[int] = set()
    feed = Feed(store, "hot")
    base = 5 * 10**8
    mixed = alone = 0.0

    def operations() -> Iterator[tuple[str, Any]]:
        while True:
            ident = base + chance.randrange(2_000)
            if ident not in there:
                there.add(ident)
                yield "CREATE", rows_from(ident, 1)[0]
            elif chance.random() < 0.3:
                there.discard(ident)
                yield "DELETE", {"id": ident}
            else:
                name = chance.choice(["name", "phone", "role"])
                yield "UPDATE", {"id": ident, name: f"changed {chance.random()}"}

    source = operations()
    feed.apply([next(source)])
    for number in range(batches):
        mixed += feed.apply([next(source) for _ in range(BATCH)])
        rows = rows_from(6 * 10**8 + number * BATCH, BATCH)
        alone += feed.apply([("CREATE", row) for row in rows])
    count = batches * BATCH
    return {"mixed": count / mixed, "create": count / alone, "share": alone / mixed}


def growth(store: SqlStore, to_rows: int, batches: int) -> dict[str, float]:
    """Speed at 100,000 rows and at ``to_rows``, filled through the store itself."""
    feed = Feed(store, "growth")
    speeds: dict[str, float] = {}
    written = 0
    start = 2 * 10**9

    def measure() -> float:
        nonlocal written
        seconds = []
        for _ in range(batches):
            rows = rows_from(start + written, BATCH)
            seconds.append(feed.apply([("CREATE", row) for row in rows]))
            written += BATCH
        return BATCH / sorted(seconds)[len(seconds) // 2]

    for wanted in (100_000, to_rows):
        while written < wanted - batches * BATCH:
            rows = rows_from(start + written, 5_000)
            feed.apply([("CREATE", row) for row in rows])
            written += 5_000
        speeds[f"at {wanted}"] = measure()
    first, last = speeds.values()
    return {**speeds, "share": last / first}


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--mysql", help="URL of an empty database; without it SQLite")
    arguments.add_argument("--batches", type=int, default=50)
    arguments.add_argument("--grow-to", type=int, default=0)
    arguments.add_argument("--no-cache", action="store_true")
    chosen = arguments.parse_args()
    calm_collector()  # as the worker does
    policy = StorePolicy(cache=not chosen.no_cache)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        if chosen.mysql:
            store = open_mysql(chosen.mysql, policy=policy)
        else:
            store = open_sqlite(Path(folder) / "bench.sqlite3", policy=policy)
        store.open()
        store.ensure_schema()
        bare = bare_mysql(store) if chosen.mysql else bare_sqlite(store)
        result: dict[str, Any] = {"driver": store.engine.url.drivername}
        result["against bare"] = side_by_side(store, bare, chosen.batches)
        result["hot keys"] = hot_keys(store, chosen.batches)
        if chosen.grow_to:
            result["growth"] = growth(store, chosen.grow_to, 20)
        store.close()
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
