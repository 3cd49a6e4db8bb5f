"""Schema and own tables on a real MariaDB, and the same on SQLite."""

from __future__ import annotations

import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from contract.stage import Feed, operation, reasons, user
from servers.mariadb import MariaDb, running
from servers.mysql import MySql

from database_consumer import ledger
from database_consumer.entities import shipped
from database_consumer.entities.own import EntitiesInvalid, reflected_tables, tables_of_module
from database_consumer.migrations import VERSION_TABLE, migrate
from database_consumer.stores.base import StoreUnavailable
from database_consumer.stores.opening import open_mysql, open_sqlite
from database_consumer.stores.sqlstore import SqlStore

pytestmark = pytest.mark.server


@pytest.fixture(scope="module", params=[MariaDb, MySql])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MariaDb]:
    with running(tmp_path_factory.mktemp("database") / "server", kind=request.param) as server:
        yield server


@pytest.fixture(params=["sqlite", "mysql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path, server: MariaDb) -> Iterator[sa.Engine]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    else:
        url = server.database("schema").replace("mysql://", "mysql+pymysql://")
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    yield engine
    engine.dispose()


def test_the_migrated_schema_is_the_one_that_the_code_describes(engine: sa.Engine) -> None:
    migrate(engine)
    migrate(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        metadata = sa.MetaData()
        for one in (ledger.metadata, shipped.metadata):
            for table in one.tables.values():
                table.to_metadata(metadata)
        changes = compare_metadata(context, metadata)
    assert [one for one in changes if _matters(one)] == []


def _matters(change: object) -> bool:
    """Types that SQLite and MariaDB reflect under other names are not compared."""
    if isinstance(change, list):
        return any(one[0] not in {"modify_type", "modify_default"} for one in change)
    return True


def test_a_migration_that_was_killed_half_way_is_simply_run_again(engine: sa.Engine) -> None:
    migrate(engine)
    names = set(sa.inspect(engine).get_table_names())
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE ratings")
        connection.exec_driver_sql("DROP TABLE parked_keys")
        connection.exec_driver_sql(f"DELETE FROM {VERSION_TABLE}")
    migrate(engine)
    assert set(sa.inspect(engine).get_table_names()) == names


def test_tables_of_another_release_or_another_shape_are_told_of(
    engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE users (id INTEGER PRIMARY KEY, name VARCHAR(9))")
    store = opened(engine, dict(shipped.TABLES))
    store.open()
    store.ensure_schema()
    (told,) = (one.getMessage() for one in caplog.records if "shape" in one.getMessage())
    assert "entity User: table users" in told
    assert "row_version" in told
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    with pytest.raises(StoreUnavailable, match="another release"):
        store.ensure_schema()
    store.close()


def test_workers_that_start_at_once_migrate_once(engine: sa.Engine) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            migrate(engine)
        except BaseException as error:  # noqa: BLE001 - told to the test's thread
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert failures == []


def opened(engine: sa.Engine, tables: dict[str, sa.Table]) -> SqlStore:
    if engine.dialect.name == "sqlite":
        return open_sqlite(Path(str(engine.url.database)), tables=tables)
    return open_mysql(engine.url, tables=tables)


def test_tables_read_from_the_database_are_entities(engine: sa.Engine) -> None:
    mysql = engine.dialect.name == "mysql"
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS orders")
        connection.exec_driver_sql("DROP TABLE IF EXISTS notes")
        odd = "`odd %%name`" if mysql else "`odd %name`"
        connection.exec_driver_sql(
            "CREATE TABLE orders (code VARCHAR(20) PRIMARY KEY, total DECIMAL(10,2) NOT NULL, "
            f"state VARCHAR(10) NOT NULL DEFAULT 'new', placed DATETIME, {odd} INTEGER)"
        )
        connection.exec_driver_sql("CREATE TABLE notes (text VARCHAR(20))")
    found = reflected_tables(engine)
    assert "orders" in found
    assert "notes" not in found
    with pytest.raises(EntitiesInvalid, match="no table nowhere"):
        reflected_tables(engine, ["nowhere"])
    with pytest.raises(EntitiesInvalid, match="no primary key"):
        reflected_tables(engine, ["notes"])
    store = opened(engine, {"Order": found["orders"]})
    store.open()
    store.ensure_schema()
    feed = Feed(store)
    feed.apply(
        operation("CREATE", {"code": "A", "total": 1}, entity="Order"),
        operation("CREATE", {"code": "b", "total": 2, "state": "old"}, entity="Order"),
        operation("CREATE", {"code": "C", "total": 3, "odd %name": 7}, entity="Order"),
    )
    feed.apply(
        operation("UPDATE", {"code": "b", "state": "paid"}, entity="Order"),
        operation("UPDATE", {"code": "A", "placed": "2026-01-01T10:00:00+01:00"}, entity="Order"),
        operation("UPDATE", {"code": "C", "odd %name": 8}, entity="Order"),
        operation("DELETE", {"code": "C"}, entity="Order"),
    )
    # In MariaDB's default collation "a" is "A": one row, whatever the fold thinks of them.
    result = feed.apply(
        operation("CREATE", {"code": "a", "total": 4}, entity="Order"),
        operation("UPDATE", {"code": "A", "state": "x"}, entity="Order"),
    )
    assert result.dead == (1 if mysql else 0), reasons(store)
    orders = {row["code"]: row for row in store.rows("Order")}
    assert set(orders) == ({"A", "b"} if mysql else {"A", "a", "b"})
    assert orders["b"]["state"] == "paid"
    assert orders["A"]["state"] == "x"
    assert str(orders["A"]["placed"]).startswith("2026-01-01T09:00:00")
    assert {one.key for one in store.cache_intents()} >= {"A", "b"}
    store.close()


def test_two_spellings_of_one_key_in_a_batch_are_one_row_for_mariadb(server: MariaDb) -> None:
    url = server.database("spellings").replace("mysql://", "mysql+pymysql://")
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE words (word VARCHAR(20) PRIMARY KEY, n INTEGER) "
            "CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"
        )
    store = open_mysql(url, tables={"Word": reflected_tables(engine)["words"]})
    store.open()
    store.ensure_schema()
    feed = Feed(store)
    feed.apply(
        operation("CREATE", {"word": "Straße", "n": 1}, entity="Word"),
        operation("DELETE", {"word": "STRASSE"}, entity="Word"),
        operation("CREATE", {"word": "éa", "n": 2}, entity="Word"),
        operation("UPDATE", {"word": "EA ", "n": 3}, entity="Word"),
        operation("DELETE", {"word": "ea"}, entity="Word"),
        operation("CREATE", {"word": "Ea", "n": 4}, entity="Word"),
        operation("UPDATE", {"word": "eA", "n": 5}, entity="Word"),
    )
    assert [(row["word"], row["n"]) for row in store.rows("Word")] == [("Ea", 5)]
    assert reasons(store) == []
    store.close()


ODD = (
    """CREATE TABLE `select` (`order` INT AUTO_INCREMENT PRIMARY KEY, `group` SET('x', 'y'),
    year YEAR, flags BIT(8), flag BIT(1), document JSON, place POINT, code BINARY(4),
    twice INT AS (year * 2) STORED, user_name VARCHAR(9), userName VARCHAR(9),
    big BIGINT UNSIGNED)""",
    "CREATE TABLE uuids (id UUID PRIMARY KEY, n INT)",
    "CREATE TABLE codes (code BINARY(4) PRIMARY KEY, n INT)",
    "CREATE TABLE narrow (id VARCHAR(20) PRIMARY KEY, n INT) CHARACTER SET utf8mb3",
    "CREATE TABLE floats (id FLOAT PRIMARY KEY)",
    "CREATE TABLE places (id INT PRIMARY KEY, place POINT NOT NULL)",
    "CREATE TABLE versions (id INT PRIMARY KEY, row_version INT)",
)


def test_odd_tables_are_read_and_written_or_left_out(
    server: MariaDb, caplog: pytest.LogCaptureFixture
) -> None:
    url = server.database("odd").replace("mysql://", "mysql+pymysql://")
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    uuids = "UUID" if type(server) is MariaDb else "CHAR(36)"  # MySQL has no such type
    with engine.begin() as connection:
        for one in ODD:
            connection.exec_driver_sql(one.replace("UUID", uuids))
    found = reflected_tables(engine)
    assert set(found) == {"select", "uuids", "codes", "narrow"}
    for name, why in (("floats", "FLOAT"), ("places", "place"), ("versions", "BIGINT")):
        assert any(name in one.getMessage() and why in one.getMessage() for one in caplog.records)
        with pytest.raises(EntitiesInvalid, match=why):
            reflected_tables(engine, [name])
    store = open_mysql(url, tables=found)
    store.open()
    store.ensure_schema()
    feed = Feed(store)
    row = {
        "order": 0,
        "group": ["x", "y"],
        "year": 2026,
        "flags": 5,
        "flag": True,
        "document": {"a": [1]},
        "code": "AAE=",
        "user_name": "a",
        "userName": "b",
        "big": (1 << 64) - 1,
    }
    ident = "123E4567-e89b-12d3-a456-426614174000"
    feed.apply(
        operation("CREATE", row, entity="select"),
        operation("CREATE", {"id": ident, "n": 1}, entity="uuids"),
        operation("CREATE", {"code": "AAE=", "n": 1}, entity="codes"),
        operation("CREATE", {"id": "a", "n": 1}, entity="narrow"),
    )
    feed.apply(
        operation("UPDATE", {"order": 0, "year": 2027}, entity="select"),
        operation("UPDATE", {"id": ident.lower(), "n": 2}, entity="uuids"),
        operation("UPDATE", {"code": "AAE=", "n": 2}, entity="codes"),
        operation("DELETE", {"id": "\N{GRINNING FACE}"}, entity="narrow"),
        operation("UPDATE", {"id": "a", "n": 2}, entity="narrow"),
    )
    assert reasons(store) == ["wrong-type"]  # a key that the column cannot hold stops nothing
    expected = row | {"group": "x,y", "flag": 1, "code": "AAEAAA==", "year": 2027}
    assert list(store.rows("select")) == [expected]
    assert [one["n"] for name in ("uuids", "codes", "narrow") for one in store.rows(name)] == [
        2
    ] * 3
    store.close()


def test_tables_that_a_module_names_are_entities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "shop_tables.py").write_text(
        textwrap.dedent(
            """
            import sqlalchemy as sa
            from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

            class Base(DeclarativeBase):
                pass

            class Item(Base):
                __tablename__ = "items"
                id: Mapped[int] = mapped_column(primary_key=True)
                title: Mapped[str] = mapped_column(sa.String(20))
            """
        )
    )
    (tmp_path / "shop_named.py").write_text(
        "from shop_tables import Item\nENTITIES = {'Article': Item}\n"
    )
    (tmp_path / "shop_wrong.py").write_text("ENTITIES = {'Article': 5}\n")
    (tmp_path / "shop_broken.py").write_text("import nothing_of_this_name\n")
    assert set(tables_of_module("shop_tables")) == {"Item"}
    assert set(tables_of_module("shop_named")) == {"Article"}
    for name in ("shop_wrong", "shop_broken", "shop_missing"):
        with pytest.raises(EntitiesInvalid, match=name):
            tables_of_module(name)
    tables = tables_of_module("shop_named")
    store = open_sqlite(tmp_path / "shop.sqlite3", tables=tables)
    tables["Article"].create(store.engine)
    store.open()
    store.ensure_schema()
    feed = Feed(store)
    feed.apply(operation("CREATE", {"id": 1, "title": "x"}, entity="Article"))
    assert [row["title"] for row in store.rows("Article")] == ["x"]
    feed.apply(operation("CREATE", user(1)))
    assert reasons(store) == ["unknown-entity"]
    store.close()
