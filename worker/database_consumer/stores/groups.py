"""Operations of one type and entity in a batch, read together.

What they have in common is looked at once: which columns they name, what kinds of values these
hold. A group gives those that are usual; each of the others is read by itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import repeat
from typing import Any

import msgspec

from database_consumer.entities.coercion import ValueInvalid
from database_consumer.entities.model import Column, EntityTable, Key, Row, converted
from database_consumer.handlers import NO_VALUES, ChangeKind, Handlers
from database_consumer.stores.base import Record
from database_consumer.stores.creates import (
    UNUSUAL,
    CreateSet,
    digests,
    encode_content,
    new_change,
)
from database_consumer.stores.item import Item

_parse = msgspec.json.Decoder(float_hook=Decimal).decode


class Group(ABC):
    """Places in the batch, operation ids and data of the operations, filled from outside."""

    def __init__(self, type_: str, table: EntityTable) -> None:
        self.type = type_
        self.table = table
        self.places: list[int] = []
        self.names: list[str] = []
        self.data: list[msgspec.Raw] = []

    @abstractmethod
    def items(self, taken: Sequence[Record]) -> Iterable[tuple[int, Item]]:
        """Those that could be read, with their places; ``taken`` is the whole batch."""


class Creates(Group):
    """CREATEs."""

    def items(self, taken: Sequence[Record]) -> Iterable[tuple[int, Item]]:
        """By their columns."""
        read = self.table.quick.read_columns(self.data)
        if read is None:
            return ()
        others, columns = read
        places, names = self.places, self.names
        if others:
            skipped = set(others)
            kept = [one for one in range(len(places)) if one not in skipped]
            places = [places[one] for one in kept]
            names = [names[one] for one in kept]
        if not places:
            return ()
        records = [taken[one] for one in places]
        made = CreateSet(self.type, self.table, records, names, columns).items()
        return zip(places, made, strict=True)


class Changes(Group):
    """UPDATEs or DELETEs: those that name the same columns are read together."""

    def __init__(self, type_: str, table: EntityTable, kind: ChangeKind) -> None:
        super().__init__(type_, table)
        self.kind = kind

    def items(self, taken: Sequence[Record]) -> Iterable[tuple[int, Item]]:
        """By the names that the data holds."""
        try:
            parsed: list[Any] = list(map(_parse, self.data))
        except UNUSUAL:
            return
        shapes: dict[tuple[str, ...], list[int]] = {}
        for number, one in enumerate(parsed):
            if type(one) is dict:
                shapes.setdefault(tuple(one), []).append(number)
        for shape, numbers in shapes.items():
            read = self._read(shape, [parsed[one] for one in numbers])
            if read is not None:
                yield from self._made(taken, numbers, *read)

    def _read(
        self, shape: tuple[str, ...], data: Sequence[dict[str, Any]]
    ) -> tuple[list[Key], Sequence[Row]] | None:
        """Keys and new values of all; None: read each by itself."""
        table = self.table
        columns: dict[str, tuple[str, Column]] = {}
        for field in shape:
            column = table.named(field)
            if self.kind is ChangeKind.DELETE and (column is None or column.name not in table.key):
                continue
            if column is None or column.name in columns:
                return None
            columns[column.name] = field, column
        rest = [one for one in columns if one not in table.key]
        if len(columns) != len(rest) + len(table.key) or (
            self.kind is ChangeKind.UPDATE and not rest
        ):
            return None
        values: dict[str, Sequence[Any]] = {}
        try:
            for name, (field, column) in columns.items():
                sent = [one[field] for one in data]
                values[name] = converted(sent, column.convert, nullable=column.nullable)
        except (*UNUSUAL, ValueInvalid):
            return None
        keys = list(zip(*[values[one] for one in table.key], strict=True))
        if not rest:
            return keys, [NO_VALUES] * len(keys)
        rows = zip(*[values[one] for one in rest], strict=True)
        return keys, [dict(zip(rest, row, strict=True)) for row in rows]

    def _made(
        self,
        taken: Sequence[Record],
        numbers: Sequence[int],
        keys: Sequence[Key],
        values: Sequence[Row],
    ) -> Iterable[tuple[int, Item]]:
        entity, every = self.table.entity, len(keys)
        nothing: Iterable[tuple[()]] = repeat((), every)
        done = zip(repeat(int(self.kind)), repeat(entity), keys, nothing, values, strict=False)
        contents = zip(repeat(self.type), repeat(entity), zip(done, strict=True), strict=False)
        prints = digests(map(encode_content, contents))
        changes = map(
            new_change,
            zip(repeat(self.kind), repeat(self.table), keys, repeat(()), values, strict=False),
        )
        places = [self.places[one] for one in numbers]
        made = map(
            Item,
            [taken[one] for one in places],
            [self.names[one] for one in numbers],
            prints,
            zip(changes, strict=True),
        )
        return zip(places, made, strict=True)


def group_of(type_: str, table: EntityTable | None, handlers: Handlers) -> Group | None:
    """An empty group for operations of this type; None when there is no shortcut for them."""
    kind = handlers.standard_kind(type_)
    if table is None or kind is None:
        return None
    return Creates(type_, table) if kind is ChangeKind.CREATE else Changes(type_, table, kind)
