"""Redis as the cache, through one Lua script that writers and readers share."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from itertools import chain
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
        """See the protocol; the script is called for each 250 entries, all calls under way at once.

        So that the server works on one while the next is written down.
        """
        some = [entries[at : at + PUT_ENTRIES] for at in range(0, len(entries), PUT_ENTRIES)]
        calls = [("put", epoch, *chain.from_iterable(one)) for one in some]
        counts = [int(count) for count, _ in self._call_all(calls)]
        if any(count < 0 for count in counts):
            raise EpochMoved
        return sum(counts)

    def close(self) -> None:
        """See the protocol."""
        self._connection.close()

    def _call_all(self, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        try:
            try:
                return self._answers(calls)
            except redis.exceptions.NoScriptError:
                self._connection.script_load(self._script.script)
                return self._answers(calls)
        except (redis.RedisError, OSError) as error:
            raise CacheUnavailable(f"{type(error).__name__}: {error}") from error

    def _answers(self, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Every call's answer; an error of one is raised when all are read."""
        pool = self._connection.connection_pool
        connection: Any = pool.get_connection()
        answers: list[Any] = []
        refused: redis.ResponseError | None = None
        try:
            for call in calls:
                connection.send_command("EVALSHA", self._script.sha, 1, self._root, *call)
            for _ in calls:
                try:
                    answers.append(connection.read_response())
                except redis.ResponseError as error:
                    refused = error
        except BaseException:
            connection.disconnect()
            raise
        finally:
            pool.release(connection)
        if refused is not None:
            raise refused
        return answers

    def _call(self, *arguments: str) -> Any:
        try:
            return self._script(keys=[self._root], args=list(arguments))
        except (redis.RedisError, OSError) as error:
            raise CacheUnavailable(f"{type(error).__name__}: {error}") from error


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
