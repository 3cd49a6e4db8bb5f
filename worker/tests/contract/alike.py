"""Batches whose operations are alike, or nearly so: what is done together ends as one by one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from contract.stage import Feed, Make, Setup, operation, reasons, rows, user
from database_consumer.stores.applying import CAREFUL_BATCHES
from database_consumer.stores.base import Store, StorePolicy

PLAIN = ("name", "email", "phone", "role", "active")
COLUMNS = (*PLAIN, "birthDate", "attributes")
VALUES: dict[str, tuple[Any, ...]] = {
    "name": ("A", "Ada", 'O\'Brien \\ "x"', "ünïcode €", "☃" * 200),
    "email": ("a@example.org", "b@example.org"),
    "phone": (None, "1", "+49 30"),
    "role": (None, "", "member", "x" * 60),
    "active": (None, True, False),
    "birthDate": (None, "2001-02-03"),
    "attributes": (None, {"a": [1, None]}, {"b": "c"}),
}


def test_creates_alone_in_any_order_of_keys_and_ids(store: Store, feed: Feed) -> None:
    order = [*range(40, 0, -2), *range(1, 40, 2)]
    result = feed.apply(
        *(operation("CREATE", user(n, f"n{n}"), op=f"op-{-n % 7}-{n}") for n in order)
    )
    assert (result.won, result.dead, result.intents) == (40, 0, 40)
    assert {key: row["name"] for key, row in rows(store).items()} == {
        str(n): f"n{n}" for n in range(1, 41)
    }
    assert len(store.cache_intents(limit=100)) == 40


def test_creates_alone_with_keys_of_both_kinds(store: Store, feed: Feed) -> None:
    feed.apply(*(operation("CREATE", user(key), op=f"o{key}") for key in (3, "x", 1, "b")))
    assert set(rows(store)) == {"1", "3", "x", "b"}


def test_creates_alone_of_a_row_twice(store: Store, feed: Feed) -> None:
    result = feed.apply(*(operation("CREATE", user(n % 5, f"n{n}"), op=f"o{n}") for n in range(8)))
    assert (result.won, result.dead, reasons(store)) == (8, 3, ["duplicate-key"] * 3)
    assert {key: row["name"] for key, row in rows(store).items()} == {
        str(n): f"n{n}" for n in range(5)
    }


def test_creates_alone_of_which_one_is_there(store: Store, feed: Feed) -> None:
    feed.apply(operation("CREATE", user(2, "first"), op="before"))
    result = feed.apply(*(operation("CREATE", user(n), op=f"o{n}") for n in range(4)))
    assert (result.won, result.dead, reasons(store)) == (4, 1, ["duplicate-key"])
    found = rows(store)
    assert (set(found), found["2"]["name"]) == ({"0", "1", "2", "3"}, "first")


def test_creates_alone_with_an_id_twice_and_one_seen_before(store: Store, feed: Feed) -> None:
    feed.apply(operation("CREATE", user(9), op="seen"))
    result = feed.apply(
        operation("CREATE", user(1), op="a"),
        operation("CREATE", user(1), op="a"),
        operation("CREATE", user(2), op="a"),
        operation("CREATE", user(9), op="seen"),
        operation("CREATE", user(3), op="b"),
    )
    assert (result.won, result.duplicates, result.dead) == (2, 2, 1)
    assert reasons(store) == ["conflict"]
    assert set(rows(store)) == {"1", "3", "9"}
    again = feed.apply(*(operation("CREATE", user(n), op=f"n{n}") for n in range(20, 23)))
    assert (again.won, again.duplicates) == (3, 0)


def test_creates_alone_queue_behind_a_parked_one(make: Make) -> None:
    store = make(Setup(policy=StorePolicy(park_missing_rows=True)))
    feed = Feed(store)
    assert feed.apply(operation("UPDATE", {"id": 1, "role": "early"}, op="early")).parked == 1
    for n in range(CAREFUL_BATCHES):
        feed.apply(operation("CREATE", user(100), op=f"calm-{n}"))
    creates = [operation("CREATE", user(n, role="late"), op=f"u{n}") for n in range(3)]
    result = feed.apply(*creates)
    assert (result.won, result.parked) == (3, 1)
    assert set(rows(store)) == {"0", "2", "100"}
    assert store.counts().parked == 2


def test_updates_of_different_columns_touch_only_theirs(store: Store, feed: Feed) -> None:
    feed.apply(
        *(
            operation("CREATE", user(n, phone=f"p{n}", role=f"r{n}", active=True), op=f"c{n}")
            for n in range(6)
        )
    )
    result = feed.apply(
        operation("UPDATE", {"id": 0, "name": 'it\'s \\ "new"'}),
        operation("UPDATE", {"id": 1, "phone": None}),
        operation("UPDATE", {"id": 2, "role": "☃", "active": False}),
        operation("UPDATE", {"id": 3, "active": None, "name": "three"}),
        operation("UPDATE", {"id": 4, "attributes": {"a": 1}}),
        operation("UPDATE", {"id": 77, "name": "nobody"}),
    )
    assert (result.won, result.unmatched, result.dead) == (6, 1, 0)
    found = rows(store)
    assert [found[str(n)]["name"] for n in range(6)] == [
        "it's \\ \"new\"", "Ada", "Ada", "three", "Ada", "Ada"
    ]  # fmt: skip
    assert [found[str(n)]["phone"] for n in range(6)] == ["p0", None, "p2", "p3", "p4", "p5"]
    assert [found[str(n)]["role"] for n in range(6)] == ["r0", "r1", "☃", "r3", "r4", "r5"]
    assert [found[str(n)]["active"] for n in range(6)] == [True, True, False, None, True, True]
    assert [found[str(n)]["attributes"] for n in range(6)] == [
        None, None, None, None, {"a": 1}, None
    ]  # fmt: skip


def test_updates_of_columns_that_may_be_null_leave_the_others(store: Store, feed: Feed) -> None:
    feed.apply(
        *(
            operation("CREATE", user(n, phone=f"p{n}", role=f"r{n}", active=True), op=f"c{n}")
            for n in range(5)
        )
    )
    feed.apply(
        operation("UPDATE", {"id": 0, "phone": "it's \\ new"}),
        operation("UPDATE", {"id": 1, "role": None}),
        operation("UPDATE", {"id": 2, "active": False}),
        operation("UPDATE", {"id": 3, "active": None, "phone": "☃"}),
    )
    found = [rows(store)[str(n)] for n in range(5)]
    assert [one["phone"] for one in found] == ["it's \\ new", "p1", "p2", "☃", "p4"]
    assert [one["role"] for one in found] == ["r0", None, "r2", "r3", "r4"]
    assert [one["active"] for one in found] == [True, True, False, None, True]


def test_an_update_that_one_column_cannot_hold_is_the_only_one_refused(
    store: Store, feed: Feed
) -> None:
    feed.apply(*(operation("CREATE", user(n), op=f"c{n}") for n in range(4)))
    result = feed.apply(
        operation("UPDATE", {"id": 0, "name": "x" * 300}),
        operation("UPDATE", {"id": 1, "phone": "1"}),
        operation("UPDATE", {"id": 2, "role": "r", "name": None}),
        operation("UPDATE", {"id": 3, "active": True}),
    )
    assert (result.won, result.dead) == (4, 2)
    found = rows(store)
    assert (found["0"]["name"], found["1"]["phone"], found["2"]["role"]) == ("Ada", "1", None)
    assert found["3"]["active"] is True


class Model:
    """Rows as they are after each operation by itself."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.refused = 0
        self.unmatched = 0

    def play(self, kind: str, data: dict[str, Any]) -> None:
        key = str(data["id"])
        if kind == "CREATE":
            if key in self.rows:
                self.refused += 1
            else:
                self.rows[key] = {name: data.get(name) for name in COLUMNS}
        elif key not in self.rows:
            self.unmatched += 1
        elif kind == "DELETE":
            del self.rows[key]
        else:
            self.rows[key].update({name: one for name, one in data.items() if name != "id"})


