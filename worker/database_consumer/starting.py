"""From settings to the parts of a worker: the only place that decides which ones are in force."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from database_consumer.cache.base import Cache
from database_consumer.entities.own import EntitiesInvalid, reflected_tables, tables_of_module
from database_consumer.entities.shipped import TABLES
from database_consumer.handlers import Handlers
from database_consumer.logs import SecretGate, logger
from database_consumer.retry import RetryPolicy
from database_consumer.settings import Settings, SettingsError
from database_consumer.stores.base import Store, StorePolicy, StoreUnavailable
from database_consumer.stores.opening import open_store
from database_consumer.stores.sharing import per_thread
from database_consumer.stores.sqlstore import SqlStore

_log = logger("starting")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What operations may name: entities with their tables, and operation types."""

    tables: Mapping[str, sa.Table]
    handlers: Handlers


def store_policy(settings: Settings) -> StorePolicy:
    """How the store treats failures, from `MAX_RETRY_ATTEMPTS` and `RETRY_DELAY_MS`.

    Without a cache configured no cache intents are written.
    """
    retry = RetryPolicy(attempts=settings.max_retry_attempts, base=settings.retry_delay_ms / 1000)
    return StorePolicy(retry=retry, cache=settings.redis is not None)


def store_maker(settings: Settings, policy: StorePolicy | None = None) -> Callable[[], Store]:
    """A factory of stores, not yet connected, one for each thread.

    With `ENTITIES_REFLECT` it waits until the database can be read.
    """
    chosen = policy or store_policy(settings)
    words = vocabulary(settings)
    return per_thread(lambda: _open(settings, chosen, words))


def vocabulary(settings: Settings) -> Vocabulary:
    """The shipped entities, those of `ENTITIES_MODULE`, and those that the database holds.

    The module may also have ``HANDLERS``: a mapping of operation type to handler. Raises
    :class:`database_consumer.settings.SettingsError`.
    """
    tables: dict[str, sa.Table] = dict(TABLES)
    handlers = Handlers.standard()
    try:
        if settings.entities_module is not None:
            _import_from_here()
            tables |= tables_of_module(settings.entities_module)
            module = importlib.import_module(settings.entities_module)
            for name, handler in dict(getattr(module, "HANDLERS", {})).items():
                handlers.register(str(name), handler)
        if settings.entities_reflect:
            tables |= _reflected(settings)
    except (EntitiesInvalid, ValueError) as error:
        names = {
            "ENTITIES_MODULE": settings.entities_module,
            "ENTITIES_REFLECT": settings.entities_reflect,
        }
        given = ", ".join(name for name, value in names.items() if value)
        raise SettingsError((f"{given}: {redaction(settings)(str(error))}",)) from None
    return Vocabulary(tables=tables, handlers=handlers)


def _import_from_here() -> None:
    """The module is found in the folder where the worker is started, as with `python -m`."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)


def _reflected(settings: Settings) -> dict[str, sa.Table]:
    names = settings.reflected_names
    store = _open(settings, StorePolicy(), Vocabulary(tables=TABLES, handlers=Handlers.standard()))
    if not isinstance(store, SqlStore):
        raise EntitiesInvalid("a JSON file has no tables that could be read")
    while True:
        try:
            store.open()
        except StoreUnavailable as error:
            _log.warning("waiting for the database to read its tables", why=str(error))
            time.sleep(settings.db_reconnect_interval / 1000)
        else:
            break
    try:
        return reflected_tables(store.engine, names)
    finally:
        store.close()


def _open(settings: Settings, policy: StorePolicy, words: Vocabulary) -> Store:
    _check_folder(settings)
    try:
        return open_store(
            settings.database,
            tables=words.tables,
            handlers=words.handlers,
            policy=policy,
            tls=database_tls(settings),
        )
    except (ValueError, ImportError, ArgumentError) as error:
        detail = redaction(settings)(str(error))
        raise SettingsError((f"DATABASE_URL: {detail}",)) from None


def _check_folder(settings: Settings) -> None:
    """A file cannot be made where there is no folder, and waiting makes none."""
    scheme, _, rest = settings.database.partition("://")
    if scheme.partition("+")[0] not in {"sqlite", "json"}:
        return
    folder = Path(rest.removeprefix("/")).parent
    if not folder.is_dir():
        name = "EMBEDDED_PATH" if settings.database_url is None else "DATABASE_URL"
        raise SettingsError((f"{name}: there is no folder {folder}",))


def database_tls(settings: Settings) -> dict[str, str]:
    """What `DB_SSL_CA`, `DB_SSL_CERT` and `DB_SSL_KEY` mean to the drivers; empty: no TLS."""
    files = {
        "ca": settings.db_ssl_ca,
        "cert": settings.db_ssl_cert,
        "key": settings.db_ssl_key,
    }
    return {name: str(path) for name, path in files.items() if path is not None}


def redis_cache(settings: Settings) -> Cache | None:
    """The configured Redis, or None."""
    if settings.redis is None:
        return None
    from database_consumer.cache.redis import RedisCache, connect

    return RedisCache(connect(settings), namespace=settings.cache_namespace)


def redaction(settings: Settings) -> Callable[[str], str]:
    """Text without any secret of the configuration."""
    return SecretGate(settings.secrets()).text
