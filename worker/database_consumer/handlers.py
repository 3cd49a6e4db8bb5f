"""What each operation type does to rows: one registered function per type.

A handler turns the data of an operation into row changes; it touches no database. All changes of
one operation are applied together or not at all.

    handlers = Handlers.standard()
    handlers.register("UPSERT", lambda table, data: (put(table, data),))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from typing import Any, NamedTuple

from database_consumer.entities.model import EntityTable, Key, Row, WholeRow
from database_consumer.operations import OperationInvalid, OperationType

MAX_BULK = 10_000
"""Rows of one BULK operation."""


class ChangeKind(IntEnum):
    """What happens to one row."""

    CREATE = 0
    """The row must not be there."""
    UPDATE = 1
    """These columns change; a row that is not there stays away."""
    DELETE = 2
    PUT = 3
    """Created with these values, or these columns changed."""


NO_VALUES: Row = {}


class Change(NamedTuple):
    """One row's change: ``row`` is whole for CREATE and PUT, ``values`` what an UPDATE changes."""

    kind: ChangeKind
    table: EntityTable
    key: Key
    row: WholeRow = ()
    values: Row = NO_VALUES


Handler = Callable[[EntityTable, Any], tuple[Change, ...]]
"""Raises :class:`OperationInvalid` for data that can never be applied."""


def create(table: EntityTable, data: Any) -> Change:
    """Create one row."""
    row = table.new_row(data)
    return Change(ChangeKind.CREATE, table, table.key_in_row(row), row)


def put(table: EntityTable, data: Any) -> Change:
    """Create one row or change it to this."""
    row = table.new_row(data)
    return Change(ChangeKind.PUT, table, table.key_in_row(row), row)


def update(table: EntityTable, data: Any) -> Change:
    """Change the columns that the data names, of the row that its key names."""
    row = table.values(data)
    key = table.key_of(row)
    for name in table.key:
        del row[name]
    if not row:
        raise OperationInvalid("bad-data", f"an UPDATE of {table.entity} names no column to change")
    return Change(ChangeKind.UPDATE, table, key, (), row)


def delete(table: EntityTable, data: Any) -> Change:
    """Delete the row that the key names."""
    return Change(ChangeKind.DELETE, table, table.key_in(data))


def _each(one: Callable[[EntityTable, Any], Change]) -> Handler:
    def handler(table: EntityTable, data: Any) -> tuple[Change, ...]:
        if type(data) is not list:
            raise OperationInvalid("bad-data", "data of a BULK operation is not an array")
        if not data or len(data) > MAX_BULK:
            raise OperationInvalid("bad-data", f"a BULK operation has 1 to {MAX_BULK} rows")
        return tuple([one(table, item) for item in data])

    return handler


def _single(one: Callable[[EntityTable, Any], Change]) -> Handler:
    return lambda table, data: (one(table, data),)


_CREATE = _single(create)

_STANDARD = {
    OperationType.CREATE.value: (ChangeKind.CREATE, _CREATE),
    OperationType.UPDATE.value: (ChangeKind.UPDATE, _single(update)),
    OperationType.DELETE.value: (ChangeKind.DELETE, _single(delete)),
}


class Handlers:
    """The handlers by operation type."""

    __slots__ = ("_handlers",)

    def __init__(self, handlers: Iterable[tuple[str, Handler]] = ()) -> None:
        self._handlers: dict[str, Handler] = dict(handlers)

    @classmethod
    def standard(cls) -> Handlers:
        """Those of the five types."""
        return cls(
            (
                *((name, handler) for name, (_, handler) in _STANDARD.items()),
                (OperationType.BULK_CREATE.value, _each(create)),
                (OperationType.BULK_UPDATE.value, _each(update)),
            )
        )

    def register(self, name: str, handler: Handler) -> None:
        """Add a type. Raises ValueError when it has a handler."""
        if name in self._handlers:
            raise ValueError(f"operation type {name} has a handler")
        self._handlers[name] = handler

    def standard_kind(self, name: str) -> ChangeKind | None:
        """What a type does to one row, if it does that in the standard way: there is a shortcut."""
        kind, handler = _STANDARD.get(name, (None, None))
        return kind if handler is not None and self._handlers.get(name) is handler else None

    def changes(self, name: str, table: EntityTable, data: Any) -> tuple[Change, ...]:
        """What an operation does. Raises :class:`OperationInvalid`."""
        handler = self._handlers.get(name)
        if handler is None:
            shown = name if len(name) <= 60 else name[:60] + "…"  # noqa: PLR2004
            raise OperationInvalid("unknown-type", f"no handler for operations of type {shown!r}")
        return handler(table, data)

    def __iter__(self) -> Iterator[str]:
        return iter(self._handlers)

    def __contains__(self, name: str) -> bool:
        return name in self._handlers
