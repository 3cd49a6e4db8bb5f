"""A record on its way into a store: decoded, checked, with the keys that order is kept by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from database_consumer.entities.model import Catalogue
from database_consumer.handlers import Change, Handlers
from database_consumer.operations import (
    Operation,
    OperationInvalid,
    decode,
    fingerprint,
    positional_id,
)
from database_consumer.stores.base import Record

NO_FINGERPRINT = bytes(16)
"""Of an operation without an id of its own: where it stands says what it is."""


class Item:
    """One record: ``changes`` when it can be applied, else ``invalid`` says why not.

    ``operation_id`` is what the inbox knows it by, empty for a record that carries none and cannot
    be decoded. ``ident`` and ``attempts`` are those of a parked operation.
    """

    __slots__ = (
        "attempts",
        "changes",
        "fingerprint",
        "ident",
        "invalid",
        "keys",
        "operation_id",
        "record",
        "stream_id",
    )

    def __init__(
        self,
        record: Record,
        operation_id: str,
        print_: bytes,
        changes: tuple[Change, ...],
        invalid: OperationInvalid | None,
    ) -> None:
        self.record = record
        self.operation_id = operation_id
        self.fingerprint = print_
        self.changes = changes
        self.invalid = invalid
        self.keys: tuple[bytes, ...] | None = None
        self.ident = 0
        self.attempts = -1
        self.stream_id = 0

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
    return hashlib.blake2b(content, digest_size=16).digest()


def prepare(record: Record, catalogue: Catalogue, handlers: Handlers) -> Item:
    """Decode and check one record; never raises for what a record holds."""
    try:
        operation = decode(record.value)
    except OperationInvalid as error:
        return Item(record, "", NO_FINGERPRINT, (), error)
    if operation.operation_id is None:
        name = positional_id(record.topic, record.partition, record.offset)
        print_ = NO_FINGERPRINT
    else:
        name = operation.operation_id
        print_, error = _fingerprint(operation)
        if error is not None:
            return Item(record, name, print_, (), error)
    try:
        changes = handlers.changes(operation.type, catalogue.get(operation.entity), operation.data)
    except OperationInvalid as error:
        return Item(record, name, print_, (), error)
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError) as error:
        reason = OperationInvalid("bad-data", f"the handler refused it: {error!r}"[:500])
        reason.__cause__ = error
        return Item(record, name, print_, (), reason)
    return Item(record, name, print_, changes, None)


def _fingerprint(operation: Operation) -> tuple[bytes, OperationInvalid | None]:
    try:
        return fingerprint(operation), None
    except (RecursionError, ValueError, TypeError) as error:
        return NO_FINGERPRINT, OperationInvalid("undecodable", f"cannot be written again: {error}")


def prepare_all(records: Iterable[Record], catalogue: Catalogue, handlers: Handlers) -> list[Item]:
    """All of a batch."""
    return [prepare(record, catalogue, handlers) for record in records]
