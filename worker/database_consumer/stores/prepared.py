"""A record on its way into a store: decoded, checked, with the keys that order is kept by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from hashlib import blake2b
from itertools import repeat
from typing import Any

import msgspec

from database_consumer.entities.model import DEFAULT, Catalogue, EntityTable, WholeRow
from database_consumer.handlers import NO_VALUES, Change, ChangeKind, Handlers
from database_consumer.operations import (
    MAX_OPERATION_ID,
    Envelope,
    OperationInvalid,
    fingerprint,
    open_envelope,
    positional_id,
)
from database_consumer.stores.base import Record

NO_FINGERPRINT = bytes(16)
"""Of an operation without an id of its own: where it stands says what it is."""

_CREATE = ChangeKind.CREATE
_new_change = partial(tuple.__new__, Change)
"""`Change._make` without its check of the length."""


class Item(msgspec.Struct, eq=False):
    """One record: ``changes`` when it can be applied, else ``invalid`` says why not.

    ``operation_id`` is what the inbox knows it by, empty for a record that carries none and cannot
    be decoded. ``ident``, ``stream_id`` and ``attempts`` are those of a parked operation. A struct,
    because a class of Python's takes three times as long to make, and one is made per record.
    """

    record: Record
    operation_id: str
    fingerprint: bytes
    changes: tuple[Change, ...]
    invalid: OperationInvalid | None = None
    keys: tuple[bytes, ...] | None = None
    attempts: int = -1
    ident: int = 0
    stream_id: int = 0

    @property
    def shown_id(self) -> str:
        """The id for people: empty when the sender gave none."""
        return "" if self.operation_id.startswith("\0") else self.operation_id

    def held(self) -> tuple[bytes, ...]:
        """Digests of the keys of all rows that the operation touches, each once, sorted."""
        if self.keys is None:
            self.keys = tuple(sorted({_digest(change) for change in self.changes}))
        return self.keys


def _digest(change: Change) -> bytes:
    table = change.table
    key = table.canonical(change.key)
    content = msgspec.json.encode((table.entity, [type(one).__name__ for one in key], key))
    return blake2b(content, digest_size=16).digest()


def prepare(record: Record, catalogue: Catalogue, handlers: Handlers) -> Item:
    """Decode and check one record; never raises for what a record holds."""
    name = ""
    try:
        envelope = open_envelope(record.value)
        given = envelope.operation_id()
        name = given or positional_id(record.topic, record.partition, record.offset)
        try:
            changes = _changes(envelope, catalogue, handlers)
        except OperationInvalid as error:
            return Item(record, name, _sent(envelope) if given else NO_FINGERPRINT, (), error)
    except OperationInvalid as error:
        return Item(record, name, NO_FINGERPRINT, (), error)
    print_ = _done(envelope, changes) if given else NO_FINGERPRINT
    return Item(record, name, print_, changes)


def _changes(envelope: Envelope, catalogue: Catalogue, handlers: Handlers) -> tuple[Change, ...]:
    table = catalogue.get(envelope.entity)
    if handlers.creates(envelope.type):
        row = table.quick.read(envelope.data)
        if row is not None:
            return (Change(_CREATE, table, table.key_in_row(row), row),)
    try:
        return handlers.changes(envelope.type, table, envelope.parsed())
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError) as error:
        raise OperationInvalid("bad-data", f"the handler refused it: {error!r}"[:500]) from error


def _done(envelope: Envelope | _BriefEnvelope, changes: tuple[Change, ...]) -> bytes:
    """The fingerprint of what an operation does: other spellings of the same are the same."""
    if len(changes) == 1 and changes[0].kind is _CREATE:
        return fingerprint((envelope.type, envelope.entity, _trimmed(changes[0].row)))
    done = [
        (int(one.kind), one.table.entity, one.key, _trimmed(one.row), one.values) for one in changes
    ]
    return fingerprint((envelope.type, envelope.entity, done))


def _trimmed(row: WholeRow) -> WholeRow:
    """Without the columns at the end that hold nothing: one more of them is no other content."""
    end = len(row)
    while end and (row[end - 1] is None or row[end - 1] is DEFAULT):
        end -= 1
    kept = row[:end]
    return tuple(["\0" if one is DEFAULT else one for one in kept]) if DEFAULT in kept else kept


def _sent(envelope: Envelope) -> bytes:
    """The fingerprint of what was sent, of an operation that does nothing."""
    content: Any
    try:
        content = envelope.parsed()
        return fingerprint((envelope.type, envelope.entity, {"sent": content}))
    except (OperationInvalid, RecursionError, ValueError, TypeError):
        raw = bytes(envelope.data)
        return blake2b(raw, digest_size=16).digest()


class _BriefMetadata(msgspec.Struct, rename="camel", gc=False):
    operation_id: str = ""


class _BriefEnvelope(msgspec.Struct, gc=False):
    type: str
    entity: str
    data: msgspec.Raw
    metadata: _BriefMetadata


_brief = msgspec.json.Decoder(_BriefEnvelope).decode
_parse = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(order="deterministic", decimal_format="number").encode
_USUAL_ID = MAX_OPERATION_ID // 4


class _Creates:
    """The usual CREATEs of one entity in a batch, on their way to be read together."""

    __slots__ = ("data", "names", "places", "table", "type")

    def __init__(self, type_: str, table: EntityTable) -> None:
        self.type = type_
        self.table = table
        self.places: list[int] = []
        self.names: list[str] = []
        self.data: list[msgspec.Raw] = []

    def items(self, taken: Sequence[Record]) -> tuple[list[int], list[Item]] | None:
        """Those that could be read, with their places; None: read each by itself."""
        read = self.table.quick.read_columns(self.data)
        if read is None:
            return None
        others, columns = read
        places, names = self.places, self.names
        if others:
            skipped = set(others)
            kept = [one for one in range(len(places)) if one not in skipped]
            places = [places[one] for one in kept]
            names = [names[one] for one in kept]
        if not places:
            return [], []
        rows = list(zip(*columns, strict=True))
        keys = zip(*[columns[one] for one in self.table.key_places], strict=True)
        every = len(rows)
        changes = map(
            _new_change,
            zip(
                repeat(_CREATE, every),
                repeat(self.table, every),
                keys,
                rows,
                repeat(NO_VALUES, every),
                strict=True,
            ),
        )
        contents = zip(
            repeat(self.type, every),
            repeat(self.table.entity, every),
            _all_trimmed(self.table, columns, rows),
            strict=True,
        )
        prints = [blake2b(one, digest_size=16).digest() for one in map(_encode, contents)]
        records = map(taken.__getitem__, places)
        return places, list(map(Item, records, names, prints, zip(changes, strict=True)))


def _all_trimmed(
    table: EntityTable, columns: list[Sequence[Any]], rows: list[WholeRow]
) -> Iterable[WholeRow]:
    """What :func:`_trimmed` gives for each row, by columns where that is the same."""
    count = len(rows)
    end = len(columns)
    while end and columns[end - 1].count(None) == count:
        end -= 1
    if end and (None in columns[end - 1] or table.has_defaults):
        return map(_trimmed, rows)
    return zip(*columns[:end], strict=True) if end else repeat((), count)


_UNUSUAL = (ValueError, TypeError, ArithmeticError, RecursionError)


def _envelopes(records: Sequence[Record]) -> list[_BriefEnvelope | None]:
    """None for a record whose envelope is not the usual one."""
    values: list[Any] = [one.value for one in records]
    try:
        return list(map(_brief, values))
    except _UNUSUAL:
        return list(map(_brief_or_none, values))


def _brief_or_none(value: Any) -> _BriefEnvelope | None:
    try:
        return _brief(value)
    except _UNUSUAL:
        return None


def _alike(
    envelopes: Sequence[_BriefEnvelope | None],
    tables: Mapping[str, EntityTable],
    creates: frozenset[str],
) -> _Creates | None:
    """The envelopes when all are usual CREATEs of one entity, as in a backlog; else None."""
    some = [one for one in envelopes if one is not None]
    if not some or len(some) != len(envelopes):
        return None
    kind, entity = some[0].type, some[0].entity
    table = tables.get(entity)
    if table is None or kind not in creates:
        return None
    if any(one.type != kind or one.entity != entity for one in some):
        return None
    names = [one.metadata.operation_id for one in some]
    lengths = set(map(len, names))
    if min(lengths) == 0 or max(lengths) > _USUAL_ID or "\0" in "".join(names):
        return None
    alike = _Creates(kind, table)
    alike.places.extend(range(len(some)))
    alike.names.extend(names)
    alike.data.extend([one.data for one in some])
    return alike


def prepare_all(records: Iterable[Record], catalogue: Catalogue, handlers: Handlers) -> list[Item]:
    """All of a batch; what is usual is done here, without a detour.

    Whatever is not usual goes through :func:`prepare`, which gives the same.
    """
    tables = {one.entity: one for one in catalogue}
    creates = frozenset(one for one in handlers if handlers.creates(one))
    taken = list(records)
    items: list[Item | None] = [None] * len(taken)
    envelopes = _envelopes(taken)
    alike = _alike(envelopes, tables, creates)
    sets: dict[tuple[str, str], _Creates] = {} if alike is None else {("", ""): alike}
    for place, envelope in enumerate(envelopes if alike is None else ()):
        if envelope is None:
            continue
        name = envelope.metadata.operation_id
        entity = envelope.entity
        table = tables.get(entity)
        if table is None or not 0 < len(name) <= _USUAL_ID or name[0] == "\0":
            continue
        kind = envelope.type
        if kind in creates:
            some = sets.get((kind, entity))
            if some is None:
                some = sets[kind, entity] = _Creates(kind, table)
            some.places.append(place)
            some.names.append(name)
            some.data.append(envelope.data)
            continue
        try:
            changes = handlers.changes(kind, table, _parse(envelope.data))
            items[place] = Item(taken[place], name, _done(envelope, changes), changes)
        except (*_UNUSUAL, KeyError, OperationInvalid):
            continue
    for some in sets.values():
        if (found := some.items(taken)) is not None:
            for place, item in zip(*found, strict=True):
                items[place] = item
    return [
        prepare(record, catalogue, handlers) if item is None else item
        for record, item in zip(taken, items, strict=True)
    ]
