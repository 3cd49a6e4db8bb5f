"""SQLite: ``BEGIN IMMEDIATE``, write-ahead log, ``synchronous=FULL``; one writer at a time."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import sqlalchemy as sa

from database_consumer.batching import TablePlan
from database_consumer.entities.model import (
    VERSION_COLUMN,
    Catalogue,
    EntityTable,
    Key,
    Row,
)
from database_consumer.failures import (
    FailureKind,
    RecordFailure,
    TransientFailure,
    Verdict,
    of_sqlite,
)
from database_consumer.stores.base import StoreUnavailable
from database_consumer.stores.sql import INBOX_COLUMNS, SqlLedger, by_columns
from database_consumer.stores.sqlconnection import chunks
from database_consumer.stores.transaction import Claim, Stream

BUSY_SECONDS = 10.0
"""How long another process's transaction is waited for."""

ROWS_AT_ONCE = 500
"""Rows of one INSERT; its text is the same each time, so that it is parsed once."""

OLD_VARIABLES = 999
"""Bound values of one statement that every SQLite takes (SQLITE_MAX_VARIABLE_NUMBER)."""

_VANISHED = Verdict(kind=FailureKind.MAY_MEND, code="row-missing")

_MARK = re.compile(r"\?(?!\d)")


@functools.lru_cache(256)
def of_many(start: str, shape: str, rows: int, suffix: str, common: int) -> str:
    """A statement of so many rows, its marks numbered behind those of what they have in common."""
    if not common:
        return f"{start}{','.join([shape] * rows)}{suffix}"
    number = itertools.count(common + 1)
    shapes = _MARK.sub(lambda _: f"?{next(number)}", ",".join([shape] * rows))
    return f"{start}{shapes}{suffix}"


