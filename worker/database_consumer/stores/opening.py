"""Opens the store that a URL names; without one, SQLite, or the file where SQLite cannot load."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from database_consumer.entities.describing import catalogue
from database_consumer.entities.shipped import TABLES
from database_consumer.handlers import Handlers
from database_consumer.stores.base import StoreKind, StorePolicy
from database_consumer.stores.jsonfile import JsonStore
from database_consumer.stores.sqlstore import SqlStore

CONNECT_SECONDS = 5
"""How long a connection may take."""

ANSWER_SECONDS = 30
"""How long the server may take to answer; then the connection is taken for lost."""


def open_sqlite(
    path: Path,
    *,
    tables: Mapping[str, sa.Table] = TABLES,
    handlers: Handlers | None = None,
    policy: StorePolicy | None = None,
) -> SqlStore:
    """A store in a SQLite file, not yet connected. Raises ImportError where it cannot load."""
    from database_consumer.stores.sqlite import SqliteLedger

    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), poolclass=sa.NullPool)
    described = catalogue(tables, "sqlite")
    return SqlStore(
        StoreKind.SQLITE,
        SqliteLedger(engine, described),
        described,
        handlers=handlers or Handlers.standard(),
        policy=policy or StorePolicy(),
    )


def open_mysql(
    url: str | sa.URL,
    *,
    tables: Mapping[str, sa.Table] = TABLES,
    handlers: Handlers | None = None,
    policy: StorePolicy | None = None,
    tls: Mapping[str, Any] | None = None,
) -> SqlStore:
    """A store in MySQL or MariaDB, not yet connected.

    ``mysql://`` takes mysqlclient where it is installed and PyMySQL elsewhere; ``mysql+pymysql://``
    and ``mysql+mysqldb://`` name one. ``tls`` is passed to the driver as ``ssl``.
    """
    from database_consumer.stores.mysql import MysqlLedger

    parsed = sa.make_url(url)
    if parsed.drivername in {"mysql", "mariadb"}:
        parsed = parsed.set(drivername=f"mysql+{_mysql_driver()}")
    options: dict[str, Any] = {
        "charset": "utf8mb4",
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": ANSWER_SECONDS,
        "write_timeout": ANSWER_SECONDS,
    }
    if tls:
        options["ssl"] = dict(tls)
    engine = sa.create_engine(parsed, poolclass=sa.NullPool, connect_args=options)
    chosen = policy or StorePolicy()
    described = catalogue(tables, "mysql")
    ledger = MysqlLedger(
        engine, described, options=options, max_statement_bytes=chosen.max_statement_bytes
    )
    return SqlStore(
        StoreKind.MYSQL,
        ledger,
        described,
        handlers=handlers or Handlers.standard(),
        policy=chosen,
    )


def _mysql_driver() -> str:
    return "mysqldb" if importlib.util.find_spec("MySQLdb") is not None else "pymysql"


def open_json(
    path: Path,
    *,
    tables: Mapping[str, sa.Table] = TABLES,
    handlers: Handlers | None = None,
    policy: StorePolicy | None = None,
    fallback_reason: str = "",
) -> JsonStore:
    """A store in a JSON file, not yet read; ``fallback_reason`` says why it stands in."""
    return JsonStore(
        path,
        catalogue(tables, "json"),
        handlers or Handlers.standard(),
        policy or StorePolicy(),
        fallback_reason=fallback_reason,
    )


def fallback_path(sqlite_path: Path) -> Path:
    """Where the JSON file of a SQLite store stands."""
    return sqlite_path.with_name(sqlite_path.name + ".fallback.json")


def sqlite_trouble() -> str:
    """Why the SQLite driver cannot be used; empty when it can."""
    try:
        import sqlite3

        connection = sqlite3.connect(":memory:")
        connection.execute("SELECT sqlite_version()").fetchone()
        connection.close()
    except Exception as error:  # noqa: BLE001 - a broken native module fails in any way
        return f"{type(error).__name__}: {error}"
    return ""


def open_store(
    url: str,
    *,
    tables: Mapping[str, sa.Table] = TABLES,
    handlers: Handlers | None = None,
    policy: StorePolicy | None = None,
    tls: Mapping[str, Any] | None = None,
    on_fallback: Callable[[str], None] | None = None,
) -> SqlStore | JsonStore:
    """The store of a URL, not yet connected: ``mysql://…``, ``sqlite:///PATH``, ``json:///PATH``.

    Where SQLite cannot load, the JSON file beside its path stands in: that is logged as a warning,
    told to ``on_fallback`` and kept in the store's ``fallback_reason``. When SQLite loads again and
    such a file is there, :meth:`ensure_schema` moves its data first.
    """
    from database_consumer.fallback import migrate_fallback

    scheme, _, rest = url.partition("://")
    if scheme.split("+")[0] in {"mysql", "mariadb"}:
        return open_mysql(url, tables=tables, handlers=handlers, policy=policy, tls=tls)
    path = Path(rest.removeprefix("/"))
    if scheme == "json":
        return open_json(path, tables=tables, handlers=handlers, policy=policy)
    if scheme.split("+")[0] != "sqlite":
        raise ValueError(f"no store for {scheme or 'an empty'} URL; mysql, sqlite or json")
    beside = fallback_path(path)
    reason = sqlite_trouble()
    if reason:
        _say(reason, beside, on_fallback)
        return open_json(
            beside, tables=tables, handlers=handlers, policy=policy, fallback_reason=reason
        )
    store = open_sqlite(path, tables=tables, handlers=handlers, policy=policy)
    store.after_schema = lambda: migrate_fallback(beside, store)
    return store


def _say(reason: str, path: Path, on_fallback: Callable[[str], None] | None) -> None:
    message = (
        f"the native SQLite driver cannot load ({reason}); the JSON file {path} stands in. Mend "
        "the driver; its data then moves back by itself or with: database-consumer migrate-fallback"
    )
    logging.getLogger("database_consumer").warning(message)
    if on_fallback is not None:
        on_fallback(message)
