"""The whole worker against whole peers: one Kafka, one MariaDB, one Redis, the same rows.

Every program finds its backlog published and an empty table of the same form; its speed is taken
from the first rows that are seen in the table to the last, the worker's until its cache has been
told as well. The programs take turns, so that a machine that slows down slows all.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from connect import connect, libraries
from figures import Figure
from servers.consumer import ConsumerProcess
from servers.kafka import KafkaVersion
from servers.mariadb import PASSWORD
from servers.programs import Program, ServerError, need
from servers.stack import TOPIC, Stack, stack
from stores import message, rows_from

from database_consumer.stores.opening import open_mysql

WITH_SCHEMA = "users-with-schema"
PARTITIONS = 4
LOOK_SECONDS = 0.05
LAST_IDS = 100
START_SECONDS = 180.0

_SCHEMA = {
    "type": "struct",
    "name": "User",
    "optional": False,
    "fields": [
        {"field": "id", "type": "string", "optional": False},
        {"field": "name", "type": "string", "optional": False},
        {"field": "email", "type": "string", "optional": False},
        {"field": "phone", "type": "string", "optional": True},
        {"field": "role", "type": "string", "optional": True},
        {"field": "active", "type": "boolean", "optional": True},
    ],
}


def publish(servers: Stack, topic: str, values: Iterable[bytes]) -> None:
    producer = Producer({"bootstrap.servers": servers.kafka.direct, "linger.ms": 50})
    for ident, value in enumerate(values):
        while True:
            try:
                producer.produce(topic, value, f"User:{ident}".encode())
                break
            except BufferError:
                producer.poll(0.1)
    if producer.flush(120):
        raise ServerError(f"the backlog of {topic} could not be published")


def operations(count: int) -> Iterator[bytes]:
    for number, row in enumerate(rows_from(0, count)):
        yield message("CREATE", row, number)


def with_schema(count: int) -> Iterator[bytes]:
    for row in rows_from(0, count):
        payload = row | {"id": str(row["id"])}
        yield json.dumps({"schema": _SCHEMA, "payload": payload}).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """How many rows were written in how many seconds."""

    rows: int
    seconds: float

    def __add__(self, other: Taken) -> Taken:
        return Taken(rows=self.rows + other.rows, seconds=self.seconds + other.seconds)

    @property
    def speed(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds


class Course:
    """A backlog and the servers; each ``run_…`` writes it into a new database."""

    def __init__(self, servers: Stack, folder: Path, count: int) -> None:
        self._servers = servers
        self._folder = folder
        self._count = count
        self._runs = 0

    def _database(self) -> str:
        self._runs += 1
        name = f"run{self._runs}"
        store = open_mysql(self._servers.mariadb.database(name))
        store.open()
        store.ensure_schema()
        store.close()
        return name

    def run_worker(self) -> Taken:
        """Ours, with the cache told; a group of its own each time."""
        name = self._database()
        settings = {
            "DATABASE_URL": self._servers.mariadb.url(name),
            "REDIS_URL": self._servers.redis.url,
            "KAFKA_BROKERS": self._servers.kafka.direct,
            "KAFKA_GROUP_ID": f"worker-{name}",
            "CACHE_NAMESPACE": name,
            "TOPIC_DB_OPERATIONS": TOPIC,
            "LOG_LEVEL": "warning",
        }
        worker = ConsumerProcess(self._folder / name, settings)
        try:
            worker.start()
            taken = self._watch(name, worker.program, self._count, told=True)
        finally:
            worker.stop()
        return taken

    def run_kafkajs(self, program: Path, count: int) -> Taken:
        """The original's stack, over the first ``count`` messages."""
        name = self._database()
        environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": self._servers.mariadb.url(name),
            "REDIS_URL": self._servers.redis.url,
            "KAFKA_BROKERS": self._servers.kafka.direct,
            "TOPIC_DB_OPERATIONS": TOPIC,
        }
        words = [need("node"), "consumer.js"]
        log = self._folder / f"{name}.log"
        peer = Program(words, log=log, folder=program, environment=environment)
        return self._run(peer, name, count)

    def run_connect(self, jars: Path) -> Taken:
        """Kafka Connect, without a cache."""
        name = self._database()
        peer = connect(
            self._folder / name,
            jars,
            brokers=self._servers.kafka.direct,
            topic=WITH_SCHEMA,
            database_port=self._servers.mariadb.port,
            database=name,
            user="worker",
            password=PASSWORD,
        )
        return self._run(peer, name, self._count, group="connect-sink")

    def _run(self, peer: Program, name: str, count: int, *, group: str = "") -> Taken:
        try:
            peer.start()
            return self._watch(name, peer, count)
        finally:
            peer.stop()
            if group:
                self._forget_group(group)

    def _forget_group(self, group: str) -> None:
        """So that the next run begins at the beginning."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        admin = AdminClient({"bootstrap.servers": self._servers.kafka.direct})
        for _ in range(40):
            try:
                admin.delete_consumer_groups([group], request_timeout=10)[group].result(11)
            except KafkaException:
                time.sleep(0.5)
            else:
                return
        raise ServerError(f"the group {group} cannot be forgotten")

    def _watch(self, name: str, program: Program, count: int, *, told: bool = False) -> Taken:
        """From the first rows seen to the last, and, ``told``, until no cache intent is left.

        A look must cost the server next to nothing: to count a growing table twenty times a second
        takes as much of it as a whole program does. So of a whole backlog the last ids are looked
        for, and all is counted when they are there.
        """
        connection: Any = self._servers.mariadb.root(name)
        deadline = time.monotonic() + START_SECONDS
        whole = count == self._count
        last = ", ".join(f"'{one}'" for one in range(max(count - LAST_IDS, 0), count))
        ends = f"SELECT COUNT(*) >= {min(count, LAST_IDS)} FROM users WHERE id IN ({last})"
        with connection, connection.cursor() as cursor:

            def one(query: str) -> int:
                cursor.execute(query)
                return int(cursor.fetchone()[0])

            def look(query: str) -> None:
                while not one(query):
                    if not program.running:
                        raise ServerError(f"it ended:\n{program.tail()}")
                    if not begun and time.monotonic() > deadline:
                        raise ServerError(f"no row within {START_SECONDS} s:\n{program.tail()}")
                    time.sleep(LOOK_SECONDS)

            begun = 0
            look("SELECT EXISTS (SELECT 1 FROM users)")
            first, begun = time.monotonic(), one("SELECT COUNT(*) FROM users")
            if whole:
                look(ends)
            look(f"SELECT COUNT(*) >= {count} FROM users")
            if told:
                look("SELECT NOT EXISTS (SELECT 1 FROM cache_outbox)")
            rows = count if whole else one("SELECT COUNT(*) FROM users")
            return Taken(rows=rows - begun, seconds=time.monotonic() - first)


@contextmanager
def course(folder: Path, count: int, *, schema: bool = False) -> Iterator[Course]:
    """Servers with the backlog, ended on the way out."""
    with stack(folder, KafkaVersion.KRAFT, partitions=PARTITIONS) as servers:
        publish(servers, TOPIC, operations(count))
        if schema:
            servers.kafka.create_topic(WITH_SCHEMA, PARTITIONS)
            publish(servers, WITH_SCHEMA, with_schema(count))
        yield Course(servers, folder, count)


def kafkajs(folder: Path, count: int) -> list[Figure]:
    """The whole worker against kafkajs, Sequelize, mysql2 and redis."""
    program = folder / "kafkajs"
    shutil.copytree(Path(__file__).parent / "kafkajs", program)
    words = [need("npm"), "install", "--no-audit", "--no-fund", "--no-package-lock", "--silent"]
    subprocess.run(words, cwd=program, check=True, timeout=600)
    few = max(count // 20, 1_000)
    with course(folder / "servers", count) as made:
        ours = theirs = Taken(rows=0, seconds=0.0)
        for _ in range(2):
            ours += made.run_worker()
            theirs += made.run_kafkajs(program, few)
    return [
        Figure(
            work="worker, Redis included",
            ours=ours.speed,
            peer="kafkajs, Sequelize, mysql2, redis",
            theirs=theirs.speed,
            at_least=20,
        )
    ]


def kafka_connect(folder: Path, count: int) -> list[Figure]:
    """The whole worker, cache included, against Kafka Connect without a cache."""
    jars = libraries(folder)
    with course(folder / "servers", count, schema=True) as made:
        ours = theirs = Taken(rows=0, seconds=0.0)
        for _ in range(2):
            ours += made.run_worker()
            theirs += made.run_connect(jars)
    return [
        Figure(
            work="worker, Redis included",
            ours=ours.speed,
            peer="Kafka Connect, Debezium JDBC sink, no cache",
            theirs=theirs.speed,
            at_least=1.5,
        )
    ]
