"""A connection to a SQL database, and the statements that go over it.

Statements are written once with ``?`` and translated to the driver's placeholder. They go to the
driver's cursor directly: on the hot path SQLAlchemy's execution costs more than the statement.
"""

from __future__ import annotations

import contextlib
import functools
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from database_consumer.batching import TablePlan
from database_consumer.entities.model import Catalogue
from database_consumer.stores.base import StoreUnavailable
from database_consumer.stores.transaction import CommitUnknown

KEYS_AT_ONCE = 500
"""Keys of one IN list: below SQLite's 999 variables of old, for keys of one column."""


def chunks(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    """Slices of at most ``size``."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def marks(count: int) -> str:
    """``?, ?, ?``."""
    return ", ".join("?" * count)


class SqlConnection(ABC):
    """A connection to a database. Subclasses know which one."""

    placeholder = "?"
    greatest = "MAX"

    def __init__(self, engine: sa.Engine, catalogue: Catalogue) -> None:
        self.engine = engine
        self._catalogue = catalogue
        self._quote = functools.cache(engine.dialect.identifier_preparer.quote)
        self._connection: Any = None
        self._cursor: Any = None
        self._streams: dict[tuple[str, str, int], tuple[int, int]] = {}
        self._groups: dict[str, int] = {}
        self._translated: dict[str, str] = {}

    # -- what a database does in its own way

    @abstractmethod
    def _connect(self) -> Any:
        """A driver's connection, set up. Raises the driver's errors."""

    @abstractmethod
    def _start(self) -> None:
        """Begin a transaction on the connection."""

    @abstractmethod
    def _translate(self, error: Exception) -> Exception:
        """The failure that a driver's error stands for; a lost connection is dropped."""

    @abstractmethod
    def insert_rows(
        self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], suffix: str = ""
    ) -> int:
        """Insert rows; how many the driver says were changed."""

    @abstractmethod
    def errors(self) -> tuple[type[Exception], ...]:
        """The driver's errors."""

    @property
    @abstractmethod
    def skip_present(self) -> str:
        """What makes an INSERT into the inbox leave rows alone that are there."""

    @abstractmethod
    def execute(self, tables: Sequence[TablePlan], version: int) -> None:
        """Carry a plan out: deletes with children first, inserts with parents first, updates."""

    lock_rows = ""
    share_rows = ""

    # -- the connection

    def begin(self) -> None:
        """See :class:`database_consumer.stores.transaction.Ledger`."""
        if self._connection is None:
            try:
                self._connection = self._connect()
                self._cursor = self._connection.cursor()
            except self.errors() as error:
                self.drop()
                failure = self._translate(error)
                # PyMySQL's error and the frames that raised it hold each other, and with them a
                # TLS context of a megabyte; nothing else is made while the server is away, so
                # that the collector would not come by for hours.
                traceback.clear_frames(error.__traceback__)
                raise StoreUnavailable(f"cannot connect: {failure}") from error
        try:
            self._start()
        except self.errors() as error:
            raise self._translate(error) from error

    def drop(self) -> None:
        """Close the connection, whatever its state."""
        connection, self._connection, self._cursor = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()

    def rollback(self) -> None:
        """Undo everything; a connection that cannot is dropped."""
        if self._connection is None:
            return
        try:
            self._connection.rollback()
        except Exception:  # noqa: BLE001 - whatever it is, the connection is of no use
            self.drop()

    def commit(self) -> None:
        """Make it last."""
        if self._connection is None:
            raise StoreUnavailable("the connection was lost")
        try:
            self._connection.commit()
        except self.errors() as error:
            failure = self._translate(error)
            if self._connection is None:
                raise CommitUnknown(str(failure)) from error
            raise failure from error

    def run(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Execute one statement; its cursor, good until the next one."""
        if self._cursor is None:
            raise StoreUnavailable("the connection was lost")
        text = self._translated.get(statement)
        if text is None:
            text = self._translated[statement] = statement.replace("?", self.placeholder)
            if len(self._translated) > 1000:  # noqa: PLR2004 - statements with lists vary in length
                self._translated.clear()
        try:
            self._cursor.execute(text, values)
        except self.errors() as error:
            raise self._translate(error) from error
        return self._cursor

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Execute a query; its rows."""
        return list(self.run(statement, values).fetchall())


def as_text(value: Any) -> str:
    """Text as a driver reads it from a text or a binary column."""
    return value.decode() if isinstance(value, bytes) else str(value)


def as_bytes(value: Any) -> bytes | None:
    """Bytes, whatever a driver reads them as."""
    if value is None:
        return None
    return value.encode() if isinstance(value, str) else bytes(value)
