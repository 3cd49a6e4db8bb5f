"""A table as operations see it: fields, key, and the check of what a message brings."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from database_consumer.entities.coercion import Convert, Stored, ValueInvalid
from database_consumer.operations import OperationInvalid

VERSION_COLUMN = "row_version"
"""The column that every change raises; a table may do without it."""

Key = tuple[Stored, ...]
"""The stored values of a key's columns, in the order of the primary key."""

Row = dict[str, Stored]
"""Stored values by column name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column; ``names`` are what a message may call it.

    ``default`` says that the database fills it in when a row is created without it. ``load`` turns
    what a driver reads into what JSON can hold.
    """

    name: str
    names: tuple[str, ...]
    convert: Convert
    nullable: bool
    default: bool
    form: str
    length: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A foreign key: these columns name a row of ``parent``; ``cascade`` is what deleting does."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    cascade: str


class EntityTable:
    """What may be written to one table; made once, read by every thread.

    Raises :class:`OperationInvalid` from every method that takes a message's data.
    """

    __slots__ = (
        "_fields",
        "_required",
        "columns",
        "entity",
        "exact_text",
        "fillers",
        "key",
        "references",
        "rest",
        "table",
        "unique",
        "versioned",
    )

    def __init__(
        self,
        *,
        entity: str,
        table: sa.Table,
        columns: Iterable[Column],
        exact_text: bool,
    ) -> None:
        self.entity = entity
        self.table = table
        self.exact_text = exact_text
        self.versioned = VERSION_COLUMN in table.columns
        self.columns: dict[str, Column] = {
            one.name: one for one in columns if one.name != VERSION_COLUMN
        }
        self.key: tuple[str, ...] = tuple(one.name for one in table.primary_key.columns)
        if not self.key:
            raise ValueError(f"table {table.name} has no primary key: its rows cannot be addressed")
        self.rest: tuple[str, ...] = tuple(one for one in self.columns if one not in self.key)
        self._fields: dict[str, Column] = {}
        for column in self.columns.values():
            for name in column.names:
                if self._fields.setdefault(name, column) is not column:
                    del self._fields[name]  # means two columns: only their own names stay
        for column in self.columns.values():
            self._fields[column.name] = column
        self._required = tuple(
            one.name
            for one in self.columns.values()
            if one.name in self.key or not (one.nullable or one.default)
        )
        self.fillers: tuple[str, ...] = tuple(
            one.name for one in self.columns.values() if one.nullable and not one.default
        )
        self.unique: tuple[tuple[str, ...], ...] = _unique_groups(table, self.key)
        self.references: tuple[Reference, ...] = _references(table)

    @property
    def name(self) -> str:
        """The table's name in the database."""
        return self.table.name

    def values(self, data: Any) -> Row:
        """The stored values of all fields that the data names."""
        if type(data) is not dict:
            raise OperationInvalid("bad-data", f"data of {self.entity} is not an object")
        row: Row = {}
        fields = self._fields
        for field, value in data.items():
            column = fields.get(field)
            if column is None:
                raise OperationInvalid(
                    "unknown-column", f"{self.entity} has no column {_shown(field)}"
                )
            name = column.name
            if name in row:
                raise OperationInvalid(
                    "bad-data", f"{self.entity}.{name} is given twice, under two names"
                )
            if value is None:
                if not column.nullable:
                    raise OperationInvalid("not-null", f"{self.entity}.{name} must not be null")
                row[name] = None
                continue
            try:
                row[name] = column.convert(value)
            except ValueInvalid as error:
                raise OperationInvalid(error.code, f"{self.entity}.{name} {error}") from error
        return row

    def new_row(self, data: Any) -> Row:
        """A whole row to create: what may be null and is not named is null."""
        row = self.values(data)
        for name in self._required:
            if name not in row:
                raise OperationInvalid("missing-column", f"{self.entity}.{name} is missing")
        for name in self.fillers:
            if name not in row:
                row[name] = None
        return row

    def key_of(self, row: Mapping[str, Stored]) -> Key:
        """The key in these values."""
        try:
            return tuple([row[name] for name in self.key])
        except KeyError as error:
            raise OperationInvalid(
                "missing-key", f"{self.entity}.{error.args[0]} is missing"
            ) from error

    def key_in(self, data: Any) -> Key:
        """The key that the data names; other fields are not looked at."""
        if type(data) is not dict:
            raise OperationInvalid("bad-data", f"data of {self.entity} is not an object")
        named = {
            name: value
            for name, value in data.items()
            if (column := self._fields.get(name)) is not None and column.name in self.key
        }
        return self.key_of(self.values(named))

    def canonical(self, key: Key) -> Key:
        """The key in a form that is equal wherever the database may take two keys for one.

        Collations ignore case, accents and trailing blanks; where the key's columns are compared
        as bytes, it is the key itself.
        """
        if self.exact_text:
            return key
        return tuple([_folded(one) if type(one) is str else one for one in key])

    def key_text(self, key: Key) -> str:
        """The key as text: of one column its value, of several a JSON array."""
        if len(key) == 1:
            value = key[0]
            return value.hex() if isinstance(value, bytes) else str(value)
        import msgspec

        plain = [one.hex() if isinstance(one, bytes) else one for one in key]
        return msgspec.json.encode(plain).decode()


