"""MySQL and MariaDB: READ COMMITTED, strict mode, UTC, statements over many rows.

Works over PyMySQL and mysqlclient alike: both are told not to count rows that an UPDATE leaves as
they were (no ``CLIENT.FOUND_ROWS``), so that the count of an insert into the inbox says whether
every id was new.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from database_consumer.batching import TablePlan
from database_consumer.entities.model import VERSION_COLUMN, Catalogue, EntityTable, Key, Row
from database_consumer.failures import (
    FailureKind,
    RecordFailure,
    TransientFailure,
    Verdict,
    of_mysql,
)
from database_consumer.stores.base import StoreUnavailable
from database_consumer.stores.sql import SqlLedger

ROWS_AT_ONCE = 2_000
"""Rows of one statement; more gain nothing and hold the parser's memory."""

KEYS_OF_DELETE = 2_000

_LOST = frozenset({0, 1053, 1077, 1078, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 2000})
_CLIENT_ERRORS = range(2000, 2100)
"""Numbers after which the connection is of no use: the client library's own, shutdown, killed."""

_FOUND_ROWS = 2
"""CLIENT_FOUND_ROWS of the protocol's capability flags."""

_VANISHED = Verdict(kind=FailureKind.MAY_MEND, code="row-missing")
_TOO_LARGE = Verdict(kind=FailureKind.PERMANENT, code="too-large")

_SESSION = (
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    (
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,"
        "ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE'"
    ),
    "SET SESSION time_zone = '+00:00'",
    "SET SESSION innodb_lock_wait_timeout = 10",
    "SET SESSION autocommit = 0",
)


