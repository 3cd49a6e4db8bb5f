"""One record as a store applies it."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from database_consumer.entities.model import DEFAULT, WholeRow
from database_consumer.handlers import Change
from database_consumer.operations import OperationInvalid
from database_consumer.stores.base import Record

NO_FINGERPRINT = bytes(16)
"""Of an operation without an id of its own: where it stands says what it is."""


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


def trimmed(row: WholeRow) -> WholeRow:
    """Without the columns at the end that hold nothing: one more of them is no other content."""
    end = len(row)
    while end and (row[end - 1] is None or row[end - 1] is DEFAULT):
        end -= 1
    kept = row[:end]
    return tuple(["\0" if one is DEFAULT else one for one in kept]) if DEFAULT in kept else kept
