"""Exactness: operations of every type while workers, servers and connections die.

CI-sized by default. The whole length, and ten times that:

    CHAOS_OPERATIONS=100000 CHAOS_KEYS=2000 CHAOS_WORKERS=100 CHAOS_MARIADB=5 CHAOS_KAFKA=3 \
    CHAOS_REDIS=3 CHAOS_SECONDS=240 pytest tests/integration/test_chaos.py
    CHAOS_OPERATIONS=1000000 CHAOS_KEYS=2000 CHAOS_WORKERS=200 CHAOS_MARIADB=8 CHAOS_KAFKA=5 \
    CHAOS_REDIS=5 CHAOS_CUTS=40 CHAOS_STALLS=20 CHAOS_COMMITS=40 CHAOS_SECONDS=2000 \
    pytest tests/integration/test_chaos.py
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pymysql
import pytest
import redis as redis_client
from confluent_kafka import Producer
from servers.chaos import Chaos, Dose
from servers.consumer import ConsumerProcess
from servers.kafka import KafkaVersion
from servers.programs import wait_until
from servers.stack import DATABASE, TOPIC, Stack, stack
from servers.story import COLUMNS, Story

from database_consumer.cache.read import CacheReader

pytestmark = pytest.mark.server

PARTITIONS = 4
POISON = {"unknown-entity", "unknown-type", "undecodable", "not-null"}


def number(name: str, default: int) -> int:
    return int(os.environ.get(f"CHAOS_{name}", str(default)))


OPERATIONS = number("OPERATIONS", 12_000)
KEYS = number("KEYS", 600)
DOSE = Dose(
    workers=number("WORKERS", 20),
    mariadb=number("MARIADB", 2),
    kafka=number("KAFKA", 1),
    redis=number("REDIS", 1),
    cuts=number("CUTS", 10),
    stalls=number("STALLS", 4),
    commits=number("COMMITS", 6),
)
SECONDS = number("SECONDS", 90)
SHARE = SECONDS / DOSE.actions
"""Seconds for each thing that happens, so that the dose lasts about as long as the publishing."""
SETTLE = 400.0


def test_the_tables_equal_the_model_whatever_dies(tmp_path: Path) -> None:
    story = Story(seed=number("SEED", 7), keys=KEYS, partitions=PARTITIONS)
    with stack(tmp_path, KafkaVersion.KRAFT, partitions=PARTITIONS) as servers:
        settings = servers.settings(
            CONSUMER_SESSION_TIMEOUT="1500",
            CONSUMER_HEARTBEAT_INTERVAL="300",
            MAX_RETRY_ATTEMPTS="12",  # a rating's business may be far behind in another partition
            COMMIT_TARGET_MS="50",
        )
        workers = [ConsumerProcess(tmp_path / f"worker{n}", settings) for n in range(2)]
        reading = Readers(servers)
        try:
            for worker in workers:
                worker.start()
            pause = (0.15 * SHARE, 0.75 * SHARE)
            chaos = Chaos(servers, workers, DOSE, seed=number("SEED", 7), pause=pause)
            chaos.start()
            reading.start()
            published = publish(servers, story)
            chaos.wait(timeout=SECONDS * 20)
            wait_until(lambda: settled(servers), timeout=SETTLE, what="everything settled")
            reading.stop()
            print(f"chaos {dict(chaos.done)}; {published} messages")  # noqa: T201 -- with -s
            assert_whole_dose(chaos.done)
            assert_tables(servers, story)
            assert_letters(servers, story)
            assert_cache(servers)
        finally:
            reading.stop()
            for worker in workers:
                worker.kill()


def publish(servers: Stack, story: Story) -> int:
    producer = Producer(
        {
            "bootstrap.servers": servers.kafka.direct,
            "enable.idempotence": True,
            "linger.ms": 2,
            "log_level": 2,
        }
    )
    failures: list[str] = []

    def delivered(error: object, _message: object) -> None:
        if error is not None:
            failures.append(str(error))

    begin = time.monotonic()
    count = 0
    for message in story.tell(OPERATIONS):
        while True:
            try:
                producer.produce(
                    TOPIC, message.value, message.key, message.partition, on_delivery=delivered
                )
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
        count += 1
        ahead = count * SECONDS / OPERATIONS - (time.monotonic() - begin)
        if ahead > 0.01:
            time.sleep(ahead)
    assert producer.flush(120) == 0
    assert failures == []
    return count


def settled(servers: Stack) -> bool:
    """Every record is applied, nothing is parked, the cache has been told."""
    ends = end_offsets(servers)
    try:
        stored = {
            int(str(row[0])): int(str(row[1]))
            for row in servers.query(
                f"SELECT partition_id, next_offset FROM offsets WHERE topic = '{TOPIC}'"
            )
        }
        waiting = servers.query(
            "SELECT (SELECT COUNT(*) FROM parked), (SELECT COUNT(*) FROM cache_outbox)"
        )
    except pymysql.err.MySQLError:
        return False
    return stored == ends and waiting == [(0, 0)]


def end_offsets(servers: Stack) -> dict[int, int]:
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": servers.kafka.direct, "group.id": "ends"})
    ends = {
        one: consumer.get_watermark_offsets(TopicPartition(TOPIC, one), timeout=10)[1]
        for one in range(PARTITIONS)
    }
    consumer.close()
    return ends


def assert_whole_dose(done: Counter[str]) -> None:
    assert done["worker killed"] == DOSE.workers
    assert done["mariadb killed"] == DOSE.mariadb
    assert done["kafka killed"] == DOSE.kafka
    assert done["redis killed"] == DOSE.redis


def assert_tables(servers: Stack, story: Story) -> None:
    users = {
        int(str(row[0])): dict(zip(COLUMNS, row[1:], strict=True))
        for row in servers.query(f"SELECT id, {', '.join(COLUMNS)} FROM users")
    }
    missing = sorted(set(story.users) - set(users))
    extra = sorted(set(users) - set(story.users))
    wrong = [one for one in users if one in story.users and users[one] != story.users[one]]
    assert (missing, extra, wrong) == ([], [], [])
    businesses = {
        int(str(row[0])): row[1] for row in servers.query("SELECT id, name FROM businesses")
    }
    assert businesses == story.businesses
    ratings = {
        int(str(row[0])): int(str(row[1]))
        for row in servers.query("SELECT id, business_id FROM ratings")
    }
    assert ratings == story.ratings


def assert_letters(servers: Stack, story: Story) -> None:
    """Each poison exactly once, and nothing but poison."""
    letters = servers.query(
        "SELECT partition_id, record_offset, error_class, error_message FROM dead_letters"
    )
    kinds = Counter(str(row[2]) for row in letters)
    places = {(row[0], row[1]) for row in letters}
    strange = [row for row in letters if str(row[2]) not in POISON]
    assert strange == []
    assert (len(letters), len(places)) == (story.poison, story.poison), kinds


def assert_cache(servers: Stack) -> None:
    """No value is older than the table's, none newer, and no deleted row is still there."""
    rows = {
        f"{entity}:{row[0]}": int(str(row[1]))
        for entity, table in (("User", "users"), ("Business", "businesses"), ("Rating", "ratings"))
        for row in servers.query(f"SELECT id, row_version FROM {table}")
    }
    client = redis_client.Redis(port=servers.redis.port)
    epoch = client.hget("{dbc}", "n")
    assert isinstance(epoch, bytes)
    prefix = b"{dbc}:" + epoch + b":"
    held = 0
    for key in client.scan_iter(match=prefix.decode().replace("{", "\\{") + "*", count=1000):
        value = client.get(key)
        assert isinstance(value, bytes)
        version, _, payload = value.partition(b"\n")
        name = key.removeprefix(prefix).decode()
        held += 1
        if payload:
            assert rows.get(name) == int(version), (name, rows.get(name), value)
            assert json.loads(payload)["id"] is not None
        else:
            assert name not in rows, (name, rows.get(name), value)
    client.close()
    assert held > 0


class Readers:
    """Applications that read through the cache all the while, and so race with the relay."""

    def __init__(self, servers: Stack) -> None:
        self._servers = servers
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="readers", daemon=True)
        self.reads = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(30)

    def _run(self) -> None:
        reader = CacheReader.from_url(f"redis://127.0.0.1:{self._servers.redis.port}/0")
        ident = 0
        while not self._stop.wait(0.002):
            ident = (ident + 7) % KEYS
            try:
                reader.get("User", ident, load=partial(self._load, ident))
                self.reads += 1
            except (pymysql.err.MySQLError, OSError):
                time.sleep(0.2)
        reader.close()

    def _load(self, ident: int) -> tuple[dict[str, Any], int] | None:
        with (
            self._servers.mariadb.root(DATABASE) as connection,
            connection.cursor(pymysql.cursors.DictCursor) as cursor,
        ):
            cursor.execute("SELECT id, name, email, row_version FROM users WHERE id = %s", (ident,))
            row = cursor.fetchone()
        if row is None:
            return None
        time.sleep(0.005)  # an application that takes its time: the row may be old by now
        return {"id": row["id"], "name": row["name"], "email": row["email"]}, row["row_version"]
