"""MySQL and MariaDB: READ COMMITTED, strict mode, UTC, statements over many rows.

Works over PyMySQL and mysqlclient alike: both are told not to count rows that an UPDATE leaves as
they were (no ``CLIENT.FOUND_ROWS``), so that the count of an insert into the inbox says whether
every id was new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from database_consumer.batching import TablePlan, keys_in_order
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
    of_mysql,
)
from database_consumer.stores.base import StoreUnavailable
from database_consumer.stores.mysqlcolumns import ColumnsSeen
from database_consumer.stores.mysqltext import column_literals, lists_values, literal, row_literal
from database_consumer.stores.sql import INBOX_COLUMNS, SqlLedger, by_columns
from database_consumer.stores.sqlconnection import as_text
from database_consumer.stores.transaction import Claim, Stream
from database_consumer.stores.written import Echo, Faithful

ROWS_AT_ONCE = 2_000
"""Rows of one statement; more gain nothing and hold the parser's memory."""

COLUMNS_TOGETHER = 60
"""Columns that one number of 64 bits can tell of."""

LISTED_BATCHES = 20
"""After a row was missing, as many batches ask for each key at once: the next ones are alike."""

_LOST = frozenset({0, 1053, 1077, 1078, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 2000})
_CLIENT_ERRORS = range(2000, 2100)
"""Numbers after which the connection is of no use: the client library's own, shutdown, killed."""

_NO_PLUGIN = 2061
"""CR_AUTH_PLUGIN_ERR: MySQL's ``caching_sha2_password`` takes a password over TLS or RSA only."""

_FOUND_ROWS = 2
"""CLIENT_FOUND_ROWS of the protocol's capability flags."""

_VANISHED = Verdict(kind=FailureKind.MAY_MEND, code="row-missing")
_TOO_LARGE = Verdict(kind=FailureKind.PERMANENT, code="too-large")

