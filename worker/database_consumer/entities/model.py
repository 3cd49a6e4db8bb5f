"""A table as operations see it: fields, key, and the check of what a message brings.

Long because a row is read alone and a batch column by column, and both must say the same.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import starmap
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec.structs import astuple

from database_consumer.entities.coercion import Convert, Stored, ValueInvalid, convert_all
from database_consumer.operations import OperationInvalid

VERSION_COLUMN = "row_version"
"""The column that every change raises; a table may do without it."""

Key = tuple[Stored, ...]
"""The stored values of a key's columns, in the order of the primary key."""

Row = dict[str, Stored]
"""Stored values by column name."""

DEFAULT = msgspec.UNSET
"""In a whole row: the database fills this column in."""

WholeRow = tuple[Any, ...]
"""Stored values of all columns in their order; :data:`DEFAULT` where the database has one."""


_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column; ``names`` are what a message may call it.

    ``default`` says that the database fills it in when a row is created without it. ``form`` says
    how a stored value reads, ``quick`` is the type by which msgspec alone can check it, or None.
    """

    name: str
    names: tuple[str, ...]
    convert: Convert
    nullable: bool
    default: bool
    form: str
    quick: Any = None


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
        "_shape",
        "_single",
        "columns",
        "entity",
        "exact_text",
        "fillers",
        "has_defaults",
        "key",
        "key_places",
        "names",
        "quick",
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
        self.key: tuple[str, ...] = tuple(str(one.name) for one in table.primary_key.columns)
        if any({"?", "`"} & {*one} for one in (table.name, *table.columns.keys())):
            raise ValueError(
                f"table {table.name}: names with a question mark or a backtick cannot be used"
            )
        if not self.key:
            raise ValueError(f"table {table.name} has no primary key: its rows cannot be addressed")
        self.rest: tuple[str, ...] = tuple(one for one in self.columns if one not in self.key)
        self._shape: Callable[..., Any] | None = None
        self._fields: dict[str, Column] = {}
        for column in self.columns.values():
            for name in column.names:
                if self._fields.setdefault(name, column) is not column:
                    del self._fields[name]  # means two columns: only their own names stay
        for column in self.columns.values():
            self._fields[column.name] = column
        self.names: tuple[str, ...] = tuple(self.columns)
        self.key_places: tuple[int, ...] = tuple(self.names.index(one) for one in self.key)
        self._single = self.key_places[0] if len(self.key_places) == 1 else -1
        self.has_defaults = any(one.default for one in self.columns.values())
        self.quick = QuickRows(self)
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

    def named(self, field: str) -> Column | None:
        """The column that a message means by this name."""
        return self._fields.get(field)

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

    def new_row(self, data: Any) -> WholeRow:
        """A whole row to create: what may be null and is not named is null."""
        row = self.values(data)
        for name in self._required:
            if name not in row:
                raise OperationInvalid("missing-column", f"{self.entity}.{name} is missing")
        for name in self.fillers:
            if name not in row:
                row[name] = None
        return tuple([row.get(name, DEFAULT) for name in self.names])

    def key_in_row(self, row: WholeRow) -> Key:
        """The key of a whole row."""
        if self._single >= 0:
            return (row[self._single],)
        return tuple([row[place] for place in self.key_places])

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
        plain = [one.hex() if isinstance(one, bytes) else one for one in key]
        return msgspec.json.encode(plain).decode()

    def json_rows(self, rows: Iterable[Sequence[Any]]) -> list[bytes]:
        """Each row, whose values are ready for JSON, as an object by the columns' names."""
        if self._shape is None:
            self._shape = _shape(self.names)
        return list(map(_encode, starmap(self._shape, rows)))


def _shape(names: Sequence[str]) -> Callable[..., Any]:
    """What makes a value of these names' values, in their order, that is encoded as an object."""
    fields = [f"c{place}" for place in range(len(names))]
    try:
        return msgspec.defstruct(
            "Shape", fields, rename=dict(zip(fields, names, strict=True)), gc=False
        )
    except ValueError:  # a name that needs an escape in JSON
        return lambda *values: dict(zip(names, values, strict=True))