def _folded(value: str) -> str:
    if value.isascii():
        return value.lower().rstrip()
    plain = unicodedata.normalize("NFKD", value)
    kept = "".join(one for one in plain if not unicodedata.combining(one))
    return unicodedata.normalize("NFKD", kept.casefold()).rstrip()


def _shown(name: str) -> str:
    return repr(name if len(name) <= 60 else name[:60] + "…")  # noqa: PLR2004


def _unique_groups(table: sa.Table, key: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    groups = [
        tuple(column.name for column in one.columns)
        for one in table.constraints
        if isinstance(one, sa.UniqueConstraint)
    ]
    groups += [
        tuple(getattr(column, "name", "") for column in one.columns)
        for one in table.indexes
        if one.unique
    ]
    return tuple(sorted({one for one in groups if one != key}))


def _references(table: sa.Table) -> tuple[Reference, ...]:
    return tuple(
        Reference(
            columns=tuple(one.parent.name for one in constraint.elements),
            parent=constraint.elements[0].target_fullname.rpartition(".")[0],
            parent_columns=tuple(
                one.target_fullname.rpartition(".")[2] for one in constraint.elements
            ),
            cascade=(constraint.ondelete or "RESTRICT").upper(),
        )
        for constraint in sorted(
            table.foreign_key_constraints, key=lambda one: str(one.elements[0].parent.name)
        )
    )


class Catalogue:
    """The entities that a worker knows, by the name that messages use."""

    __slots__ = ("_by_table", "_tables", "order")

    def __init__(self, tables: Iterable[EntityTable]) -> None:
        self._tables: dict[str, EntityTable] = {}
        for one in tables:
            if one.entity in self._tables:
                raise ValueError(f"two tables for entity {one.entity}")
            self._tables[one.entity] = one
        self._by_table = {one.name: one for one in self._tables.values()}
        self.order: dict[str, int] = self._parents_first()
        """The entities' places, parents before the tables that refer to them."""

    def _parents_first(self) -> dict[str, int]:
        places: dict[str, int] = {}
        visiting: set[str] = set()

        def visit(one: EntityTable) -> None:
            if one.entity in places or one.entity in visiting:
                return
            visiting.add(one.entity)
            for reference in one.references:
                parent = self._by_table.get(reference.parent)
                if parent is not None:
                    visit(parent)
            places[one.entity] = len(places)

        for name in sorted(self._tables):
            visit(self._tables[name])
        return places

    def get(self, entity: str) -> EntityTable:
        """The table of an entity. Raises :class:`OperationInvalid` for an unknown one."""
        table = self._tables.get(entity)
        if table is None:
            raise OperationInvalid("unknown-entity", f"no entity {_shown(entity)}")
        return table

    def of_table(self, name: str) -> EntityTable | None:
        """The entity of a table, if there is one."""
        return self._by_table.get(name)

    def __iter__(self) -> Iterator[EntityTable]:
        return iter(self._tables.values())

    def __contains__(self, entity: str) -> bool:
        return entity in self._tables

    def __len__(self) -> int:
        return len(self._tables)