class SqliteLedger(SqlLedger):
    """The ledger in a SQLite file."""

    placeholder = "?"
    greatest = "MAX"
    skip_present_group = " ON CONFLICT DO NOTHING"
    skip_present_offsets = " ON CONFLICT DO NOTHING"

    def __init__(self, engine: sa.Engine, catalogue: Catalogue) -> None:
        import sqlite3

        super().__init__(engine, catalogue)
        self._driver = sqlite3
        self._variables = OLD_VARIABLES

    @property
    def skip_present(self) -> str:
        """Leave it alone."""
        return " ON CONFLICT DO NOTHING"

    def errors(self) -> tuple[type[Exception], ...]:
        """sqlite3's, and what it raises for values that it cannot bind."""
        return (self._driver.Error, OverflowError, UnicodeEncodeError)

    def _connect(self) -> Any:
        connection = self._driver.connect(
            self.engine.url.database or ":memory:",
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
        )
        try:
            for pragma in (
                "journal_mode=WAL",
                "synchronous=FULL",
                "foreign_keys=ON",
                "temp_store=MEMORY",
                "cache_size=-65536",
            ):
                connection.execute(f"PRAGMA {pragma}").fetchall()
            self._variables = connection.getlimit(self._driver.SQLITE_LIMIT_VARIABLE_NUMBER)
        except BaseException:
            connection.close()
            raise
        return connection

    def _start(self) -> None:
        if not self._connection.in_transaction:
            self._cursor.execute("BEGIN IMMEDIATE")

    def _translate(self, error: Exception) -> Exception:
        if isinstance(error, OverflowError | UnicodeEncodeError):
            verdict = Verdict(kind=FailureKind.PERMANENT, code="out-of-range")
            return RecordFailure(verdict, f"a value that SQLite cannot hold: {error}")
        name = getattr(error, "sqlite_errorname", "")
        verdict = of_sqlite(name)
        message = f"{name or type(error).__name__}: {error}"
        if verdict.kind is FailureKind.SYSTEMIC:
            self.drop()
            return StoreUnavailable(message, code=getattr(error, "sqlite_errorcode", None))
        if verdict.kind is FailureKind.TRANSIENT:
            return TransientFailure(message)
        return RecordFailure(verdict, message)

    def _many(self, statement: str, rows: Iterable[Sequence[Any]]) -> int:
        if self._cursor is None:
            raise StoreUnavailable("the connection was lost")
        try:
            self._cursor.executemany(statement, rows)
        except self.errors() as error:
            raise self._translate(error) from error
        return int(self._cursor.rowcount)

    def insert_rows(
        self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], suffix: str = ""
    ) -> int:
        """Statements of many rows each, and the rest row by row."""
        start = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "
        return self._in_sets(start, f"({', '.join('?' * len(columns))})", rows, suffix)

    def insert_claims(self, stream: Stream, claims: Sequence[Claim], now: int) -> int:
        """The same; what is alike in all rows is bound once."""
        return self._in_sets(
            f"INSERT INTO inbox ({', '.join(INBOX_COLUMNS)}) VALUES ",
            "(?1,?,?2,?,?,?3)",
            claims,
            self.skip_present,
            (stream.group_id, stream.id, now),
        )

    def _in_sets(
        self,
        start: str,
        shape: str,
        rows: Sequence[tuple[Any, ...]],
        suffix: str = "",
        common: tuple[Any, ...] = (),
    ) -> int:
        """Rows of equal length; a statement of many costs half as much as one run for each.

        A ``?`` of the shape is a value of the row, a ``?1`` the first of those in common.
        """
        if not rows:
            return 0
        most = (self._variables - len(common)) // max(len(rows[0]), 1)
        size = min(ROWS_AT_ONCE, most)
        whole = len(rows) - len(rows) % size if size else 0
        changed = 0
        if whole:
            statement = of_many(start, shape, size, suffix, len(common))
            for some in chunks(rows[:whole], size):
                values = [*common, *chain.from_iterable(some)]
                changed += int(self.run(statement, values).rowcount)
        if whole < len(rows):
            statement = of_many(start, shape, 1, suffix, len(common))
            rest = rows[whole:]
            changed += self._many(statement, [(*common, *one) for one in rest] if common else rest)
        return changed

    def execute(self, tables: Sequence[TablePlan], version: int) -> None:
        """Deletes with children first, inserts with parents first, updates."""
        for plan in reversed(tables):
            if plan.deletes:
                self._delete(plan.table, plan.deletes)
        for plan in tables:
            if plan.inserts:
                self._insert(plan, version)
        for plan in tables:
            for columns, changes in plan.updates.items():
                self._update(plan.table, columns, changes, version)

    def _delete(self, table: EntityTable, keys: list[Key]) -> None:
        self._many(
            f"DELETE FROM {self._quote(table.name)} WHERE {self._where(table)}",
            keys,
        )

    def _where(self, table: EntityTable) -> str:
        return " AND ".join(f"{self._quote(one)} = ?" for one in table.key)

    def _insert(self, plan: TablePlan, version: int) -> None:
        table = plan.table
        for names, values in by_columns(plan):
            columns = [self._quote(one) for one in names]
            marks = ["?"] * len(columns)
            common: tuple[Any, ...] = ()
            if table.versioned:
                columns.append(self._quote(VERSION_COLUMN))
                marks.append("?1")
                common = (version,)
            self._in_sets(
                f"INSERT INTO {self._quote(table.name)} ({', '.join(columns)}) VALUES ",
                f"({','.join(marks)})",
                list(zip(*values, strict=True)),
                common=common,
            )

    def _update(
        self,
        table: EntityTable,
        columns: tuple[str, ...],
        changes: list[tuple[Key, Row]],
        version: int,
    ) -> None:
        sets = [f"{self._quote(one)} = ?" for one in columns]
        if table.versioned:
            sets.append(f"{self._quote(VERSION_COLUMN)} = {int(version)}")
        changed = self._many(
            f"UPDATE {self._quote(table.name)} SET {', '.join(sets)} WHERE {self._where(table)}",
            [(*(values[one] for one in columns), *key) for key, values in changes],
        )
        if changed != len(changes):
            raise RecordFailure(_VANISHED, "a row to be changed was deleted with its parent")