_SESSION = (
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    (
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,"
        "ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_AUTO_VALUE_ON_ZERO'"
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
        self._seen = ColumnsSeen(catalogue)
        self._listed: dict[str, int] = {}
        self._lists_values = False

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
        try:
            return self._driver.connect(*words, **merged)
        except RuntimeError as error:
            # PyMySQL's way to say that it cannot encrypt a password: no error of a database.
            if "cryptography" not in str(error):
                raise
            raise self._driver.OperationalError(_NO_PLUGIN, f"no TLS, and {error}") from error

    def _start(self) -> None:
        """Set a new connection up; MySQL starts a transaction with the first statement."""
        if not self._started:
            for statement in _SESSION:
                self._cursor.execute(statement)
            self._cursor.execute("SELECT @@max_allowed_packet, @@version")
            packet, version = self._cursor.fetchone()
            self._largest = int(packet) - 4096
            self._lists_values = lists_values(as_text(version))
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

    def present(self, table: EntityTable, keys: Sequence[Key], *, likely: bool) -> dict[Key, int]:
        """Lock rows; where all are likely to be there it is enough to count them.

        The version that is given with each is then the newest of them all.
        """
        if not likely or not table.exact_text or not len(keys) <= ROWS_AT_ONCE:
            return super().present(table, keys, likely=likely)
        listed = self._listed.get(table.entity, 0)
        if listed:
            self._listed[table.entity] = listed - 1
            return super().present(table, keys, likely=likely)
        where, values = self.where_keys(table, keys_in_order(keys))
        newest = f"COALESCE(MAX({self._quote(VERSION_COLUMN)}), 0)" if table.versioned else "0"
        ((count, version),) = self.rows(
            f"SELECT COUNT(*), {newest} FROM {self._quote(table.name)} WHERE {where}"
            f"{self.lock_rows}",
            values,
        )
        if int(count) == len(keys):
            return dict.fromkeys(keys, int(version))
        self._listed[table.entity] = LISTED_BATCHES
        return super().present(table, keys, likely=likely)

    def look_at_schema(self) -> None:
        """Character sets and collations: an UPDATE compares and joins columns with literals."""
        for table in self._catalogue:
            for name, charset, collation in self.rows(
                "SELECT column_name, character_set_name, collation_name "
                "FROM information_schema.columns WHERE table_schema = DATABASE() "
                "AND table_name = ? AND collation_name IS NOT NULL",
                (table.name,),
            ):
                self._collations[(table.name, str(name))] = (str(charset), str(collation))

    def faithful(self, table: EntityTable) -> Faithful | None:
        """As the schema says."""
        return self._seen.faithful(table, self.rows)

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
        return self._joined(start, ",", suffix, [row_literal(row) for row in rows])

    def insert_claims(self, stream: Stream, claims: Sequence[Claim], now: int) -> int:
        """The same, written down faster: nothing but the id comes from outside."""
        names, offsets, contents = zip(*claims, strict=True)
        shape = f"({stream.group_id},%s,{stream.id},%d,x'%s',{int(now)})"
        rows = zip(column_literals(names), offsets, map(bytes.hex, contents), strict=True)
        return self._joined(
            f"INSERT INTO inbox ({', '.join(INBOX_COLUMNS)}) VALUES ",
            ",",
            self.skip_present,
            list(map(shape.__mod__, rows)),
        )

    def _joined(self, start: str, between: str, end: str, rows: Sequence[str]) -> int:
        """Rows in statements that fit. Raises :class:`RecordFailure` for one that never fits."""
        whole = sum(map(len, rows)) + len(rows)
        if len(rows) <= ROWS_AT_ONCE and 4 * whole < self._bound:
            return self._execute(start + between.join(rows) + end)
        changed = 0
        first = size = 0
        for place, row in enumerate(rows):
            mine = len(row) + 1 if row.isascii() else len(row.encode()) + 1
            if mine > self._bound and mine + len(start) > self._largest:
                raise RecordFailure(
                    _TOO_LARGE, f"a row of {mine} bytes is above the server's max_allowed_packet"
                )
            if place > first and (size + mine > self._bound or place - first >= ROWS_AT_ONCE):
                changed += self._execute(start + between.join(rows[first:place]) + end)
                first, size = place, 0
            size += mine
        if first < len(rows):
            changed += self._execute(start + between.join(rows[first:]) + end)
        return changed

    def _execute(self, statement: str) -> int:
        if self._cursor is None:
            raise StoreUnavailable("the connection was lost")
        try:
            self._cursor.execute(statement)
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
                self._insert(plan, version)
        for plan in tables:
            if len(plan.updates) > 1 and (together := self._together(plan)):
                self._update_all(plan, together, version)
                continue
            for columns, changes in plan.updates.items():
                self._update(plan.table, columns, changes, version)

    def _plain(self, name: str) -> str:
        """A quoted name for a statement that the driver does not format."""
        return self._quote(name).replace("%%", "%")

    def _delete(self, table: EntityTable, keys: list[Key]) -> None:
        names = [self._plain(one) for one in table.key]
        start = f"DELETE FROM {self._plain(table.name)} WHERE "
        if len(names) == 1:
            some = [literal(key[0]) for key in keys]
            self._joined(f"{start}{names[0]} IN (", ",", ")", some)
        else:
            some = [
                "("
                + " AND ".join(f"{n} = {literal(v)}" for n, v in zip(names, key, strict=True))
                + ")"
                for key in keys
            ]
            self._joined(start, " OR ", "", some)

    def _insert(self, plan: TablePlan, version: int) -> None:
        table = plan.table
        for names, values in by_columns(plan):
            columns = [self._plain(one) for one in names]
            shape = "(" + ",".join(["%s"] * len(columns))
            if table.versioned:
                columns.append(self._plain(VERSION_COLUMN))
                shape += f",{int(version)}"
            start = f"INSERT INTO {self._plain(table.name)} ({', '.join(columns)}) VALUES "
            literals = [column_literals(one) for one in values]
            shaped = map((shape + ")").__mod__, zip(*literals, strict=True))
            self._joined(start, ",", "", list(shaped))

    def _update(
        self,
        table: EntityTable,
        columns: tuple[str, ...],
        changes: list[tuple[Key, Row]],
        version: int,
    ) -> None:
        """One UPDATE … JOIN of a derived table, whose first row names the columns."""
        sets = [f"t.{self._plain(one)} = v.c{place}" for place, one in enumerate(columns)]
        names = [f"c{place}" for place in range(len(columns))]
        rows = [
            ",".join([literal(values[one]) for one in columns] + [literal(one) for one in key])
            for key, values in changes
        ]
        self._update_joined(table, names, rows, sets, version)

    def _update_joined(
        self,
        table: EntityTable,
        names: Sequence[str],
        rows: Sequence[str],
        sets: Sequence[str],
        version: int,
    ) -> None:
        """``rows`` hold values of ``names`` and then the key's."""
        if table.versioned:
            sets = [*sets, f"t.{self._plain(VERSION_COLUMN)} = {int(version)}"]
        joins = [self._join(table, one, place) for place, one in enumerate(table.key)]
        names = [*names, *(f"k{place}" for place in range(len(table.key)))]
        nothing = ", ".join(f"NULL AS {one}" for one in names)
        between = " UNION ALL SELECT "
        start = f"UPDATE {self._plain(table.name)} t JOIN (SELECT {nothing} FROM DUAL WHERE 1 = 0"
        end = f") v ON {' AND '.join(joins)} SET {', '.join(sets)}"
        if self._lists_values:  # parsed in half the time
            changed = self._joined(f"{start} UNION ALL VALUES (", "),(", f"){end}", rows)
        else:
            changed = self._joined(start + between, between, end, rows)
        if table.versioned and changed != len(rows):
            raise RecordFailure(_VANISHED, "a row to be changed was deleted with its parent")

    def _together(self, plan: TablePlan) -> tuple[str, ...]:
        """All columns that the updates change, when one statement may do them; else none.

        A row for which a column is not meant gets its own value again. So only columns of which
        that is sure: text in utf8mb4 and whole numbers, in a table without anything unusual.
        """
        table = plan.table
        seen = self._seen.faithful(table, self.rows)
        if seen is None:
            return ()
        echoes = dict(zip(table.names, seen.echoes, strict=True))
        columns = tuple(sorted({one for columns in plan.updates for one in columns}))
        for one in columns:
            charset, _ = self._collations.get((table.name, one), ("", ""))
            if not (
                echoes[one] in {Echo.WHOLE, Echo.TRUTH}
                or (echoes[one] is Echo.TEXT and charset == "utf8mb4")
            ):
                return ()
        return columns if len(columns) <= COLUMNS_TOGETHER else ()

    def _update_all(self, plan: TablePlan, columns: tuple[str, ...], version: int) -> None:
        """Updates of different columns in one statement; each row says which of them it means."""
        table = plan.table
        sets: list[str] = []
        for place, one in enumerate(columns):
            known = self._collations.get((table.name, one))
            name, value = f"t.{self._plain(one)}", f"v.c{place}"
            if known is not None:
                value = f"CONVERT({value} USING {known[0]}) COLLATE {known[1]}"
            sets.append(f"{name} = IF(v.given & {1 << place}, {value}, {name})")
        rows: list[tuple[Key, str]] = []
        for mine, changes in plan.updates.items():
            given = sum(1 << place for place, one in enumerate(columns) if one in mine)
            for key, values in changes:
                some = [literal(values[one]) if one in mine else "NULL" for one in columns]
                rows.append((key, ",".join([str(given), *some, *map(literal, key)])))
        ordered = dict(rows)
        names = ["given", *(f"c{place}" for place in range(len(columns)))]
        texts = [ordered[one] for one in keys_in_order(ordered)]
        self._update_joined(table, names, texts, sets, version)

    def _join(self, table: EntityTable, name: str, place: int) -> str:
        column = f"t.{self._plain(name)}"
        known = self._collations.get((table.name, name))
        if known is None:
            return f"{column} = v.k{place}"
        charset, collation = known
        return f"{column} = CONVERT(v.k{place} USING {charset}) COLLATE {collation}"
