"""Opens the store that a URL names; without one, SQLite, or the file where SQLite cannot load."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from database_consumer.entities.describing import catalogue
from database_consumer.entities.shipped import TABLES
from database_consumer.handlers import Handlers
from database_consumer.stores.base import StoreKind, StorePolicy
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
        engine,
        SqliteLedger(engine, described),
        described,
        handlers or Handlers.standard(),
        policy or StorePolicy(),
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
        StoreKind.MYSQL, engine, ledger, described, handlers or Handlers.standard(), chosen
    )


def _mysql_driver() -> str:
    return "mysqldb" if importlib.util.find_spec("MySQLdb") is not None else "pymysql"
