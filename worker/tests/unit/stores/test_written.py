"""Rows that the cache is told of without reading them: which ones, as what, and how many."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa

from database_consumer.entities.describing import describe
from database_consumer.entities.model import EntityTable
from database_consumer.entities.shipped import TABLES
from database_consumer.stores.mysqlcolumns import faithful
from database_consumer.stores.written import Faithful, Written, WrittenRows

THINGS = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String(5)),
    sa.Column("on", sa.Boolean),
    sa.Column("price", sa.Numeric(10, 2)),
)
COLUMNS: dict[str, list[Any]] = {
    "id": ["id", "int", None, None, None, "NO", None, ""],
    "name": ["name", "varchar", 5, "utf8mb4", None, "YES", "NULL", ""],
    "on": ["on", "tinyint", None, None, None, "YES", None, ""],
    "price": ["price", "decimal", None, None, None, "YES", None, ""],
}
CHARACTER_SET, NULLABLE, DEFAULT, EXTRA = 3, 5, 6, 7


def table(of: sa.Table = THINGS) -> EntityTable:
    return describe(of, entity="Thing", dialect="mysql")


def seen(**changed: tuple[int, Any]) -> Faithful | None:
    columns = {name: list(row) for name, row in COLUMNS.items()}
    for name, (place, value) in changed.items():
        columns[name][place] = value
    return faithful(table(), columns.values())


def written(*rows: tuple[Any, ...], version: int = 7) -> Written:
    found = seen()
    assert found is not None
    return Written(table(), version, rows, found)


def texts(*rows: tuple[Any, ...]) -> dict[Any, Any]:
    return {key[0]: json.loads(text) for key, text in written(*rows).texts().items()}


def test_a_row_is_given_as_the_table_reads() -> None:
    assert texts((1, "Zoë", 1, None), (2, None, None, None), (3, "", 0, None)) == {
        1: {"id": 1, "name": "Zoë", "on": True, "price": None},
        2: {"id": 2, "name": None, "on": None, "price": None},
        3: {"id": 3, "name": "", "on": False, "price": None},
    }


def test_a_row_with_a_value_that_may_read_otherwise_is_left_out() -> None:
    rows = [
        (1, "12345", 1, None),
        (2, "12345 ", 1, None),  # MySQL cuts trailing blanks that do not fit, and says nothing
        (3, "a", 1, "1.50"),
        (None, "a", 1, None),
        (5, 5, 1, None),
    ]
    assert set(texts(*rows)) == {1}


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("name", DEFAULT, "'x'"),
        ("on", DEFAULT, "1"),
        ("on", EXTRA, "on update current_timestamp()"),
        ("id", EXTRA, "auto_increment"),
    ],
)
def test_where_the_database_fills_in_nothing_is_known(name: str, place: int, value: str) -> None:
    assert seen(**{name: (place, value)}) is None


def test_a_column_that_is_not_there_or_has_a_default_of_its_own_makes_the_table_unknown() -> None:
    assert faithful(table(), [COLUMNS["id"], COLUMNS["name"]]) is None
    other = THINGS.to_metadata(sa.MetaData())
    other.columns["name"].server_default = sa.DefaultClause("x")
    assert faithful(table(other), COLUMNS.values()) is None


def test_a_text_in_another_character_set_is_read() -> None:
    found = seen(name=(CHARACTER_SET, "sjis"))
    assert found is not None
    one = Written(table(), 1, [(1, "a", 1, None), (2, None, 1, None)], found)
    assert set(one.texts()) == {(2,)}


def test_null_where_the_column_takes_none_is_not_believed() -> None:
    found = seen(name=(NULLABLE, "NO"))
    assert found is not None
    assert Written(table(), 1, [(1, None, 1, None), (2, None, 0, None)], found).texts() == {}


def test_every_shipped_table_can_be_described() -> None:
    for entity, one in TABLES.items():
        described = describe(one, entity=entity, dialect="mysql")
        columns = [
            [name, "varchar", 100, "utf8mb4", None, "YES", None, ""] for name in described.names
        ]
        assert faithful(described, columns) is not None


def test_names_that_json_must_escape_are_written_all_the_same() -> None:
    odd = sa.Table(
        "odd",
        sa.MetaData(),
        sa.Column('a"b', sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("c\\d", sa.Integer),
    )
    assert json.loads(table(odd).json_rows([(1, 2)])[0]) == {'a"b': 1, "c\\d": 2}


def test_each_row_is_given_once_and_only_as_its_version() -> None:
    rows = WrittenRows()
    rows.keep([written((1, "a", 1, None), (2, "b", 1, None))])
    assert rows.take("Thing", 8, [(1,)]) == {}
    assert rows.take("Other", 7, [(1,)]) == {}
    assert set(rows.take("Thing", 7, [(1,), (9,)])) == {(1,)}
    assert set(rows.take("Thing", 7, [(1,), (2,)])) == {(2,)}
    assert rows.take("Thing", 7, [(2,)]) == {}


def test_two_partitions_may_write_the_same_version() -> None:
    rows = WrittenRows()
    rows.keep([written((1, "a", 1, None))])
    rows.keep([written((2, "b", 1, None))])
    assert set(rows.take("Thing", 7, [(1,), (2,)])) == {(1,), (2,)}


def test_the_oldest_are_forgotten_first() -> None:
    rows = WrittenRows(most=3)
    for version in range(5):
        rows.keep([written((1, "a", 1, None), (2, "b", 1, None), version=version)])
    assert [version for version in range(5) if rows.take("Thing", version, [(1,)])] == [4]
    rows.keep([written(*[(number, "a", 1, None) for number in range(4)], version=9)])
    assert rows.take("Thing", 9, [(1,)]) == {}
