"""The cache's rules on a real Redis, and what only a server can do: die and come back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis as redis_client
from cache_rules import CacheRules, entry
from servers.redis import RedisServer, redis_server

from database_consumer.cache.base import Cache, CacheUnavailable
from database_consumer.cache.redis import RedisCache, client

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as found:
        yield found


@pytest.fixture
def cache(server: RedisServer) -> Iterator[RedisCache]:
    with redis_client.Redis(port=server.port) as raw:
        raw.flushall()
    found = RedisCache(client(server.url))
    yield found
    found.close()


class TestRedisCache(CacheRules):
    @pytest.fixture
    def cache(self, server: RedisServer) -> Iterator[Cache]:
        with redis_client.Redis(port=server.port) as raw:
            raw.flushall()
        found = RedisCache(client(server.url))
        yield found
        found.close()


def test_a_server_that_came_back_is_not_trusted_before_the_epoch_was_raised(
    server: RedisServer, cache: RedisCache
) -> None:
    epoch = cache.raise_epoch(1.0, None)
    cache.put([entry(1)], epoch)
    server.kill()
    with pytest.raises(CacheUnavailable):
        cache.get("User:1")
    server.start()
    # an old snapshot: the epoch and the value are there again, but the run is another one
    with redis_client.Redis(port=server.port) as raw:
        raw.hset("{dbc}", mapping={"n": epoch, "run": "another"})
        raw.set(f"{{dbc}}:{epoch}:User:1", '1\n{"v": 1}')
    assert cache.epoch() is None
    assert cache.get("User:1").version is None
    raised = cache.raise_epoch(0.5, epoch)
    assert int(raised) > int(epoch)
    assert cache.get("User:1").version is None


def test_entries_expire(server: RedisServer, cache: RedisCache) -> None:
    epoch = cache.raise_epoch(1.0, None)
    cache.put([entry(1)], epoch)
    with redis_client.Redis(port=server.port) as raw:
        left = raw.ttl(f"{{dbc}}:{epoch}:User:1")
    assert isinstance(left, int)
    assert 0 < left <= 60


def test_two_namespaces_do_not_meet(server: RedisServer, cache: RedisCache) -> None:
    epoch = cache.raise_epoch(1.0, None)
    cache.put([entry(1)], epoch)
    other = RedisCache(client(server.url), namespace="other")
    assert other.epoch() is None
    assert other.get("User:1").version is None
    other.close()


def test_a_server_that_forgot_the_script_is_given_it_again(
    server: RedisServer, cache: RedisCache
) -> None:
    epoch = cache.raise_epoch(1.0, None)
    many = [entry(1, name=f"User:{number}") for number in range(700)]
    with redis_client.Redis(port=server.port) as raw:
        raw.script_flush()
    assert cache.put(many, epoch) == 700
    assert cache.put(many, epoch) == 0


def test_a_refused_call_leaves_the_connection_in_step(
    server: RedisServer, cache: RedisCache
) -> None:
    """Of several calls under way one is refused: the next answer is the next question's."""
    epoch = cache.raise_epoch(1.0, None)
    many = [entry(1, name=f"User:{number}") for number in range(600)]
    with redis_client.Redis(port=server.port) as raw:
        raw.hset(f"{{dbc}}:{epoch}:User:300", "not", "a text")
    with pytest.raises(CacheUnavailable, match="WRONGTYPE"):
        cache.put(many, epoch)
    assert cache.epoch() == epoch
    assert cache.get("User:599").version == 1
