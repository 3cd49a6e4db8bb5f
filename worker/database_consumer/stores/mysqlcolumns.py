"""What a MySQL or MariaDB schema says of its columns, and what follows from it.

A value reads as it was written where the column's own type keeps it, no default and no generated
value can take its place, and no trigger runs before the insert. All of it is asked of the database,
inside the transaction that writes: while that holds the table, its definition cannot change.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from database_consumer.entities.model import Catalogue, EntityTable
from database_consumer.stores.sqlconnection import as_text
from database_consumer.stores.written import Echo, Faithful

LOOK_SECONDS = 60.0
"""How long a look at the schema is believed. A definition rarely changes under a running worker;
until then the cache may hold what was sent in the place of what a new trigger made of it."""

Rows = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

_TEXTS = frozenset({"varchar", "tinytext", "text", "mediumtext", "longtext"})
_CHARSETS = frozenset({"utf8mb4", "utf8mb3", "utf8", "ascii"})
_WHOLE = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint"})
_ANY_LENGTH = 1 << 32

_COLUMNS = (
    "SELECT column_name, data_type, character_maximum_length, character_set_name, "
    "datetime_precision, is_nullable, column_default, extra FROM information_schema.columns "
    "WHERE table_schema = DATABASE() AND table_name = ?"
)

_TRIGGERS = (
    "SELECT event_object_table FROM information_schema.triggers "
    "WHERE event_object_schema = DATABASE() AND action_timing = 'BEFORE' "
    "AND event_manipulation = 'INSERT'"
)

_MAY_SEE_TRIGGERS = (
    "SELECT COUNT(*) FROM (SELECT grantee FROM information_schema.user_privileges "
    "WHERE privilege_type = 'TRIGGER' UNION ALL "
    "SELECT grantee FROM information_schema.schema_privileges "
    "WHERE privilege_type = 'TRIGGER' AND DATABASE() LIKE table_schema) granted "
    "WHERE grantee = CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''', "
    "SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')"
)
"""Only who may make triggers sees them (MySQL manual, "The INFORMATION_SCHEMA TRIGGERS Table")."""


class ColumnsSeen:
    """Which tables give back what is written into them, as last seen."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._found: dict[str, Faithful] = {}
        self._until = 0.0

    def faithful(self, table: EntityTable, rows: Rows) -> Faithful | None:
        """How the table's columns read; None: it has to be read. ``rows`` runs a query."""
        now = time.monotonic()
        if now >= self._until:
            self._found = self._look(rows)
            self._until = now + LOOK_SECONDS
        return self._found.get(table.name)

    def _look(self, rows: Rows) -> dict[str, Faithful]:
        if not int(rows(_MAY_SEE_TRIGGERS, ())[0][0]):
            return {}
        changed = {as_text(row[0]).lower() for row in rows(_TRIGGERS, ())}
        return {
            table.name: found
            for table in self._catalogue
            if table.name.lower() not in changed
            and (found := faithful(table, rows(_COLUMNS, (table.name,)))) is not None
        }


def faithful(table: EntityTable, columns: Iterable[Sequence[Any]]) -> Faithful | None:
    """From the rows of ``information_schema.columns`` (:data:`_COLUMNS`) to how they read.

    None when a column that the worker leaves out, or gives as null, may be filled in.
    """
    there = {as_text(one[0]).lower(): one for one in columns}
    if table.has_defaults or any(name.lower() not in there for name in table.names):
        return None
    echoes: list[Echo] = []
    limits: list[int] = []
    nullable: list[bool] = []
    for column in table.columns.values():
        _, kind, length, charset, digits, null, default, extra = there[column.name.lower()]
        if as_text(extra or "").strip() or (
            default is not None and as_text(default).upper() != "NULL"
        ):
            return None
        name = as_text(kind).lower()
        echo, limit = Echo.NULL, -1
        if name in _TEXTS and column.form == "plain" and as_text(charset or "") in _CHARSETS:
            echo = Echo.TEXT
            limit = int(length) if name == "varchar" else _ANY_LENGTH
        elif name in _WHOLE and column.form in {"plain", "boolean"}:
            echo = Echo.WHOLE if column.form == "plain" else Echo.TRUTH
        elif name == "datetime" and column.form == "moment" and digits is not None:
            echo = Echo.MOMENT if int(digits) == 6 else Echo.NULL  # noqa: PLR2004
        echoes.append(echo)
        limits.append(limit)
        nullable.append(as_text(null).upper() == "YES")
    return Faithful(echoes=tuple(echoes), limits=tuple(limits), nullable=tuple(nullable))
