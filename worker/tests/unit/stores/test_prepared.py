"""The shortcut for creates gives what the long way gives."""

from __future__ import annotations

import json

import msgspec
import pytest
from contract.hostile import messages
from contract.stage import operation, user
from hypothesis import given, settings, strategies

from database_consumer.batching import TablePlan
from database_consumer.entities.describing import catalogue
from database_consumer.entities.model import Catalogue
from database_consumer.entities.shipped import TABLES
from database_consumer.handlers import Handlers
from database_consumer.stores.base import Record
from database_consumer.stores.creates import CreateSet, items_of
from database_consumer.stores.item import Item
from database_consumer.stores.prepared import Preparing, prepare, prepare_all

HANDLERS = Handlers.standard()
CATALOGUES = {one: catalogue(TABLES, one) for one in ("sqlite", "mysql", "json")}


class Never:
    """No shortcut."""

    def read(self, _: object) -> None:
        return None


def without_shortcut(dialect: str) -> Catalogue:
    described = catalogue(TABLES, dialect)
    for table in described:
        table.quick = Never()  # type: ignore[assignment]
    return described


LONG = {one: without_shortcut(one) for one in CATALOGUES}


def essence(item: Item) -> object:
    reason = None if item.invalid is None else (item.invalid.code, str(item.invalid))
    changes = [(one.kind, one.table.entity, one.key, one.row, one.values) for one in item.changes]
    return (item.operation_id, item.fingerprint, changes, reason)


def both(value: bytes | None, dialect: str = "sqlite") -> tuple[object, object]:
    record = Record("t", 0, 5, None, value)
    (quick,) = prepare_all([record], CATALOGUES[dialect], HANDLERS)
    return essence(quick), essence(prepare(record, LONG[dialect], HANDLERS))


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(messages())
def test_both_ways_agree_on_whatever_comes(value: bytes) -> None:
    quick, long = both(value)
    assert quick == long


USUAL = [
    operation("CREATE", user(1, active=True), op="usual-1"),
    operation("CREATE", user(2), op="usual-2"),
    operation("CREATE", user("text", birthDate="2001-02-03"), op="usual-3"),
    operation("CREATE", user(3, attributes={"a": 1}), op="usual-4"),
    operation("UPDATE", {"id": 1, "name": "other"}, op="usual-5"),
    operation("CREATE", {"id": 9, "name": "b"}, entity="Business", op="usual-6"),
    operation("UPDATE", {"id": "2", "name": "x", "role": None}, op="usual-7"),
    operation("UPDATE", {"name": "y", "id": 2, "birthDate": "2001-02-03"}, op="usual-8"),
    operation("UPDATE", {"id": 3, "attributes": {"b": 1.50}}, op="usual-9"),
    operation("DELETE", {"id": 4}, op="usual-10"),
    operation("DELETE", {"name": "passed over", "id": "5"}, op="usual-11"),
    operation("BULK_UPDATE", [{"id": 1, "name": "n"}, {"id": 2, "role": "r"}], op="usual-12"),
]
ALONE = [
    operation("CREATE", user(1 << 70), op="alone-1"),
    operation("CREATE", user(" blank "), op="alone-2"),
    operation("CREATE", user(5, active=3), op="alone-3"),
    operation("CREATE", {"id": 6, "name": None, "email": "e"}, op="alone-4"),
    operation("CREATE", user(None), op="alone-5"),
    operation("CREATE", user(7, birthDate="soon"), op="alone-6"),
    operation("CREATE", user(8, active=1), op="alone-7"),
    operation("UPDATE", {"id": 1}, op="alone-8"),
    operation("UPDATE", {"name": "no key"}, op="alone-9"),
    operation("UPDATE", {"id": 1, "birthDate": "2001-02-03", "birth_date": None}, op="alone-10"),
    operation("UPDATE", {"id": 1, "name": None}, op="alone-11"),
    operation("UPDATE", {"id": 1, "unknown": 1}, op="alone-12"),
    operation("UPDATE", {"id": 1, "birthDate": "soon"}, op="alone-13"),
    operation("UPDATE", [1], op="alone-14"),
    operation("DELETE", {"name": "no key"}, op="alone-15"),
    operation("DELETE", {"id": None}, op="alone-16"),
    operation("DELETE", {"id": 1, "unknown": 1}, op="alone-17"),
    operation("DELETE", {"id": 1}),
    operation("UPSERT", {"id": 1}, op="alone-18"),
    operation("CREATE", user(1), op="x" * 51),
    operation("CREATE", user(1), op="nul\0"),
    operation("CREATE", user(2), op="alone-19").replace(b'"data"', b'"data": {"id": 1}, "data"'),
]


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    strategies.lists(
        strategies.one_of(messages(), strategies.sampled_from(USUAL + ALONE)), max_size=12
    ),
    strategies.sampled_from(sorted(CATALOGUES)),
)
def test_a_batch_read_together_is_what_each_gives_alone(values: list[bytes], dialect: str) -> None:
    records = [Record("t", 0, place, None, value) for place, value in enumerate(values)]
    together = prepare_all(records, CATALOGUES[dialect], HANDLERS)
    alone = [prepare(record, LONG[dialect], HANDLERS) for record in records]
    assert list(map(essence, together)) == list(map(essence, alone))
    assert [one.record for one in together] == records


