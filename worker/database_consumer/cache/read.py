"""The reader for applications: a look in the cache first, and a safe fill from the database.

    cache = CacheReader.from_url("redis://localhost:6379/0")
    user = cache.get("User", 17, load=lambda: read_row_and_version(17))

``load`` reads the row **and its row_version** from the database. What it gives is put into the
cache only when nothing newer is there and the epoch is still the one of the look, so a slow reader
cannot put an old row back. With Redis away, ``load`` is asked and nothing else happens.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Self

import msgspec

from database_consumer.cache.base import Cache, CacheUnavailable, Entry, EpochMoved, suffix

Loader = Callable[[], tuple[dict[str, Any], int] | None]
"""Gives a row, ready for JSON, and its version; None when the table has no such row."""


class CacheReader:
    """Reads rows through the cache. Threads may share one."""

    def __init__(self, cache: Cache, *, ttl_seconds: int = 86_400) -> None:
        self._cache = cache
        self._ttl = ttl_seconds

    @classmethod
    def from_url(cls, url: str, *, namespace: str = "dbc", ttl_seconds: int = 86_400) -> Self:
        """A reader of the Redis at ``url``; ``namespace`` is the worker's `CACHE_NAMESPACE`."""
        from database_consumer.cache.redis import RedisCache, client

        return cls(RedisCache(client(url), namespace=namespace), ttl_seconds=ttl_seconds)

    def get(self, entity: str, key: object, load: Loader | None = None) -> dict[str, Any] | None:
        """The row of ``entity`` with this key, or None when there is none.

        ``key`` is one column's value, or a tuple for a composite key. Without ``load`` a miss is
        None as well.
        """
        name = suffix(entity, key_text(key))
        try:
            found = self._cache.get(name)
        except CacheUnavailable:
            found = None
        if found is not None and found.version is not None:
            row: dict[str, Any] | None = json.loads(found.payload) if found.payload else None
            return row
        loaded = load() if load is not None else None
        if loaded is None:
            return None
        row, version = loaded
        if found is not None and found.epoch is not None:
            self._fill(
                Entry(
                    suffix=name,
                    version=version,
                    payload=msgspec.json.encode(row).decode(),
                    ttl_seconds=self._ttl,
                ),
                found.epoch,
            )
        return row

    def close(self) -> None:
        """Let go of the connections."""
        self._cache.close()

    def _fill(self, entry: Entry, epoch: str) -> None:
        try:
            self._cache.put([entry], epoch)
        except (CacheUnavailable, EpochMoved):
            return


def key_text(key: object) -> str:
    """A key as the worker writes it: the value's text, or a JSON array for a composite key."""
    if isinstance(key, tuple | list):
        plain = [one.hex() if isinstance(one, bytes) else one for one in key]
        return msgspec.json.encode(plain).decode()
    return key.hex() if isinstance(key, bytes) else str(key)
