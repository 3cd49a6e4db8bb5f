"""An application's own tables: named in a module, or read from the database."""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SAWarning, SQLAlchemyError

from database_consumer.entities.describing import describe
from database_consumer.entities.model import VERSION_COLUMN
from database_consumer.ledger import TABLE_NAMES
from database_consumer.migrations import VERSION_TABLE

_log = logging.getLogger("database_consumer.entities")


class EntitiesInvalid(Exception):
    """A module or a database does not give tables; the message says why."""


def tables_of_module(name: str) -> dict[str, sa.Table]:
    """The tables that a module names, by entity.

    The module has ``ENTITIES``: a mapping of entity to :class:`sqlalchemy.Table` or mapped class;
    or else a ``metadata`` whose tables are entities under their own names; or else mapped classes,
    which are entities under theirs. Importing it runs it, as any import does: the name comes from
    the configuration, never from a message. Raises :class:`EntitiesInvalid`.
    """
    try:
        module = importlib.import_module(name)
    except Exception as error:
        raise EntitiesInvalid(f"module {name} cannot be imported: {error!r}") from error
    entities = getattr(module, "ENTITIES", None)
    if isinstance(entities, Mapping):
        found = {str(entity): _table(name, entity, one) for entity, one in entities.items()}
    elif isinstance(metadata := getattr(module, "metadata", None), sa.MetaData):
        found = dict(metadata.tables)
    else:
        found = {
            one.__name__: table
            for one in vars(module).values()
            if isinstance(one, type)
            and isinstance(table := getattr(one, "__table__", None), sa.Table)
        }
    if not found:
        raise EntitiesInvalid(
            f"module {name} has neither ENTITIES, nor metadata, nor mapped classes"
        )
    return _checked(found, f"module {name}")


def _table(module: str, entity: Any, given: Any) -> sa.Table:
    table = getattr(given, "__table__", given)
    if not isinstance(table, sa.Table):
        raise EntitiesInvalid(f"{module}.ENTITIES[{entity!r}] is not a table")
    return table


@contextmanager
def unknown_types_passed_over() -> Iterator[None]:
    """SQLAlchemy does not warn of columns of types that it has no class for (POINT, INET6)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Did not recognize type", SAWarning)
        yield


def reflected_tables(engine: sa.Engine, names: Iterable[str] | None = None) -> dict[str, sa.Table]:
    """The tables that a database holds, or those of these names; each is an entity of its name.

    The worker's own tables and tables without a primary key are left out. Raises
    :class:`EntitiesInvalid` when a named one is missing or the database cannot be read.
    """
    metadata = sa.MetaData()
    try:
        there = set(sa.inspect(engine).get_table_names())
        wanted = there - TABLE_NAMES - {VERSION_TABLE} if names is None else set(names)
        missing = sorted(wanted - there)
        if missing:
            raise EntitiesInvalid(f"the database has no table {', '.join(missing)}")
        with unknown_types_passed_over():  # told below, with what comes of it
            metadata.reflect(engine, only=sorted(wanted))
        _find_documents(engine, metadata)
    except SQLAlchemyError as error:
        reason = getattr(error, "orig", None) or error
        raise EntitiesInvalid(f"the tables cannot be read: {reason}") from error
    found = {name: metadata.tables[name] for name in sorted(wanted)}
    if names is None:
        found = {name: table for name, table in found.items() if table.primary_key.columns}
    dialect = "sqlite" if engine.dialect.name == "sqlite" else "mysql"
    for name, table in tuple(found.items()):
        try:
            kept = describe(table, entity=name, dialect=dialect).columns
            for one in table.columns:
                if one.computed is None and one.name not in {*kept, VERSION_COLUMN}:
                    _log.warning("table %s: column %s has an unknown type", name, one.name)
        except ValueError as error:
            if names is not None and table.primary_key.columns:
                raise EntitiesInvalid(str(error)) from error
            if names is None:
                _log.warning("%s; it is left out", error)
                del found[name]
    return _checked(found, "the database")


def _find_documents(engine: sa.Engine, metadata: sa.MetaData) -> None:
    """MariaDB's JSON is a LONGTEXT with a check of its own (MariaDB documentation, 'JSON')."""
    if not getattr(engine.dialect, "is_mariadb", False):
        return
    with engine.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT table_name, constraint_name FROM information_schema.check_constraints "
            "WHERE constraint_schema = DATABASE() "
            "AND check_clause = CONCAT('json_valid(`', constraint_name, '`)')"
        ).all()
    for table, column in found:
        if table in metadata.tables and column in metadata.tables[table].columns:
            metadata.tables[table].columns[column].type = sa.JSON()


def _checked(tables: dict[str, sa.Table], origin: str) -> dict[str, sa.Table]:
    for entity, table in tables.items():
        if table.name in TABLE_NAMES:
            raise EntitiesInvalid(f"{origin}: table {table.name} is the worker's own")
        if not table.primary_key.columns:
            raise EntitiesInvalid(
                f"{origin}: table {table.name} of {entity} has no primary key; its rows cannot "
                "be addressed"
            )
    return tables
