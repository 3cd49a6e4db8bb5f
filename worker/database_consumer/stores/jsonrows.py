"""Rows in the JSON file store, with the constraints that a database would hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from database_consumer.batching import TablePlan
from database_consumer.entities.model import (
    DEFAULT,
    VERSION_COLUMN,
    Catalogue,
    EntityTable,
    Key,
    Reference,
    Row,
    WholeRow,
)
from database_consumer.failures import FailureKind, RecordFailure, Verdict
from database_consumer.stores.jsonstate import JsonState, pack, unpack

_DUPLICATE = Verdict(kind=FailureKind.PERMANENT, code="duplicate-key")
_PARENT = Verdict(kind=FailureKind.MAY_MEND, code="parent-missing")
_CHILDREN = Verdict(kind=FailureKind.MAY_MEND, code="has-children")
_VANISHED = Verdict(kind=FailureKind.MAY_MEND, code="row-missing")

_PREFIX = "rows:"


def key_name(key: Key) -> str:
    """A key as the name of an entry; integers and texts differ."""
    return msgspec.json.encode([pack(one) for one in key]).decode()


class JsonRows:
    """The tables. Keeps indexes of unique and referring columns in step with every change."""

    def __init__(self, state: JsonState, catalogue: Catalogue) -> None:
        self._state = state
        self._catalogue = catalogue
        self._indexes: dict[str, list[tuple[tuple[str, ...], dict[str, set[str]]]]] = {}
        self._children: dict[str, list[tuple[EntityTable, Reference]]] = {}
        for table in catalogue:
            for reference in table.references:
                self._children.setdefault(reference.parent, []).append((table, reference))

    def rebuild(self) -> None:
        """Make the indexes from what the state holds, and keep them so."""
        self._indexes = {
            _PREFIX + table.entity: [
                (columns, {})
                for columns in dict.fromkeys(
                    [*table.unique, *(one.columns for one in table.references)]
                )
            ]
            for table in self._catalogue
        }
        for name in self._indexes:
            for key, row in self._state.of(name).items():
                self._watch(name, key, None, row)
        self._state.watcher = self._watch

    def _watch(self, name: str, key: str, before: Any, after: Any) -> None:
        for columns, index in self._indexes.get(name, ()):
            for row, add in ((before, False), (after, True)):
                value = _value(row, columns)
                if value is None:
                    continue
                if add:
                    index.setdefault(value, set()).add(key)
                elif value in index:
                    index[value].discard(key)
                    if not index[value]:
                        del index[value]

    def _find(self, table: EntityTable, columns: tuple[str, ...], value: str) -> set[str]:
        for names, index in self._indexes[_PREFIX + table.entity]:
            if names == columns:
                return set(index.get(value, ()))
        raise KeyError(columns)

    def read(self, table: EntityTable, key: Key) -> dict[str, Any] | None:
        """A row's stored values, or None."""
        row = self._state.of(_PREFIX + table.entity).get(key_name(key))
        return None if row is None else {name: unpack(value) for name, value in row.items()}

    def all(self, table: EntityTable) -> list[dict[str, Any]]:
        """Every row's stored values, in the order of the keys: numbers, then text."""
        rows = [
            {name: unpack(value) for name, value in row.items()}
            for row in self._state.of(_PREFIX + table.entity).values()
        ]
        return sorted(
            rows, key=lambda row: [(type(row[one]).__name__, row[one]) for one in table.key]
        )

    def version(self, table: EntityTable, key: Key) -> int | None:
        """A row's version, or None."""
        row = self._state.of(_PREFIX + table.entity).get(key_name(key))
        return None if row is None else int(row.get(VERSION_COLUMN, 0))

    def execute(self, tables: Sequence[TablePlan], version: int) -> None:
        """Deletes with children first, inserts with parents first, updates."""
        for plan in reversed(tables):
            for key in plan.deletes:
                self._delete(plan.table, key_name(key))
        for plan in tables:
            for row in plan.inserts:
                self._insert(plan.table, row, version)
        for plan in tables:
            for changes in plan.updates.values():
                for key, values in changes:
                    self._update(plan.table, key_name(key), values, version)

    def _insert(self, table: EntityTable, row: WholeRow, version: int) -> None:
        name = key_name(table.key_in_row(row))
        if name in self._state.of(_PREFIX + table.entity):
            raise RecordFailure(_DUPLICATE, f"{table.entity} {name} is there already")
        whole = {
            one: None if value is DEFAULT else pack(value)
            for one, value in zip(table.names, row, strict=True)
        }
        if table.versioned:
            whole[VERSION_COLUMN] = version
        self._check(table, name, whole, None)
        self._state.put(_PREFIX + table.entity, name, whole)

    def _update(self, table: EntityTable, name: str, values: Row, version: int) -> None:
        before = self._state.of(_PREFIX + table.entity).get(name)
        if before is None:
            raise RecordFailure(_VANISHED, f"{table.entity} {name} was deleted with its parent")
        whole = {**before, **{one: pack(value) for one, value in values.items()}}
        if table.versioned:
            whole[VERSION_COLUMN] = version
        self._check(table, name, whole, before)
        self._state.put(_PREFIX + table.entity, name, whole)

    def _check(
        self, table: EntityTable, name: str, row: dict[str, Any], before: dict[str, Any] | None
    ) -> None:
        for columns in table.unique:
            value = _value(row, columns)
            if value is not None and self._find(table, columns, value) - {name}:
                raise RecordFailure(
                    _DUPLICATE, f"another {table.entity} has this {', '.join(columns)}"
                )
        for reference in table.references:
            value = _value(row, reference.columns)
            if value is None or value == _value(before, reference.columns):
                continue
            parent = self._catalogue.of_table(reference.parent)
            if parent is not None and not self._has_parent(parent, reference, row):
                raise RecordFailure(
                    _PARENT, f"{table.entity} {name}: no {parent.entity} {value} is there"
                )

    def _has_parent(self, parent: EntityTable, reference: Reference, row: dict[str, Any]) -> bool:
        wanted = dict(zip(reference.parent_columns, reference.columns, strict=True))
        if set(wanted) == set(parent.key):
            key = tuple(unpack(row[wanted[one]]) for one in parent.key)
            return key_name(key) in self._state.of(_PREFIX + parent.entity)
        value = _value(row, reference.columns)
        return any(
            _value(one, reference.parent_columns) == value
            for one in self._state.of(_PREFIX + parent.entity).values()
        )

    def _delete(self, table: EntityTable, name: str) -> None:
        row = self._state.of(_PREFIX + table.entity).get(name)
        if row is None:
            return
        self._state.put(_PREFIX + table.entity, name, None)
        for child, reference in self._children.get(table.name, ()):
            value = _value(row, reference.parent_columns)
            holders = self._find(child, reference.columns, value) if value is not None else set()
            for holder in sorted(holders):
                if reference.cascade == "CASCADE":
                    self._delete(child, holder)
                elif reference.cascade == "SET NULL":
                    before = self._state.of(_PREFIX + child.entity)[holder]
                    cleared = {**before, **dict.fromkeys(reference.columns)}
                    self._state.put(_PREFIX + child.entity, holder, cleared)
                else:
                    raise RecordFailure(
                        _CHILDREN, f"{table.entity} {name} still has {child.entity} {holder}"
                    )


def _value(row: dict[str, Any] | None, columns: tuple[str, ...]) -> str | None:
    """The columns' values as text; None where one is null, which no constraint looks at."""
    if row is None:
        return None
    values = [row.get(one) for one in columns]
    return None if None in values else msgspec.json.encode(values).decode()
