"""A record on its way into a store: decoded, checked, with the keys that order is kept by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import msgspec

from database_consumer.entities.model import Catalogue, EntityTable
from database_consumer.handlers import Change, ChangeKind, Handlers
from database_consumer.operations import (
    Envelope,
    OperationInvalid,
    fingerprint,
    open_envelope,
    positional_id,
)
from database_consumer.stores.base import Record
from database_consumer.stores.creates import (
    UNUSUAL,
    USUAL_ID,
    BriefEnvelope,
    CreateReader,
    CreateSet,
    Prepared,
    brief,
)
from database_consumer.stores.item import NO_FINGERPRINT, Item, trimmed

_CREATE = ChangeKind.CREATE


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


def _done(envelope: Envelope | BriefEnvelope, changes: tuple[Change, ...]) -> bytes:
    """The fingerprint of what an operation does: other spellings of the same are the same."""
    if len(changes) == 1 and changes[0].kind is _CREATE:
        return fingerprint((envelope.type, envelope.entity, trimmed(changes[0].row)))
    done = [
        (int(one.kind), one.table.entity, one.key, trimmed(one.row), one.values) for one in changes
    ]
    return fingerprint((envelope.type, envelope.entity, done))


def _sent(envelope: Envelope) -> bytes:
    """The fingerprint of what was sent, of an operation that does nothing."""
    content: Any
    try:
        content = envelope.parsed()
        return fingerprint((envelope.type, envelope.entity, {"sent": content}))
    except (OperationInvalid, RecursionError, ValueError, TypeError):
        raw = bytes(envelope.data)
        return blake2b(raw, digest_size=16).digest()


_parse = msgspec.json.Decoder(float_hook=Decimal).decode


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
        records = [taken[one] for one in places]
        return places, CreateSet(self.type, self.table, records, names, columns).items()


def _envelopes(records: Sequence[Record]) -> list[BriefEnvelope | None]:
    """None for a record whose envelope is not the usual one."""
    values: list[Any] = [one.value for one in records]
    try:
        return list(map(brief, values))
    except UNUSUAL:
        return list(map(_brief_or_none, values))


def _brief_or_none(value: Any) -> BriefEnvelope | None:
    try:
        return brief(value)
    except UNUSUAL:
        return None


def prepare_all(records: Iterable[Record], catalogue: Catalogue, handlers: Handlers) -> list[Item]:
    """All of a batch; what is usual is done here, without a detour.

    Whatever is not usual goes through :func:`prepare`, which gives the same.
    """
    tables = {one.entity: one for one in catalogue}
    creates = frozenset(one for one in handlers if handlers.creates(one))
    taken = list(records)
    items: list[Item | None] = [None] * len(taken)
    sets: dict[tuple[str, str], _Creates] = {}
    for place, envelope in enumerate(_envelopes(taken)):
        if envelope is None:
            continue
        name = envelope.metadata.operation_id
        entity = envelope.entity
        table = tables.get(entity)
        if table is None or not 0 < len(name) <= USUAL_ID or name[0] == "\0":
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
        except (*UNUSUAL, KeyError, OperationInvalid):
            continue
    for some in sets.values():
        if (found := some.items(taken)) is not None:
            for place, item in zip(*found, strict=True):
                items[place] = item
    return [
        prepare(record, catalogue, handlers) if item is None else item
        for record, item in zip(taken, items, strict=True)
    ]


class Preparing:
    """Prepares batches: those of CREATEs alone by their columns, others one by one."""

    def __init__(self, catalogue: Catalogue, handlers: Handlers) -> None:
        self._catalogue = catalogue
        self._handlers = handlers
        self._creates = CreateReader(catalogue, handlers)

    def __call__(self, records: Sequence[Record]) -> Prepared:
        """Decoded and checked, in the order of the records."""
        alike = self._creates.read(records)
        return prepare_all(records, self._catalogue, self._handlers) if alike is None else alike
