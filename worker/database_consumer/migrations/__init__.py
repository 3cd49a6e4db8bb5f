"""The schema of the ledger and the shipped entities, created and migrated from code (alembic)."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from database_consumer.stores.base import StoreUnavailable

if TYPE_CHECKING:
    from alembic.config import Config

VERSION_TABLE = "database_consumer_schema"
"""Where the schema's revision is kept; an application's own alembic table is left alone."""

LOCK_SECONDS = 60
"""How long another worker's migration is waited for."""


def migrate(engine: sa.Engine) -> None:
    """Bring the schema to this release's; one worker at a time. Raises StoreUnavailable."""
    from alembic import command
    from alembic.util.exc import CommandError

    try:
        with engine.connect() as connection:
            mysql = engine.dialect.name in {"mysql", "mariadb"}
            if mysql:
                _lock(connection)
            else:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                command.upgrade(configuration(connection), "head")
                connection.commit()
            finally:
                if mysql:
                    with contextlib.suppress(SQLAlchemyError):  # a lost connection held no lock
                        connection.rollback()
                        connection.exec_driver_sql(
                            "SELECT RELEASE_LOCK('database_consumer_schema')"
                        )
    except CommandError as error:
        raise StoreUnavailable(
            f"the tables belong to another release of database-consumer, a newer one perhaps "
            f"({error}); run that release"
        ) from error
    except (SQLAlchemyError, OSError) as error:
        reason = getattr(error, "orig", None) or error
        raise StoreUnavailable(f"the schema cannot be migrated: {reason}") from error


def configuration(connection: sa.Connection) -> Config:
    """Alembic's configuration for one connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _lock(connection: sa.Connection) -> None:
    got = connection.exec_driver_sql(
        f"SELECT GET_LOCK('database_consumer_schema', {LOCK_SECONDS})"
    ).scalar()
    if got != 1:
        raise StoreUnavailable(f"another worker has been migrating for {LOCK_SECONDS} s")
