"""Kafka, MariaDB and Redis together, each behind a proxy that can fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pymysql

from .kafka import KafkaServer, KafkaVersion, kafka_server
from .mariadb import MariaDb, running
from .programs import free_port
from .proxy import Proxy, proxy_to
from .redis import RedisServer, redis_server

TOPIC = "db-operations-buffer"
LETTERS = "dead-letter-queue"
DATABASE = "chaos"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Servers, and the proxies through which workers see them."""

    kafka: KafkaServer
    mariadb: MariaDb
    redis: RedisServer
    to_kafka: Proxy
    to_mariadb: Proxy
    to_redis: Proxy

    def settings(self, **more: str) -> dict[str, str]:
        """What a worker's environment holds: quick checks, everything through the proxies."""
        return {
            "DATABASE_URL": self.mariadb.url(DATABASE, port=self.to_mariadb.port),
            "REDIS_URL": f"redis://127.0.0.1:{self.to_redis.port}/0",
            "KAFKA_BROKERS": self.kafka.address,
            "TOPIC_DB_OPERATIONS": TOPIC,
            "CONSUMER_SESSION_TIMEOUT": "3000",
            "CONSUMER_HEARTBEAT_INTERVAL": "500",
            "DB_RECONNECT_INTERVAL": "500",
            "RETRY_DELAY_MS": "200",
        } | more

    def query(self, statement: str) -> list[tuple[object, ...]]:
        """Rows of the database, read past the proxy."""
        connection: pymysql.connections.Connection = self.mariadb.root(DATABASE)
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())


@contextmanager
def stack(folder: Path, version: KafkaVersion, *, partitions: int = 4) -> Iterator[Stack]:
    """All of it running, the topics created, the database empty; ended on the way out."""
    with ExitStack() as end:
        port = free_port()
        kafka = end.enter_context(kafka_server(folder / "kafka", version, advertised_port=port))
        to_kafka = Proxy(("127.0.0.1", kafka.port), port=port)
        end.callback(to_kafka.close)
        kafka.create_topic(TOPIC, partitions)
        kafka.create_topic(LETTERS, 1)
        mariadb = end.enter_context(running(folder / "mariadb"))
        mariadb.database(DATABASE)
        redis = end.enter_context(redis_server(folder / "redis"))
        yield Stack(
            kafka=kafka,
            mariadb=mariadb,
            redis=redis,
            to_kafka=to_kafka,
            to_mariadb=end.enter_context(proxy_to(mariadb.port)),
            to_redis=end.enter_context(proxy_to(redis.port)),
        )
