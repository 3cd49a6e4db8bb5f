"""Folding gives what one operation after the other gives."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from database_consumer.batching import fold, fold_creates, segments, unread_keys
from database_consumer.entities.describing import describe
from database_consumer.entities.model import EntityTable
from database_consumer.handlers import Change, Handlers, put

HANDLERS = Handlers.standard()
metadata = sa.MetaData()
THINGS = sa.Table(
    "things",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("a", sa.Integer),
    sa.Column("b", sa.Integer),
)
WORDS = sa.Table(
    "words",
    metadata,
    sa.Column("id", sa.String(10), primary_key=True),
    sa.Column("slug", sa.String(10), unique=True),
)


@pytest.fixture(scope="module")
def things() -> EntityTable:
    return describe(THINGS, entity="Thing", dialect="sqlite")


def op(table: EntityTable, kind: str, data: Any) -> tuple[Change, ...]:
    if kind == "PUT":
        return (put(table, data),)
    return HANDLERS.changes(kind, table, data)


def one_by_one(
    table: EntityTable, operations: list[tuple[Change, ...]], rows: dict[Any, dict[str, Any]]
) -> list[int]:
    """Apply to plain rows; the places that are refused."""
    refused = []
    for place, changes in enumerate(operations):
        trial = {key: dict(row) for key, row in rows.items()}
        for change in changes:
            kind, key = change.kind.name, change.key
            if kind == "CREATE" and key in trial:
                refused.append(place)
                break
            if kind == "DELETE":
                trial.pop(key, None)
            elif kind == "UPDATE":
                if key in trial:
                    trial[key].update(change.values)
            else:
                trial[key] = dict(zip(table.names, change.row, strict=True))
        else:
            rows.clear()
            rows.update(trial)
    return refused


def carried_out(
    table: EntityTable, operations: list[tuple[Change, ...]], rows: dict[Any, dict[str, Any]]
) -> list[int]:
    folded = fold(operations, {("Thing", key) for key in rows}, {"Thing": 0})
    for plan in folded.tables:
        for key in plan.deletes:
            del rows[key]
        for row in plan.inserts:
            key = table.key_in_row(row)
            assert key not in rows
            rows[key] = dict(zip(table.names, row, strict=True))
        for columns, changes in plan.updates.items():
            for key, values in changes:
                assert tuple(sorted(values)) == columns
                rows[key].update(values)
        assert plan.deletes == sorted(plan.deletes)
        assert not set(plan.changed) & set(plan.gone)
    return folded.duplicates


def random_operations(table: EntityTable, chance: random.Random) -> list[tuple[Change, ...]]:
    def data() -> dict[str, Any]:
        return {"id": chance.randrange(4), "a": chance.randrange(9), "b": chance.randrange(9)}

    def some() -> dict[str, Any]:
        return {"id": chance.randrange(4), chance.choice("ab"): chance.randrange(9)}

    makes: dict[str, Callable[[], Any]] = {
        "CREATE": data,
        "PUT": data,
        "UPDATE": some,
        "DELETE": lambda: {"id": chance.randrange(4)},
        "BULK_CREATE": lambda: [data() for _ in range(chance.randrange(1, 3))],
        "BULK_UPDATE": lambda: [some() for _ in range(chance.randrange(1, 3))],
    }
    kinds = chance.choices(list(makes), k=chance.randrange(1, 12))
    return [op(table, kind, makes[kind]()) for kind in kinds]


def test_any_history_folds_to_what_it_gives_one_by_one(things: EntityTable) -> None:
    for seed in range(400):
        chance = random.Random(seed)
        operations = random_operations(things, chance)
        start = {(key,): {"id": key, "a": 0, "b": 0} for key in range(chance.randrange(4))}
        expected = {key: dict(row) for key, row in start.items()}
        refused = one_by_one(things, operations, expected)
        assert carried_out(things, operations, start) == refused, seed
        assert start == expected, seed


def test_creates_of_different_rows_take_the_shortcut(things: EntityTable) -> None:
    operations = [op(things, "CREATE", {"id": ident}) for ident in (3, 1, 2)]
    quick = fold_creates(operations, {"Thing": 0})
    assert quick == fold(operations, set(), {"Thing": 0})
    assert fold_creates([*operations, operations[0]], {"Thing": 0}) is None
    assert fold_creates([op(things, "DELETE", {"id": 1})], {"Thing": 0}) is None


def test_only_what_must_be_known_is_read(things: EntityTable) -> None:
    operations = [
        op(things, "CREATE", {"id": 1}),
        op(things, "UPDATE", {"id": 2, "a": 1}),
        op(things, "CREATE", {"id": 3}),
        op(things, "DELETE", {"id": 3}),
    ]
    assert unread_keys(operations, optimistic=True)["Thing"][1:] == ([(2,)], [(3,)])
    assert unread_keys(operations, optimistic=False)["Thing"][1:] == ([(2,)], [(1,), (3,)])


def test_keys_that_a_collation_may_take_for_one_are_cut_apart() -> None:
    words = describe(WORDS, entity="Word", dialect="mysql")

    def cut(*idents: str) -> list[tuple[int, int]]:
        return segments([op(words, "DELETE", {"id": ident}) for ident in idents])

    assert cut("a", "b", "a") == [(0, 3)]
    assert cut("a", "A", "a") == [(0, 1), (1, 2), (2, 3)]
    assert cut("é", "e", "straße", "STRASSE ") == [(0, 1), (1, 3), (3, 4)]


def test_a_unique_column_cuts_between_giving_up_and_claiming() -> None:
    words = describe(WORDS, entity="Word", dialect="sqlite")
    operations = [
        op(words, "CREATE", {"id": "a", "slug": "x"}),
        op(words, "CREATE", {"id": "b", "slug": "y"}),
        op(words, "DELETE", {"id": "a"}),
        op(words, "DELETE", {"id": "b"}),
        op(words, "UPDATE", {"id": "c", "slug": "x"}),
        op(words, "UPDATE", {"id": "d", "slug": "y"}),
    ]
    assert segments(operations) == [(0, 2), (2, 4), (4, 5), (5, 6)]
