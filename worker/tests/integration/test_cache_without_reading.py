"""What the cache is told of a created row without reading it is what reading it gives."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from contract.stage import Feed, operation, user
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers.mariadb import PASSWORD, MariaDb, running

from database_consumer.stores.base import Applied
from database_consumer.stores.opening import open_mysql
from database_consumer.stores.sqlstore import SqlStore
from database_consumer.stores.written import WrittenRows

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDb]:
    with running(tmp_path_factory.mktemp("mariadb") / "server") as server:
        yield server


def opened(url: str, tables: dict[str, sa.Table] | None = None) -> SqlStore:
    store = open_mysql(url, tables=tables) if tables else open_mysql(url)
    store.open()
    store.ensure_schema()
    return store


@pytest.fixture
def store(server: MariaDb) -> Iterator[SqlStore]:
    found = opened(server.database("told"))
    yield found
    found.close()


_partitions = itertools.count()


def told_and_read(store: SqlStore, *messages: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """By key: the JSON that is known after the commit, and the JSON that reading gives."""
    store.forget_cache_intents([one.id for one in store.cache_intents(100_000)])
    result = Feed(store, partition=next(_partitions)).apply(*messages)
    assert isinstance(result, Applied)
    known = WrittenRows()
    known.keep(result.written)
    table = {one.table.entity: one.table for one in result.written}
    told = {
        table[one.entity].key_text(key): text
        for one in store.cache_intents(100_000)
        if one.entity in table
        for key in [(one.key,)]
        for text in known.take(one.entity, one.version, [key]).values()
    }
    read = {one.key: one.row for one in store.cache_intents(100_000)}
    return told, read


def test_a_usual_row_is_known(store: SqlStore) -> None:
    told, read = told_and_read(
        store,
        *(operation("CREATE", user(str(n), active=bool(n % 2), role="member")) for n in range(700)),
        operation("CREATE", user("m", createdAt="2026-11-22T10:00:00.5+02:00")),
    )
    assert len(told) == 701
    assert told == read


def test_a_row_that_must_be_read_is_not_known(store: SqlStore) -> None:
    told, _ = told_and_read(
        store,
        operation("CREATE", user("doc", attributes={"n": 1e2})),
        operation("CREATE", user("day", birthDate="1999-12-31")),
        operation("CREATE", user("usual")),
    )
    assert set(told) == {"usual"}


_names = st.text(st.characters(exclude_categories=["Cs"]), min_size=0, max_size=12)
_users = st.fixed_dictionaries(
    {"name": _names, "email": _names},
    optional={
        "phone": st.none() | _names,
        "role": st.text(" \t\\'\"%é😀\0", max_size=90),
        "active": st.none() | st.booleans(),
        "birthDate": st.none() | st.dates().map(str),
        "createdAt": st.none() | st.datetimes().map(lambda one: one.isoformat()),
        "attributes": st.none() | st.integers() | _names,
    },
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(_users, min_size=1, max_size=30))
def test_whatever_is_sent_is_known_as_it_reads(store: SqlStore, sent: list[dict[str, Any]]) -> None:
    store.engine.dispose()
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM users")
        connection.exec_driver_sql("DELETE FROM inbox")
    told, read = told_and_read(
        store,
        *(operation("CREATE", {**one, "id": f"u{place}"}) for place, one in enumerate(sent)),
    )
    assert {key: read[key] for key in told} == told
    simple = {"name", "email", "phone", "role", "active"}
    for place, one in enumerate(sent):
        key = f"u{place}"
        given = {name for name, value in one.items() if value is not None}
        if given <= simple and key in read:
            assert key in told


def test_a_table_with_a_trigger_before_the_insert_is_read(server: MariaDb) -> None:
    url = server.database("triggered")
    with server.root("triggered") as connection, connection.cursor() as cursor:
        store = opened(url)
        cursor.execute(
            "CREATE TRIGGER loud BEFORE INSERT ON users FOR EACH ROW SET NEW.name = UPPER(NEW.name)"
        )
    told, read = told_and_read(store, operation("CREATE", user("1", "Ada")))
    assert told == {}
    assert json.loads(read["1"])["name"] == "ADA"
    store.close()


def test_a_user_who_may_not_see_triggers_reads(server: MariaDb) -> None:
    server.database("blind")
    with server.root("blind") as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE OR REPLACE USER blind@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'")
        cursor.execute("GRANT ALL ON blind.* TO blind@'127.0.0.1'")
    store = opened(f"mysql://blind:{PASSWORD}@127.0.0.1:{server.port}/blind")
    told, _ = told_and_read(store, operation("CREATE", user("1")))
    assert set(told) == {"1"}
    store.close()
    with server.root("blind") as connection, connection.cursor() as cursor:
        cursor.execute("REVOKE TRIGGER ON blind.* FROM blind@'127.0.0.1'")
    store = opened(f"mysql://blind:{PASSWORD}@127.0.0.1:{server.port}/blind")
    told, read = told_and_read(store, operation("CREATE", user("2")))
    assert told == {}
    assert "2" in read
    store.close()


def test_a_table_of_another_shape_than_the_code_says_is_read(server: MariaDb) -> None:
    url = server.database("other")
    with server.root("other") as connection, connection.cursor() as cursor:
        opened(url).close()
        cursor.execute("ALTER TABLE users MODIFY role VARCHAR(80) DEFAULT 'guest'")
    store = opened(url)
    told, read = told_and_read(store, operation("CREATE", user("1")))
    assert told == {}
    assert json.loads(read["1"])["role"] == "guest"
    store.close()
