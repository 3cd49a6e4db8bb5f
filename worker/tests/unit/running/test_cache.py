"""The cache's rules on the in-process cache; tests/integration runs the same on Redis."""

from __future__ import annotations

from typing import Any

import pytest
from cache_rules import CacheRules

from database_consumer.cache.base import Cache, CacheUnavailable, Entry, Found
from database_consumer.cache.memory import MemoryCache
from database_consumer.cache.read import CacheReader, key_text


class TestMemoryCache(CacheRules):
    @pytest.fixture
    def cache(self) -> Cache:
        return MemoryCache()


class Away(MemoryCache):
    def get(self, suffix: str) -> Found:
        raise CacheUnavailable(suffix)


def row(version: int, name: str = "n") -> tuple[dict[str, Any], int]:
    return {"id": 1, "name": name}, version


@pytest.fixture
def cache() -> MemoryCache:
    found = MemoryCache()
    found.raise_epoch(1.0, None)
    return found


def test_a_reader_fills_the_cache_and_then_reads_from_it(cache: MemoryCache) -> None:
    reader = CacheReader(cache)
    assert reader.get("User", 1, load=lambda: row(4)) == {"id": 1, "name": "n"}
    assert reader.get("User", 1) == {"id": 1, "name": "n"}


def test_a_slow_reader_cannot_put_an_old_row_back(cache: MemoryCache) -> None:
    epoch = cache.epoch() or ""

    def slow() -> tuple[dict[str, Any], int]:
        new = Entry(suffix="User:1", version=5, payload='{"name": "new"}', ttl_seconds=9)
        cache.put([new], epoch)
        return row(4, "old")

    reader = CacheReader(cache)
    assert reader.get("User", 1, load=slow) == {"id": 1, "name": "old"}
    assert reader.get("User", 1) == {"name": "new"}


def test_a_slow_reader_cannot_put_a_deleted_row_back(cache: MemoryCache) -> None:
    epoch = cache.epoch() or ""

    def slow() -> tuple[dict[str, Any], int]:
        cache.put([Entry(suffix="User:1", version=5, payload="", ttl_seconds=9)], epoch)
        return row(4, "old")

    reader = CacheReader(cache)
    reader.get("User", 1, load=slow)
    assert reader.get("User", 1, load=lambda: row(4, "old")) is None


def test_a_reader_that_looked_before_the_epoch_was_raised_puts_nothing(cache: MemoryCache) -> None:
    def slow() -> tuple[dict[str, Any], int]:
        cache.raise_epoch(2.0, cache.epoch())
        return row(4, "old")

    CacheReader(cache).get("User", 1, load=slow)
    assert cache.rows() == {}


def test_with_the_cache_away_the_database_is_asked() -> None:
    assert CacheReader(Away()).get("User", 1, load=lambda: row(1)) == {"id": 1, "name": "n"}
    assert CacheReader(Away()).get("User", 1) is None


def test_a_composite_key_is_a_json_array() -> None:
    assert key_text(("a", 1)) == '["a",1]'
    assert key_text("a") == "a"
    assert key_text(17) == "17"
    assert key_text(b"\x00\xff") == "00ff"
    assert key_text((b"\x01", 2)) == '["01",2]'
