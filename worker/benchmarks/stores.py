"""A store by itself against the same rows written barely, against itself, and against its size.

Each figure is operations or rows a second, wall clock, one connection, commits as durable on both
sides. The sides take turns of a batch or of some, so that a machine that slows down slows both.
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

from figures import Figure
from servers.mariadb import running

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

    def apply(self, *batches: list[tuple[str, Any]]) -> float:
        """Seconds of some batches in a row; the store is told of the next one as a worker does."""
        made = []
        for kinds in batches:
            records = self.records(kinds)
            batch = Batch(
                group=self.group,
                topic="bench",
                partition=0,
                expected=self.expected,
                next_offset=self.next + len(records),
                records=records,
            )
            self.expected = self.next = batch.next_offset
            made.append(batch)
        started = time.perf_counter()
        for batch, following in zip_longest(made, made[1:]):
            coming = None if following is None else partial(tuple, following.records)
            result = self.store.apply(batch, now=time.time(), coming=coming)
            assert isinstance(result, Applied)
            assert result.dead == 0, result
        return time.perf_counter() - started


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


def side_by_side(
    store: SqlStore, bare: Bare, batches: int, *, turn: int = 1
) -> tuple[float, float]:
    """Operations a second of the store and of the bare statements, the median of their turns.

    A turn is some batches in a row; the first one, in which files grow and caches fill, does not
    count.
    """
    feed = Feed(store)
    mine: list[float] = []
    theirs: list[float] = []
    for number in range(max(batches // turn, 2) + 1):
        rows = [rows_from((number * turn + place) * BATCH, BATCH) for place in range(turn)]
        kinds = [[("CREATE", row) for row in some] for some in rows]
        if number % 2:
            mine.append(feed.apply(*kinds))
            theirs.append(sum(map(bare, rows)))
        else:
            theirs.append(sum(map(bare, rows)))
            mine.append(feed.apply(*kinds))
    count = turn * BATCH
    return count / statistics.median(mine[1:]), count / statistics.median(theirs[1:])


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


FIRST_ID = 2 * 10**9
"""Ids of ten digits: their order as text is that of the numbers."""

SMALL_ROWS = 100_000
FILL_ROWS = 100_000


def fill(connection: Any, rows: int) -> None:
    """So many users and their operations' ids, made inside the server as a worker leaves them."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO consumer_groups (id, name) VALUES (1, 'growth')")
        for start in range(0, rows, FILL_ROWS):
            last = min(start + FILL_ROWS, rows) - 1
            cursor.execute(
                "INSERT INTO users (id, name, email, phone, role, active, row_version) SELECT "
                f"seq + {FIRST_ID}, CONCAT('User number ', seq), "
                "CONCAT('user.', seq, '@example.org'), CONCAT('+49 30 ', LPAD(seq, 8, '0')), "
                f"'member', 1, 1 FROM seq_{start}_to_{last}"
            )
            cursor.execute(
                "INSERT INTO inbox (group_id, operation_id, stream_id, record_offset, content, "
                "applied_at) SELECT 1, CONCAT('0191f', LPAD(HEX(seq), 7, '0'), '-7000-8000-', "
                "LPAD(HEX(seq), 12, '0')), 1, seq, UNHEX(MD5(seq)), 1 "
                f"FROM seq_{start}_to_{last}"
            )


class Growing:
    """Batches of new rows, and of changes anywhere in a table that holds ``rows`` already."""

    def __init__(self, store: SqlStore, rows: int) -> None:
        self._feed = Feed(store, "growth")
        self._chance = random.Random(rows)
        self._rows = rows

    def batch(self) -> float:
        """900 CREATEs and 100 UPDATEs; seconds."""
        made = rows_from(FIRST_ID + self._rows, BATCH - BATCH // 10)
        changed = self._chance.sample(range(self._rows), BATCH // 10)
        self._rows += len(made)
        return self._feed.apply(
            [("CREATE", row) for row in made]
            + [("UPDATE", {"id": FIRST_ID + one, "role": "owner"}) for one in changed]
        )


@contextmanager
def _mysql() -> Iterator[SqlStore]:
    """A store in a MariaDB of its own."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "mariadb") as server:
        store = open_mysql(server.database("bench"), policy=StorePolicy())
        with opened(store):
            yield store


@contextmanager
def _sqlite() -> Iterator[SqlStore]:
    """A store in a file on the disk of the working folder: /tmp may be memory."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        store = open_sqlite(Path(folder) / "bench.sqlite3", policy=StorePolicy())
        with opened(store):
            yield store


@contextmanager
def opened(store: SqlStore) -> Iterator[None]:
    """A store with its tables, closed on the way out."""
    calm_collector()  # as the worker does
    store.open()
    try:
        store.ensure_schema()
        yield
    finally:
        store.close()


def bare(batches: int) -> list[Figure]:
    """MySQL's store against bare upserts of the same rows."""
    with _mysql() as store:
        ours, theirs = side_by_side(store, bare_mysql(store), batches)
    return [
        Figure(
            work="MySQL store, batches of 1,000",
            ours=ours,
            peer="bare multi-row upserts",
            theirs=theirs,
            at_least=0.5,
        )
    ]


def sqlite(batches: int) -> list[Figure]:
    """SQLite's store against bare inserts of the same rows, as durable.

    In turns of ten batches: as the worker's one applier does, the store decodes a batch while the
    one before commits. Four times as many batches as of the others, which take a server's time: a
    turn is but milliseconds here, and the machine's own pace changes from one to the next.
    """
    with _sqlite() as store:
        ours, theirs = side_by_side(store, bare_sqlite(store), 4 * batches, turn=10)
    return [
        Figure(
            work="SQLite store, batches of 1,000",
            ours=ours,
            peer="bare executemany, as durable",
            theirs=theirs,
            at_least=0.5,
        )
    ]


def mixed(batches: int) -> list[Figure]:
    """Hot keys against rows that are only created."""
    with _mysql() as store:
        found = hot_keys(store, batches)
    return [
        Figure(
            work="CREATE, UPDATE, DELETE over 2,000 hot keys",
            ours=found["mixed"],
            peer="CREATE alone",
            theirs=found["create"],
            at_least=0.6,
        )
    ]


def flat(to_rows: int, batches: int) -> list[Figure]:
    """The same batches in a small table and in a large one, in turns on one server."""
    options = ("--innodb-buffer-pool-size=1G",)
    spent: dict[int, list[float]] = {SMALL_ROWS: [], to_rows: []}
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder) / "mariadb", options=options) as server,
        ExitStack() as end,
    ):
        tables = {}
        for rows in spent:
            name = f"rows{rows}"
            store = open_mysql(server.database(name), policy=StorePolicy())
            end.enter_context(opened(store))
            with server.root(name) as connection:
                fill(connection, rows)
            tables[rows] = Growing(store, rows)
        for number in range(batches + 2):
            for rows, table in tables.items():
                seconds = table.batch()
                if number >= 2:
                    spent[rows].append(seconds)
    small, large = (BATCH / statistics.median(one) for one in spent.values())
    return [
        Figure(
            work=f"MySQL store at {to_rows:,} rows",
            ours=large,
            peer=f"at {SMALL_ROWS:,} rows",
            theirs=small,
            at_least=0.8,
        )
    ]