CREATES = [one for one in USUAL + ALONE if b'"CREATE"' in one and b'"User"' in one]


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    strategies.lists(strategies.sampled_from(CREATES), max_size=9),
    strategies.sampled_from(sorted(CATALOGUES)),
)
def test_a_batch_of_creates_alone_is_what_each_gives_alone(
    values: list[bytes], dialect: str
) -> None:
    records = [Record("t", 0, place, None, value) for place, value in enumerate(values)]
    together = items_of(Preparing(CATALOGUES[dialect], HANDLERS)(records))
    alone = [prepare(record, LONG[dialect], HANDLERS) for record in records]
    assert list(map(essence, together)) == list(map(essence, alone))
    assert [one.record for one in together] == records


def test_usual_creates_alone_are_a_set_and_others_are_not() -> None:
    preparing = Preparing(CATALOGUES["sqlite"], HANDLERS)

    def is_set(*values: bytes) -> bool:
        return isinstance(
            preparing([Record("t", 0, n, None, one) for n, one in enumerate(values)]), CreateSet
        )

    assert is_set(USUAL[0], USUAL[1])
    assert is_set(USUAL[5])
    assert not is_set(USUAL[0], USUAL[4])
    assert not is_set(USUAL[0], USUAL[5], USUAL[0])
    assert not is_set(USUAL[0], ALONE[0], USUAL[0])
    assert not is_set()


def test_a_set_of_creates_is_planned_only_where_their_order_does_not_matter() -> None:
    preparing = Preparing(CATALOGUES["sqlite"], HANDLERS)

    def planned(*keys: object) -> TablePlan | None:
        made = preparing(
            [
                Record("t", 0, n, None, operation("CREATE", user(key), op=f"{n}"))
                for n, key in enumerate(keys)
            ]
        )
        assert isinstance(made, CreateSet)
        return made.plan()

    plan = planned(3, 1, 2)
    assert plan is not None
    assert plan.changed == [(1,), (2,), (3,)] == [row[:1] for row in plan.inserts]
    assert not plan.columns
    plan = planned(1, 2, 3)
    assert plan is not None
    assert [tuple(one) for one in plan.columns] == list(zip(*plan.inserts, strict=True))
    assert planned(1, 2, 1) is None
    mixed = planned("b", 1, "a")
    assert mixed is not None
    assert mixed.changed == [(1,), ("a",), ("b",)]


def test_usual_creates_are_read_column_by_column() -> None:
    (table,) = (one for one in CATALOGUES["mysql"] if one.entity == "User")
    data = [msgspec.Raw(json.dumps(user(n, active=n % 2 == 0)).encode()) for n in range(3)]
    read = table.quick.read_columns([*data, msgspec.Raw(b'{"unknown": 1}')])
    assert read is not None
    others, columns = read
    assert (others, columns[0], len(columns)) == ([3], ["0", "1", "2"], len(table.names))
    assert list(zip(*columns, strict=True)) == [table.quick.read(one) for one in data]


@pytest.mark.parametrize("dialect", ["sqlite", "mysql", "json"])
def test_a_usual_create_takes_the_shortcut_and_is_the_same(dialect: str) -> None:
    data = user(1, active=True, birthDate="2001-02-03", attributes={"b": 1.50, "a": [None]})
    for table in CATALOGUES[dialect]:
        if table.entity == "User":
            row = table.quick.read(msgspec.Raw(json.dumps(data).encode()))
            assert row is not None
            assert row[0] == ("1" if dialect == "mysql" else 1)
    quick, long = both(operation("CREATE", data, op="a"), dialect)
    assert quick == long


def test_spellings_of_the_same_content_have_one_fingerprint() -> None:
    known = CATALOGUES["sqlite"]

    def print_of(value: bytes) -> bytes:
        return prepare(Record("t", 0, 0, None, value), known, HANDLERS).fingerprint

    once = operation("CREATE", user(1, birthDate="2001-02-03"), op="a")
    spelt = operation("CREATE", user(1, birth_date="2001-02-03", phone=None), op="a")
    other = operation("CREATE", user(1, birth_date="2001-02-04"), op="a")
    assert print_of(once) == print_of(spelt) != print_of(other)
