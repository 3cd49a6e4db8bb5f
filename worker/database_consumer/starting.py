"""From settings to the parts of a worker: the only place that decides which ones are in force."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.exc import ArgumentError

from database_consumer.cache.base import Cache
from database_consumer.logs import SecretGate
from database_consumer.retry import RetryPolicy
from database_consumer.settings import Settings, SettingsError
from database_consumer.stores.base import Store, StorePolicy
from database_consumer.stores.opening import open_store
from database_consumer.stores.sharing import per_thread


def store_policy(settings: Settings) -> StorePolicy:
    """How the store treats failures, from `MAX_RETRY_ATTEMPTS` and `RETRY_DELAY_MS`.

    Without a cache configured no cache intents are written.
    """
    retry = RetryPolicy(attempts=settings.max_retry_attempts, base=settings.retry_delay_ms / 1000)
    return StorePolicy(retry=retry, cache=settings.redis is not None)


def store_maker(settings: Settings, policy: StorePolicy | None = None) -> Callable[[], Store]:
    """A factory of stores, not yet connected, one for each thread."""
    chosen = policy or store_policy(settings)
    return per_thread(lambda: _open(settings, chosen))


def _open(settings: Settings, policy: StorePolicy) -> Store:
    try:
        return open_store(settings.database, policy=policy, tls=database_tls(settings))
    except (ValueError, ImportError, ArgumentError) as error:
        detail = redaction(settings)(str(error))
        raise SettingsError((f"DATABASE_URL: {detail}",)) from None


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
