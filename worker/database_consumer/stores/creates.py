"""A batch that creates rows of one entity and does nothing else: the shape of a backlog.

It is read, claimed and written column by column, without an object for each operation. Whatever
turns out not to be as usual takes the way of the items, which gives the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import partial
from hashlib import blake2b
from itertools import islice, repeat
from operator import attrgetter, lt
from typing import Annotated, Any, Literal

import msgspec
from msgspec.structs import astuple

from database_consumer.batching import TablePlan, keys_in_order
from database_consumer.entities.model import Catalogue, EntityTable, WholeRow
from database_consumer.handlers import NO_VALUES, Change, ChangeKind, Handlers
from database_consumer.operations import MAX_OPERATION_ID
from database_consumer.stores.base import Record
from database_consumer.stores.item import Item, trimmed
from database_consumer.stores.transaction import Claim

USUAL_ID = MAX_OPERATION_ID // 4
"""Characters of an operation id that surely has few enough bytes."""

UNUSUAL = (ValueError, TypeError, ArithmeticError, RecursionError)
"""What msgspec raises for messages that it does not take."""

UsualId = Annotated[str, msgspec.Meta(min_length=1, max_length=USUAL_ID)]

_CREATE = ChangeKind.CREATE
new_change = partial(tuple.__new__, Change)
"""`Change._make` without its check of the length."""

encode_content = msgspec.json.Encoder(order="deterministic", decimal_format="number").encode
"""Of what a fingerprint is made."""

_new_hash = blake2b(digest_size=16).copy


class BriefMetadata(msgspec.Struct, rename="camel", gc=False):
    """The one thing in the metadata that the worker needs."""

    operation_id: str = ""


class BriefEnvelope(msgspec.Struct, gc=False):
    """The usual envelope."""

    type: str
    entity: str
    data: msgspec.Raw
    metadata: BriefMetadata


brief = msgspec.json.Decoder(BriefEnvelope).decode


class CreateSet:
    """CREATEs of one entity that could all be read: their records, ids and columns, in order."""

    __slots__ = ("_items", "columns", "names", "prints", "records", "rows", "table")

    def __init__(
        self,
        type_: str,
        table: EntityTable,
        records: Sequence[Record],
        names: Sequence[str],
        columns: list[Sequence[Any]],
    ) -> None:
        self.table = table
        self.records = records
        self.names = names
        self.columns = columns
        self.rows: list[WholeRow] = list(zip(*columns, strict=True))
        every = len(self.rows)
        contents = zip(
            repeat(type_, every),
            repeat(table.entity, every),
            _all_trimmed(table, columns, self.rows),
            strict=True,
        )
        self.prints = digests(map(encode_content, contents))
        self._items: list[Item] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def items(self) -> list[Item]:
        """The same one by one."""
        if self._items is None:
            every = len(self.rows)
            keys = zip(*[self.columns[one] for one in self.table.key_places], strict=True)
            changes = map(
                new_change,
                zip(
                    repeat(_CREATE, every),
                    repeat(self.table, every),
                    keys,
                    self.rows,
                    repeat(NO_VALUES, every),
                    strict=True,
                ),
            )
            single = zip(changes, strict=True)
            self._items = list(map(Item, self.records, self.names, self.prints, single))
        return self._items

    def claims(self) -> list[Claim] | None:
        """For the inbox, sorted; None when an id is there twice."""
        names = self.names
        offsets = map(attrgetter("offset"), self.records)
        claims = list(zip(names, offsets, self.prints, strict=True))
        if not _ascending(names):
            if len(set(names)) != len(names):
                return None
            claims.sort()
        return claims

    def plan(self) -> TablePlan | None:
        """What is to be done to the table; None when the order of the operations matters."""
        table = self.table
        if table.unique or not table.exact_text:
            return None
        keyed = [self.columns[one] for one in table.key_places]
        keys = list(zip(*keyed, strict=True))
        if _ascending(keyed[0]):
            return TablePlan(table, inserts=self.rows, columns=self.columns, changed=keys)
        rows = dict(zip(keys, self.rows, strict=True))
        if len(rows) != len(keys):
            return None
        ordered = keys_in_order(keys)
        return TablePlan(table, inserts=[rows[one] for one in ordered], changed=ordered)


Prepared = list[Item] | CreateSet
"""A batch, decoded and checked."""


def items_of(prepared: Prepared) -> list[Item]:
    """One by one."""
    return prepared.items() if isinstance(prepared, CreateSet) else prepared


class CreateReader:
    """Reads batches that are nothing but usual CREATEs of one entity."""

    def __init__(self, catalogue: Catalogue, handlers: Handlers) -> None:
        self._tables = {one.entity: one for one in catalogue}
        self._handlers = handlers
        self._decoders: dict[tuple[str, str], msgspec.json.Decoder[Any]] = {}

    def read(self, records: Sequence[Record]) -> CreateSet | None:
        """The batch, or None when it is not of that kind."""
        if not records:
            return None
        values: list[Any] = list(map(attrgetter("value"), records))
        try:
            first, middle, last = (
                brief(values[0]),
                brief(values[len(values) // 2]),
                brief(values[-1]),
            )
            table = self._tables.get(first.entity)
            if (
                table is None
                or self._handlers.standard_kind(first.type) is not _CREATE
                or not first.type == middle.type == last.type
                or not first.entity == middle.entity == last.entity
            ):
                return None
            envelopes = list(map(self._decoder(first.type, table).decode, values))
        except UNUSUAL:
            return None
        names = list(map(attrgetter("metadata.operation_id"), envelopes))
        if "\0" in "".join(names):
            return None
        columns = table.quick.converted(list(map(astuple, map(attrgetter("data"), envelopes))))
        return None if columns is None else CreateSet(first.type, table, records, names, columns)

    def _decoder(self, type_: str, table: EntityTable) -> msgspec.json.Decoder[Any]:
        """Of a message whose type and entity are these, and whose data is a usual row."""
        decoder = self._decoders.get((type_, table.entity))
        if decoder is None:
            metadata = msgspec.defstruct(
                "Metadata", [("operation_id", UsualId)], rename="camel", gc=False
            )
            envelope = msgspec.defstruct(
                "Whole",
                [
                    ("type", Literal[type_]),
                    ("entity", Literal[table.entity]),
                    ("data", table.quick.row_type()),
                    ("metadata", metadata),
                ],
                gc=False,
            )
            decoder = msgspec.json.Decoder(envelope, float_hook=Decimal)
            self._decoders[type_, table.entity] = decoder
        return decoder


def _ascending(values: Sequence[Any]) -> bool:
    """Whether each is above the one before it: sorted, and none there twice."""
    try:
        return all(map(lt, values, islice(values, 1, None)))
    except TypeError:  # integers and texts in one column
        return False


def digests(contents: Iterable[bytes]) -> list[bytes]:
    """16 bytes for each, as of :func:`database_consumer.operations.fingerprint`.

    A copy of an empty hash takes two thirds of the time that a new one does.
    """
    made: list[bytes] = []
    for one in contents:
        digest = _new_hash()
        digest.update(one)
        made.append(digest.digest())
    return made


def _all_trimmed(
    table: EntityTable, columns: list[Sequence[Any]], rows: list[WholeRow]
) -> Iterable[WholeRow]:
    """What :func:`trimmed` gives for each row, by columns where that is the same."""
    count = len(rows)
    end = len(columns)
    while end and columns[end - 1].count(None) == count:
        end -= 1
    if end and (None in columns[end - 1] or table.has_defaults):
        return map(trimmed, rows)
    return zip(*columns[:end], strict=True) if end else repeat((), count)
