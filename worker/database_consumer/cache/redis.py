"""Redis as the cache, through one Lua script that writers and readers share."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import redis

from database_consumer.cache.base import CacheKind, CacheUnavailable, Entry, EpochMoved, Found
from database_consumer.settings import Settings

PUT_ENTRIES = 250
"""Entries in one call of the script: enough to amortise it, short enough to block nobody."""
SOCKET_SECONDS = 3.0


def connect(settings: Settings) -> redis.Redis:
    """The client for the configured Redis; it connects at its first use."""
    url = settings.redis
    if url is None:
        raise CacheUnavailable("no Redis is configured: set REDIS_HOST or REDIS_URL")
    options: dict[str, Any] = {}
    if settings.redis_ssl_ca is not None and url.startswith("rediss://"):
        options["ssl_ca_certs"] = str(settings.redis_ssl_ca)
    return client(url, **options)


def client(url: str, **options: Any) -> redis.Redis:
    """A client with short time-outs and no retries of its own: the outbox is the retry."""
    found: redis.Redis = redis.Redis.from_url(
        url,
        socket_timeout=SOCKET_SECONDS,
        socket_connect_timeout=SOCKET_SECONDS,
        retry=None,
        health_check_interval=0,
        **options,
    )
    return found


class RedisCache:
    """See :class:`database_consumer.cache.base.Cache`."""

    kind = CacheKind.REDIS

    def __init__(self, connection: redis.Redis, *, namespace: str = "dbc") -> None:
        self._connection = connection
        self._root = f"{{{namespace}}}"
        source = files("database_consumer.cache").joinpath("cache.lua").read_text(encoding="utf-8")
        self._script = connection.register_script(source)

    def epoch(self) -> str | None:
        """See the protocol."""
        return _text(self._call("epoch")) or None

    def raise_epoch(self, now: float, known: str | None) -> str:
        """See the protocol."""
        return _text(self._call("raise", str(int(now * 1000)), known or ""))

    def get(self, suffix: str) -> Found:
        """See the protocol."""
        epoch, version, payload = (_text(part) for part in self._call("get", suffix))
        return Found(
            epoch=epoch or None, version=int(version) if version else None, payload=payload
        )

    def put(self, entries: Sequence[Entry], epoch: str) -> int:
        """See the protocol; one round trip for each 250 entries."""
        written = 0
        for start in range(0, len(entries), PUT_ENTRIES):
            arguments: list[str] = []
            for entry in entries[start : start + PUT_ENTRIES]:
                arguments += (
                    entry.suffix,
                    str(entry.version),
                    entry.payload,
                    str(entry.ttl_seconds),
                )
            count, _ = self._call("put", epoch, *arguments)
            if count < 0:
                raise EpochMoved
            written += int(count)
        return written

    def close(self) -> None:
        """See the protocol."""
        self._connection.close()

    def _call(self, *arguments: str) -> Any:
        try:
            return self._script(keys=[self._root], args=list(arguments))
        except (redis.RedisError, OSError) as error:
            raise CacheUnavailable(f"{type(error).__name__}: {error}") from error


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
