"""A record on its way into a store: decoded, checked, with the keys that order is kept by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

from database_consumer.entities.model import Catalogue
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
    Prepared,
    brief,
)
from database_consumer.stores.groups import Group, group_of
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
    if handlers.standard_kind(envelope.type) is _CREATE:
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
    """All of a batch; what is usual is read together with its like.

    Whatever is not usual goes through :func:`prepare`, which gives the same.
    """
    taken = list(records)
    tables = {one.entity: one for one in catalogue}
    groups: dict[tuple[str, str], Group | None] = {}
    for place, envelope in enumerate(_envelopes(taken)):
        if envelope is None:
            continue
        kind, entity = envelope.type, envelope.entity
        name = envelope.metadata.operation_id
        try:
            group = groups[kind, entity]
        except KeyError:
            group = groups[kind, entity] = group_of(kind, tables.get(entity), handlers)
        if group is not None and 0 < len(name) <= USUAL_ID and name[0] != "\0":
            group.places.append(place)
            group.names.append(name)
            group.data.append(envelope.data)
    items: list[Item | None] = [None] * len(taken)
    for group in groups.values():
        if group is not None:
            for place, item in group.items(taken):
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
