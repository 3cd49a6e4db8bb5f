"""Members that come and go, a topic that is another one, signals, and readiness by protocol."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from servers.consumer import ConsumerProcess
from servers.kafka import KafkaVersion, kafka_server
from servers.programs import free_port, wait_until
from servers.redis import redis_server
from servers.stack import TOPIC, Stack, stack

from database_consumer.readiness import KafkaProbe, Outcome, RedisProbe, wait_ready

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack(tmp_path_factory.mktemp("stack"), KafkaVersion.KRAFT) as found:
        yield found


def publish(servers: Stack, idents: range) -> None:
    producer = Producer({"bootstrap.servers": servers.kafka.direct, "enable.idempotence": True})
    for ident in idents:
        operation = {
            "type": "CREATE",
            "entity": "User",
            "data": {"id": ident, "name": "n", "email": "e"},
            "metadata": {"operationId": f"life-{ident}"},
        }
        producer.produce(TOPIC, json.dumps(operation).encode(), f"User:{ident}".encode())
    assert producer.flush(30) == 0


def users(servers: Stack, idents: range) -> int:
    found = servers.query(
        f"SELECT COUNT(*) FROM users WHERE id >= {idents.start} AND id < {idents.stop}"
    )
    return int(str(found[0][0]))


def held(worker: ConsumerProcess) -> int:
    return len(worker.ask()["partitions"])


def test_members_share_the_partitions_and_take_over(servers: Stack, tmp_path: Path) -> None:
    one = ConsumerProcess(tmp_path / "one", servers.settings(CONSUMER_SESSION_TIMEOUT="1500"))
    two = ConsumerProcess(tmp_path / "two", servers.settings(CONSUMER_SESSION_TIMEOUT="1500"))
    try:
        one.start(ready=60)
        wait_until(lambda: held(one) == 4, timeout=30, what="all partitions for one member")
        two.start(ready=60)
        wait_until(lambda: (held(one), held(two)) == (2, 2), timeout=30, what="two for each")
        before, after = range(2_000), range(2_000, 4_000)
        publish(servers, before)
        assert two.stop() == 0
        wait_until(lambda: held(one) == 4, timeout=30, what="all of them back")
        publish(servers, after)
        wait_until(
            lambda: users(servers, range(4_000)) == 4_000, timeout=30, what="everything applied"
        )
        assert servers.query("SELECT COUNT(*) FROM dead_letters") == [(0,)]
    finally:
        one.kill()
        two.kill()


def test_a_pause_survives_a_rebalance(servers: Stack, tmp_path: Path) -> None:
    """A second member comes while the database is away: nobody reads, nothing is lost."""
    one = ConsumerProcess(tmp_path / "one", servers.settings())
    two = ConsumerProcess(tmp_path / "two", servers.settings())
    wanted = range(10_000, 11_000)
    try:
        one.start(ready=60)
        two.start(ready=60)
        wait_until(lambda: (held(one), held(two)) == (2, 2), timeout=30, what="two for each")
        servers.to_mariadb.refuse()
        publish(servers, wanted)
        one.wait_event("database unhealthy")
        two.wait_event("database unhealthy")
        assert two.stop() == 0
        wait_until(lambda: held(one) == 4, timeout=30, what="all partitions, still paused")
        time.sleep(1)
        assert one.ask()["consumer"]["paused"] is True
        assert one.metric("database_consumer_queued_records") <= 1_000
        assert users(servers, wanted) == 0
        servers.to_mariadb.restore()
        wait_until(lambda: users(servers, wanted) == 1_000, timeout=30, what="worked off")
        assert servers.query("SELECT COUNT(*) FROM dead_letters") == [(0,)]
    finally:
        servers.to_mariadb.restore()
        one.kill()
        two.kill()


def test_sigint_ends_in_order_and_a_second_signal_at_once(servers: Stack, tmp_path: Path) -> None:
    worker = ConsumerProcess(tmp_path / "worker", servers.settings())
    worker.start(ready=60)
    worker.program.signal(signal.SIGINT)
    assert worker.program.wait(timeout=20) == 0
    assert [one["event"] for one in worker.events()][-1] == "stopped"
    stuck = ConsumerProcess(tmp_path / "stuck", servers.settings(SHUTDOWN_TIMEOUT_MS="60000"))
    stuck.start(ready=60)
    servers.to_mariadb.stall()
    try:
        publish(servers, range(20_000, 20_010))
        time.sleep(1)
        stuck.terminate()
        time.sleep(0.5)
        assert stuck.program.running
        begin = time.monotonic()
        stuck.terminate()
        assert stuck.program.wait(timeout=5) == 130
        assert time.monotonic() - begin < 2
    finally:
        servers.to_mariadb.restore()
        stuck.kill()


def test_the_deadline_holds_whatever_is_stuck(servers: Stack, tmp_path: Path) -> None:
    worker = ConsumerProcess(tmp_path / "worker", servers.settings(SHUTDOWN_TIMEOUT_MS="3000"))
    worker.start(ready=60)
    servers.to_mariadb.stall()
    try:
        publish(servers, range(30_000, 30_010))
        time.sleep(1)
        worker.terminate()
        begin = time.monotonic()
        worker.program.wait(timeout=20)
        assert time.monotonic() - begin < 5
    finally:
        servers.to_mariadb.restore()
        worker.kill()


def test_a_topic_that_was_recreated_stops_the_worker_and_skips_nothing(
    servers: Stack, tmp_path: Path
) -> None:
    worker = ConsumerProcess(tmp_path / "first", servers.settings())
    worker.start(ready=60)
    wanted = range(40_000, 40_100)
    publish(servers, wanted)
    wait_until(lambda: users(servers, wanted) == 100, timeout=30, what="applied")
    assert worker.stop() == 0
    servers.kafka.delete_topic(TOPIC)
    time.sleep(2)
    servers.kafka.create_topic(TOPIC, 4)
    again = ConsumerProcess(tmp_path / "second", servers.settings())
    again.start()
    try:
        assert again.program.wait(timeout=60) == 1
        said = [one for one in again.events() if one["event"] == "cannot go on"]
        assert "was recreated" in str(said[0]["why"])
        assert servers.query("SELECT COUNT(*) FROM dead_letters") == [(0,)]
    finally:
        again.kill()


def test_kafka_is_ready_when_its_topics_and_the_coordinator_are(tmp_path: Path) -> None:
    with kafka_server(tmp_path / "kafka", KafkaVersion.KRAFT) as broker:
        probe = KafkaProbe(
            {"bootstrap.servers": broker.address, "log_level": 0}, topics=("wanted",), group="g"
        )
        answer = probe.look()
        assert (answer.outcome, "wanted" in answer.why) == (Outcome.NOT_YET, True)
        broker.create_topic("wanted", 2)
        report = wait_ready([probe], timeout=30)
        assert report.ready, report
        broker.kill()
        assert probe.look().outcome is Outcome.NOT_YET
        probe.close()


def test_an_advertised_address_that_nobody_can_dial_is_named(tmp_path: Path) -> None:
    with kafka_server(
        tmp_path / "kafka", KafkaVersion.KRAFT, advertised_port=free_port()
    ) as broker:
        probe = KafkaProbe(
            {"bootstrap.servers": f"127.0.0.1:{broker.port}", "log_level": 0}, topics=(), group="g"
        )
        answer = probe.look()
        assert answer.outcome is Outcome.NOT_YET
        assert answer.cause == "kafka-advertised-listener"
        assert str(broker.advertised_port) in answer.why
        probe.close()


def test_redis_with_a_password_is_wrong_without_it(tmp_path: Path) -> None:
    with redis_server(tmp_path / "redis", password="s3cret-9") as server:  # noqa: S106
        assert RedisProbe(url=server.url).look().outcome is Outcome.READY
        answer = RedisProbe(url=f"redis://127.0.0.1:{server.port}/0").look()
        assert (answer.outcome, answer.cause) == (Outcome.WRONG, "redis-auth")
        answer = RedisProbe(url=f"redis://:wrong@127.0.0.1:{server.port}/0").look()
        assert (answer.outcome, answer.cause) == (Outcome.WRONG, "redis-auth")
        server.kill()
        assert RedisProbe(url=server.url).look().outcome is Outcome.NOT_YET