def history(chance: random.Random, columns: Sequence[str]) -> tuple[str, dict[str, Any]]:
    ident = chance.randrange(14)
    kind = chance.choices(("CREATE", "UPDATE", "DELETE"), (3, 6, 2))[0]
    if kind == "DELETE":
        return kind, {"id": ident}
    names = chance.sample(columns, chance.randint(1, 3))
    data = {name: chance.choice(VALUES[name]) for name in names}
    return kind, {**(user(ident) if kind == "CREATE" else {"id": ident}), **data}


@pytest.mark.parametrize("columns", [PLAIN, COLUMNS], ids=["plain columns", "all columns"])
@pytest.mark.parametrize("seed", range(3))
def test_batches_end_as_the_operations_would_one_by_one(
    store: Store, feed: Feed, seed: int, columns: Sequence[str]
) -> None:
    chance = random.Random(seed)
    model = Model()
    refused = unmatched = 0
    for number in range(12):
        batch = [history(chance, columns) for _ in range(chance.choice((1, 7, 40)))]
        for kind, data in batch:
            model.play(kind, data)
        result = feed.apply(
            *(operation(kind, data, op=f"{number}-{chance.random()}") for kind, data in batch)
        )
        refused += result.dead
        unmatched += result.unmatched
        assert (refused, unmatched) == (model.refused, model.unmatched)
        found = {
            key: {"birthDate" if name == "birth_date" else name: one for name, one in row.items()}
            for key, row in rows(store).items()
        }
        assert {
            key: {name: row[name] for name in COLUMNS} for key, row in found.items()
        } == model.rows
