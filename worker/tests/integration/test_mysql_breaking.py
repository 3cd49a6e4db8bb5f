"""Random histories over a real MariaDB while its connections break, at every step."""

from __future__ import annotations

import gc
import random
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pymysql
import pytest
from contract.crashing import STEPS
from contract.random_operations import History, differences, play
from contract.stage import GROUP, Feed, operation, rows, user
from servers.mariadb import MariaDb, running
from servers.mysql import MySql

from database_consumer.stores.base import Position, StoreUnavailable
from database_consumer.stores.opening import open_mysql

pytestmark = pytest.mark.server

_NO_SUCH_THREAD = 1094


@pytest.fixture(scope="module", params=[MariaDb, MySql])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MariaDb]:
    with running(tmp_path_factory.mktemp("database") / "server", kind=request.param) as server:
        yield server


class Breaker:
    """Breaks the store's connection at random steps: before one, or during a commit."""

    def __init__(self, ledger: Any, server: MariaDb, chance: random.Random) -> None:
        self.ledger = ledger
        self.server = server
        self.chance = chance
        self.breaks: dict[str, int] = {}
        for name in STEPS:
            setattr(ledger, name, self._wrapped(name, getattr(ledger, name)))

    def _wrapped(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def step(*words: Any, **named: Any) -> Any:
            connection = self.ledger._connection
            if connection is None or self.chance.random() > 0.04:
                return method(*words, **named)
            if name == "commit":
                return self._break_commit(connection, method)
            self._count("killed by the server")
            with self.server.root() as root, root.cursor() as cursor:
                try:
                    cursor.execute(f"KILL CONNECTION {connection.thread_id()}")
                except pymysql.err.OperationalError as error:
                    # killed before a step that asks the server nothing, and not yet missed
                    if error.args[0] != _NO_SUCH_THREAD:
                        raise
            return method(*words, **named)

        return step

    def _count(self, kind: str) -> None:
        self.breaks[kind] = self.breaks.get(kind, 0) + 1

    def _break_commit(self, connection: Any, method: Callable[..., Any]) -> Any:
        """The commit happens and its answer is lost, or it never arrives."""
        arrives = self.chance.random() < 0.5
        self._count("commit without an answer" if arrives else "commit that never arrived")
        true_commit = connection.commit

        def commit() -> None:
            if arrives:
                true_commit()
            connection._force_close()
            raise pymysql.err.OperationalError(2013, "Lost connection during COMMIT")

        connection.commit = commit
        return method()


def test_histories_with_broken_connections_end_as_the_model_says(server: MariaDb) -> None:
    breaks: dict[str, int] = {}
    for seed in range(6):
        url = server.database(f"breaking_{seed}").replace("mysql://", "mysql+pymysql://")
        store = open_mysql(url)
        store.open()
        store.ensure_schema()
        breaker = Breaker(store._ledger, server, random.Random(seed))
        history = History(seed, 300)
        play(store, history, tries=50)
        for kind, count in breaker.breaks.items():
            breaks[kind] = breaks.get(kind, 0) + count
        calm = open_mysql(url)
        wrong = differences(calm, history.model())
        calm.close()
        store.close()
        assert wrong == [], f"seed {seed}"
    assert len(breaks) == 3
    assert sum(breaks.values()) >= 40
    assert min(breaks.values()) >= 3


def test_a_killed_server_burns_nothing_and_the_same_batch_is_applied_when_it_is_back(
    server: MariaDb,
) -> None:
    store = open_mysql(server.database("away"))
    store.open()
    store.ensure_schema()
    feed = Feed(store)
    feed.apply(operation("CREATE", user(1)))
    batch = feed.batch(operation("CREATE", user(2)))
    server.kill()
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            store.apply(batch, now=1001.0)
    with pytest.raises(StoreUnavailable):
        store.ping()
    server.start()
    store.ping()
    store.apply(batch, now=1002.0)
    assert set(rows(store)) == {"1", "2"}
    assert store.counts().dead_letters == 0
    assert store.position(GROUP, feed.topic, 0) == Position(next_offset=2)
    store.close()


def test_a_read_only_server_and_a_missing_table_are_systemic(server: MariaDb) -> None:
    store = open_mysql(server.database("systemic"))
    store.open()
    store.ensure_schema()
    feed = Feed(store)
    feed.apply(operation("CREATE", user(1)))
    batch = feed.batch(operation("CREATE", user(2)))
    with server.root("systemic") as root, root.cursor() as cursor:
        cursor.execute("RENAME TABLE users TO elsewhere")
        with pytest.raises(StoreUnavailable, match="users"):
            store.apply(batch, now=1000.0)
        cursor.execute("RENAME TABLE elsewhere TO users")
        cursor.execute("REVOKE ALL PRIVILEGES ON *.* FROM 'worker'@'127.0.0.1'")
        cursor.execute("GRANT ALL ON `systemic`.* TO 'worker'@'127.0.0.1'")
        cursor.execute("SET GLOBAL read_only = 1")
        try:
            store.close()
            with pytest.raises(StoreUnavailable, match="read-only"):
                store.apply(batch, now=1000.0)
            with pytest.raises(StoreUnavailable, match="read-only"):
                store.ping()
        finally:
            cursor.execute("SET GLOBAL read_only = 0")
            cursor.execute("GRANT ALL ON *.* TO 'worker'@'127.0.0.1'")
    store.apply(batch, now=1000.0)
    assert set(rows(store)) == {"1", "2"}
    assert store.counts().dead_letters == 0
    store.close()


def test_two_workers_on_one_partition_apply_each_batch_once(server: MariaDb) -> None:
    """A zombie that goes on is fenced whatever the order in which the two come."""
    import threading

    url = server.database("zombie")
    first = open_mysql(url)
    first.open()
    first.ensure_schema()
    history = History(99, 300)
    failures: list[BaseException] = []

    def work() -> None:
        store = open_mysql(url)
        try:
            store.open()
            for _ in range(3):
                play(store, history)
        except BaseException as error:  # noqa: BLE001 - told to the test's thread
            failures.append(error)
        finally:
            store.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert failures == []
    assert differences(first, history.model()) == []
    first.close()


def test_connections_that_fail_leave_nothing_to_the_collector() -> None:
    """Each holds a TLS context of a megabyte: an outage of an hour would hold hundreds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = probe.getsockname()[1]
        store = open_mysql(f"mysql+pymysql://u:p@127.0.0.1:{nobody}/d")
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                with pytest.raises(StoreUnavailable):
                    store.ping()
            alive = sum(isinstance(one, ssl.SSLContext) for one in gc.get_objects())
        finally:
            gc.enable()
    assert alive <= 3