class MysqlLedger(SqlLedger):
    """The ledger in a MySQL or MariaDB schema."""

    placeholder = "%s"
    greatest = "GREATEST"
    lock_rows = " FOR UPDATE"
    share_rows = " LOCK IN SHARE MODE"
    skip_present_group = " ON DUPLICATE KEY UPDATE name = name"
    skip_present_offsets = " ON DUPLICATE KEY UPDATE id = id"

    def __init__(
        self,
        engine: sa.Engine,
        catalogue: Catalogue,
        *,
        options: Mapping[str, Any],
        max_statement_bytes: int,
    ) -> None:
        super().__init__(engine, catalogue)
        self._options = dict(options)
        self._bound = max_statement_bytes
        self._largest = max_statement_bytes
        self._collations: dict[tuple[str, str], tuple[str, str]] = {}
        self._driver: Any = engine.dialect.loaded_dbapi
        self._started = False

    @property
    def skip_present(self) -> str:
        """Never INSERT IGNORE, which hides other errors."""
        return " ON DUPLICATE KEY UPDATE operation_id = operation_id"

    def errors(self) -> tuple[type[Exception], ...]:
        """The driver's; PyMySQL lets errors of the socket through in places."""
        return (self._driver.Error, OSError)

    def _connect(self) -> Any:
        words, options = self.engine.dialect.create_connect_args(self.engine.url)
        merged = {**options, **self._options}
        merged["client_flag"] = int(merged.get("client_flag", 0)) & ~_FOUND_ROWS
        return self._driver.connect(*words, **merged)

    def _start(self) -> None:
        """Set a new connection up; MySQL starts a transaction with the first statement."""
        if not self._started:
            for statement in _SESSION:
                self._cursor.execute(statement)
            self._cursor.execute("SELECT @@max_allowed_packet")
            packet = int(self._cursor.fetchone()[0])
            self._largest = packet - 4096
            self._bound = min(self._bound, self._largest)
            self._connection.commit()
            self._started = True

    def drop(self) -> None:
        """Close; the next connection is set up anew."""
        self._started = False
        super().drop()

    def _translate(self, error: Exception) -> Exception:
        number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        if isinstance(error, OSError):
            number = 2013
        integrity = isinstance(error, self._driver.IntegrityError | self._driver.DataError)
        message = f"{number}: {error.args[1] if len(error.args) > 1 else error}"
        if number in _LOST or number in _CLIENT_ERRORS:
            self.drop()
            return StoreUnavailable(message, code=number)
        verdict = of_mysql(number, "23000" if integrity else "")
        if verdict.kind is FailureKind.SYSTEMIC:
            return StoreUnavailable(message, code=number)
        if verdict.kind is FailureKind.TRANSIENT:
            return TransientFailure(message)
        return RecordFailure(verdict, message)

    def look_at_schema(self) -> None:
        """Character set and collation of the key columns: an UPDATE joins them with literals."""
        for table in self._catalogue:
            for name, charset, collation in self.rows(
                "SELECT column_name, character_set_name, collation_name "
                "FROM information_schema.columns WHERE table_schema = DATABASE() "
                "AND table_name = ? AND collation_name IS NOT NULL",
                (table.name,),
            ):
                if name in table.key:
                    self._collations[(table.name, str(name))] = (str(charset), str(collation))

    def check_writable(self) -> None:
        """A server that became read-only says so."""
        found = self.rows("SELECT @@global.read_only")
        if int(found[0][0]):
            raise StoreUnavailable("the server is read-only", code=1290)
        super().check_writable()

    # -- many rows

    def insert_rows(
        self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], suffix: str = ""
    ) -> int:
        """Statements of many rows each, within what the server takes."""
        start = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "
        one = "(" + ", ".join([self.placeholder] * len(columns)) + ")"
        return self._in_parts(
            rows,
            lambda some: (
                start + ", ".join([one] * len(some)) + suffix,
                [value for row in some for value in row],
            ),
        )

    def _in_parts(
        self,
        rows: Sequence[Sequence[Any]],
        build: Callable[[Sequence[Sequence[Any]]], tuple[str, list[Any]]],
    ) -> int:
        changed = 0
        for some in self._parts(rows):
            statement, values = build(some)
            changed += self._execute(statement, values)
        return changed

    def _parts(self, rows: Sequence[Sequence[Any]]) -> list[Sequence[Sequence[Any]]]:
        """Rows in parts that fit. Raises :class:`RecordFailure` for a row that never fits."""
        parts: list[Sequence[Sequence[Any]]] = []
        start = size = 0
        for place, row in enumerate(rows):
            mine = _size(row)
            if mine > self._bound and _exact_size(row) > self._largest:
                raise RecordFailure(
                    _TOO_LARGE, f"a row of {mine} bytes is above max_allowed_packet"
                )
            if place > start and (size + mine > self._bound or place - start >= ROWS_AT_ONCE):
                parts.append(rows[start:place])
                start, size = place, 0
            size += mine
        if start < len(rows):
            parts.append(rows[start:])
        return parts

    def _execute(self, statement: str, values: Sequence[Any]) -> int:
        if self._cursor is None:
            raise StoreUnavailable("the connection was lost")
        try:
            self._cursor.execute(statement, values)
        except self.errors() as error:
            raise self._translate(error) from error
        return int(self._cursor.rowcount)

    def execute(self, tables: Sequence[TablePlan], version: int) -> None:
        """Deletes with children first, inserts with parents first, updates."""
        for plan in reversed(tables):
            if plan.deletes:
                self._delete(plan.table, plan.deletes)
        for plan in tables:
            if plan.inserts:
                self._insert(plan.table, plan.inserts, version)
        for plan in tables:
            for columns, changes in plan.updates.items():
                self._update(plan.table, columns, changes, version)

    def _delete(self, table: EntityTable, keys: list[Key]) -> None:
        name = self._quote(table.name)
        for start in range(0, len(keys), KEYS_OF_DELETE):
            where, values = self.where_keys(table, keys[start : start + KEYS_OF_DELETE])
            statement = f"DELETE FROM {name} WHERE {where}"
            self._execute(statement.replace("?", self.placeholder), values)

    def _insert(self, table: EntityTable, rows: list[Row], version: int) -> None:
        groups: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
        for row in rows:
            groups.setdefault(tuple(row), []).append(tuple(row.values()))
        for names, values in groups.items():
            columns = [self._quote(one) for one in names]
            if table.versioned:
                columns.append(self._quote(VERSION_COLUMN))
                values = [(*one, version) for one in values]  # noqa: PLW2901
            self.insert_rows(self._quote(table.name), columns, values)

    def _update(
        self,
        table: EntityTable,
        columns: tuple[str, ...],
        changes: list[tuple[Key, Row]],
        version: int,
    ) -> None:
        """One UPDATE … JOIN of a derived table; a single row goes plainly."""
        name = self._quote(table.name)
        sets = [f"t.{self._quote(one)} = v.c{place}" for place, one in enumerate(columns)]
        if table.versioned:
            sets.append(f"t.{self._quote(VERSION_COLUMN)} = {int(version)}")
        joins = [self._join(table, one, place) for place, one in enumerate(table.key)]
        names = [f"c{place}" for place in range(len(columns))]
        names += [f"k{place}" for place in range(len(table.key))]
        first = "SELECT " + ", ".join(f"{self.placeholder} AS {one}" for one in names)
        other = " UNION ALL SELECT " + ", ".join([self.placeholder] * len(names))

        def build(some: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
            derived = first + other * (len(some) - 1)
            statement = (
                f"UPDATE {name} t JOIN ({derived}) v ON {' AND '.join(joins)} SET {', '.join(sets)}"
            )
            return statement, [value for row in some for value in row]

        rows = [(*(values[one] for one in columns), *key) for key, values in changes]
        changed = self._in_parts(rows, build)
        if table.versioned and changed != len(changes):
            raise RecordFailure(_VANISHED, "a row to be changed was deleted with its parent")

    def _join(self, table: EntityTable, name: str, place: int) -> str:
        column = f"t.{self._quote(name)}"
        known = self._collations.get((table.name, name))
        if known is None:
            return f"{column} = v.k{place}"
        charset, collation = known
        return f"{column} = CONVERT(v.k{place} USING {charset}) COLLATE {collation}"


def _size(row: Sequence[Any]) -> int:
    """Bytes of a row in a statement, at most: every byte may be escaped, a character has four."""
    size = 8 * len(row)
    for value in row:
        kind = type(value)
        if kind is str:
            size += 4 * len(value)
        elif kind is bytes:
            size += 2 * len(value)
        else:
            size += 16
    return size


def _exact_size(row: Sequence[Any]) -> int:
    return sum(
        2 * len(value) if isinstance(value, bytes) else 2 * len(str(value).encode())
        for value in row
    )
