"""The worker as a process against real Kafka, MariaDB and Redis."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
import redis as redis_client
from confluent_kafka import Consumer, Producer
from servers.consumer import ConsumerProcess
from servers.kafka import KafkaVersion
from servers.programs import wait_until
from servers.stack import LETTERS, TOPIC, Stack, stack

pytestmark = pytest.mark.server


@pytest.fixture(scope="module", params=list(KafkaVersion))
def servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    with stack(tmp_path_factory.mktemp("stack"), request.param) as found:
        yield found


@pytest.fixture(scope="module")
def worker(servers: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsumerProcess]:
    process = ConsumerProcess(tmp_path_factory.mktemp("worker"), servers.settings())
    process.start(ready=60)
    yield process
    assert process.stop() == 0
    ends = [one["event"] for one in process.events()][-1]
    assert ends == "stopped"


class Held:
    """What Redis holds, read without the worker's own code."""

    def __init__(self, servers: Stack) -> None:
        self._client = redis_client.Redis(port=servers.redis.port)

    def epoch(self) -> int:
        found = self._client.hget("{dbc}", "n")
        return int(found) if found else 0

    def value(self, suffix: str) -> str:
        found = self._client.get(f"{{dbc}}:{self.epoch()}:{suffix}")
        return found.decode() if isinstance(found, bytes) else ""

    def close(self) -> None:
        self._client.close()


def publish(servers: Stack, operations: list[tuple[bytes, bytes]]) -> None:
    producer = Producer({"bootstrap.servers": servers.kafka.direct, "enable.idempotence": True})
    for key, value in operations:
        producer.produce(TOPIC, value, key)
    assert producer.flush(30) == 0


def user(ident: int, kind: str = "CREATE", **data: object) -> tuple[bytes, bytes]:
    operation = {
        "type": kind,
        "entity": "User",
        "data": {"id": ident, **data},
        "metadata": {"operationId": f"{kind}-{ident}-{sorted(data.items())}"},
    }
    return f"User:{ident}".encode(), json.dumps(operation).encode()


def test_operations_reach_the_table_and_the_cache(servers: Stack, worker: ConsumerProcess) -> None:
    count = 3_000
    publish(servers, [user(n, name=f"n{n}", email=f"{n}@x.org") for n in range(count)])
    publish(servers, [user(n, "UPDATE", name="changed") for n in range(0, count, 2)])
    publish(servers, [user(n, "DELETE") for n in range(0, count, 10)])
    wait_until(
        lambda: (
            servers.query("SELECT COUNT(*), SUM(name = 'changed') FROM users")
            == [(count - count // 10, count // 2 - count // 10)]
        ),
        timeout=60,
        what="every operation applied",
    )
    cache = Held(servers)
    wait_until(
        lambda: worker.metric("database_consumer_cache_intents") == 0, timeout=30, what="relayed"
    )
    version, _, row = cache.value("User:2").partition("\n")
    assert json.loads(row)["name"] == "changed"
    assert [(int(version),)] == servers.query("SELECT row_version FROM users WHERE id = 2")
    assert cache.value("User:10").endswith("\n")
    cache.close()
    names = {one["event"] for one in worker.events()}
    assert {"connected", "subscribed", "received", "processed"} <= names


def test_a_poison_message_reaches_the_topic_with_connect_headers(
    servers: Stack, worker: ConsumerProcess
) -> None:
    del worker
    poison = {
        "type": "CREATE",
        "entity": "Nobody",
        "data": {},
        "metadata": {"operationId": "poison-1"},
    }
    publish(servers, [(b"k", json.dumps(poison).encode())])
    consumer = Consumer(
        {
            "bootstrap.servers": servers.kafka.direct,
            "group.id": "letters",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([LETTERS])
    message = None
    deadline = time.monotonic() + 30
    while message is None and time.monotonic() < deadline:
        message = consumer.poll(1)
    consumer.close()
    assert message is not None
    assert message.error() is None
    headers = dict(message.headers() or [])
    assert headers["__connect.errors.topic"] == TOPIC.encode()
    assert headers["operationId"] == b"poison-1"
    assert "Nobody" in str(headers["__connect.errors.exception.message"])
    assert message.key() == b"k"
    assert json.loads(message.value() or b"") == poison
    wait_until(
        lambda: (
            servers.query("SELECT COUNT(*) FROM dead_letters WHERE published_at IS NOT NULL")
            == [(1,)]
        ),
        timeout=10,
        what="marked published",
    )


def test_an_outage_of_the_database_is_announced_survived_and_worked_off(
    servers: Stack, worker: ConsumerProcess
) -> None:
    before = len(worker.events())
    servers.to_mariadb.refuse()
    publish(servers, [user(n, name="later", email="l@x.org") for n in range(10_000, 10_500)])
    worker.wait_event("database unhealthy", after=before, timeout=15)
    assert not worker.is_ready()
    servers.mariadb.kill()
    servers.mariadb.start()
    servers.to_mariadb.restore()
    wait_until(
        lambda: servers.query("SELECT COUNT(*) FROM users WHERE name = 'later'") == [(500,)],
        timeout=20,
        what="the backlog worked off",
    )
    worker.wait_event("database healthy again", after=before)
    worker.wait_event("working off", after=before)
    assert worker.is_ready()
    assert worker.metric("database_consumer_dead_letters") <= 1


def test_redis_lost_means_a_new_epoch(servers: Stack, worker: ConsumerProcess) -> None:
    cache = Held(servers)
    before = cache.epoch()
    servers.redis.kill()
    publish(servers, [user(20_001, name="while", email="away@x.org")])
    wait_until(
        lambda: servers.query("SELECT name FROM users WHERE id = 20001") == [("while",)],
        timeout=10,
        what="applied without a cache",
    )
    servers.redis.start()
    wait_until(lambda: cache.epoch() > before, timeout=20, what="a new epoch")
    wait_until(lambda: "while" in cache.value("User:20001"), timeout=20, what="told afterwards")
    cache.close()
    del worker