class QuickRows:
    """Reads the data of a CREATE straight into a whole row, where nothing about it is unusual.

    msgspec checks names, lengths and bounds while it parses. Whatever it does not take goes the
    long way, which accepts more spellings and names what is wrong; both give the same row.
    """

    __slots__ = ("_converts", "_decoder", "_table", "_type")

    def __init__(self, table: EntityTable) -> None:
        self._table = table
        self._decoder: msgspec.json.Decoder[Any] | None = None
        self._type: type[msgspec.Struct] | None = None
        self._converts: tuple[tuple[int, Convert, bool], ...] = ()

    def row_type(self) -> type[msgspec.Struct]:
        """What msgspec reads the usual data as: a struct with a field for each column."""
        if self._type is None:
            self._type = self._make_type()
        return self._type

    def _prepare(self) -> msgspec.json.Decoder[Any]:
        self._decoder = msgspec.json.Decoder(self.row_type(), float_hook=Decimal)
        return self._decoder

    def _make_type(self) -> type[msgspec.Struct]:
        fields: list[Any] = []
        names: dict[str, str] = {}
        converts: list[tuple[int, Convert, bool]] = []
        for place, column in enumerate(self._table.columns.values()):
            kind: Any = Any if column.quick is None else column.quick
            if column.quick is None:
                converts.append((place, column.convert, column.nullable))
            field = f"c{place}"
            other = column.names[-1]
            # a spelling that means two columns is the one that has it as its own name
            names[field] = other if self._table.named(other) is column else column.name
            if column.default and column.name not in self._table.key:
                fields.append((field, kind | msgspec.UnsetType, msgspec.UNSET))
            elif column.nullable:
                fields.append((field, kind | None, None))
            else:
                fields.append((field, kind))
        made = msgspec.defstruct(
            "Quick", fields, rename=names, forbid_unknown_fields=True, kw_only=True, gc=False
        )
        self._converts = tuple(converts)
        return made

    def read(self, data: msgspec.Raw) -> WholeRow | None:
        """The row, or None: go the long way."""
        decoder = self._decoder or self._prepare()
        try:
            row = list(astuple(decoder.decode(data)))
            for place, convert, nullable in self._converts:
                value = row[place]
                if value is None:
                    if not nullable:
                        return None
                elif value is not DEFAULT:
                    row[place] = convert(value)
        except (ValueError, ArithmeticError, RecursionError, ValueInvalid):
            return None
        return tuple(row)

    def read_columns(
        self, data: Sequence[msgspec.Raw]
    ) -> tuple[list[int], list[Sequence[Any]]] | None:
        """The rows of many at once, column by column, and the places of those left out.

        Gives the same as :meth:`read` for each. None: one of the values must be looked at by
        itself, so :meth:`read` has to be asked for each.
        """
        decode = (self._decoder or self._prepare()).decode
        rows: list[tuple[Any, ...]] = []
        others: list[int] = []
        try:
            rows = list(map(astuple, map(decode, data)))
        except (ValueError, ArithmeticError, RecursionError):
            for place, one in enumerate(data):
                try:
                    rows.append(astuple(decode(one)))
                except (ValueError, ArithmeticError, RecursionError):
                    others.append(place)
        if not rows:
            return others, []
        columns = self.converted(rows)
        return None if columns is None else (others, columns)

    def converted(self, rows: Sequence[tuple[Any, ...]]) -> list[Sequence[Any]] | None:
        """The values of :meth:`row_type`'s structs as they are stored, column by column.

        None: one of them must be looked at by itself.
        """
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
        try:
            for place, convert, nullable in self._converts:
                columns[place] = converted(columns[place], convert, nullable=nullable)
        except (ValueError, ArithmeticError, RecursionError, ValueInvalid):
            return None
        return columns


_NULL = type(None)


def converted(values: Sequence[Any], convert: Convert, *, nullable: bool) -> Sequence[Any]:
    """One column's values as they are stored; raises :class:`ValueInvalid`."""
    if nullable and values[0] is None and values.count(None) == len(values):
        return values
    kinds = set(map(type, values))
    nulls = _NULL in kinds
    if not nulls and type(DEFAULT) not in kinds:
        return convert_all(convert, values)
    if nulls and not nullable:
        raise ValueInvalid("not-null", "must not be null")
    return [one if one is None or one is DEFAULT else convert(one) for one in values]


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
