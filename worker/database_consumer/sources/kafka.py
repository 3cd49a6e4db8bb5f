"""Kafka as a source, through confluent-kafka, with the traps of its batch calls closed.

`consume` fills its batch or its time, so slices are short; it has returned records of revoked
partitions and skipped offsets around a pause (librdkafka #4235, confluent-kafka-python #1013), so
whoever queues the records checks each against the assignment and the expected offset. A pause is
asserted again whenever a partition is assigned, because whether it survives differs by version.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from database_consumer.logs import logger
from database_consumer.settings import Settings
from database_consumer.sources.base import Lag, Listener, OffsetLost, Partition, SourceError
from database_consumer.stores.base import Record

ASK_SECONDS = 5.0
"""How long a question to the broker may take inside a rebalance."""

REFUSED_SECONDS = 30.0
"""How often a refused login is told of."""

_REFUSALS = {
    KafkaError._AUTHENTICATION: "check KAFKA_SASL_MECHANISM, _USERNAME and _PASSWORD",  # noqa: SLF001 -- the client's names
    KafkaError._SSL: "check KAFKA_SSL_CA and the other KAFKA_SSL_ settings",  # noqa: SLF001
}

ENDS_SECONDS = 5.0
"""How old the ends of a paused partition may be: nothing is fetched that would tell them."""

ENDS_TIMEOUT = 0.3

_log = logger("kafka")


def client_config(settings: Settings) -> dict[str, Any]:
    """What every Kafka client of this process is configured with: brokers, identity, TLS, SASL."""
    config: dict[str, Any] = {
        "bootstrap.servers": settings.kafka_brokers,
        "client.id": settings.kafka_client_id,
        "security.protocol": settings.kafka_security_protocol,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 1_000,
        "socket.keepalive.enable": True,
        "broker.address.family": "any",
    }
    optional = {
        "sasl.mechanism": settings.kafka_sasl_mechanism,
        "sasl.username": settings.kafka_sasl_username,
        "sasl.password": settings.kafka_sasl_password.get_secret_value(),
        "ssl.ca.location": settings.kafka_ssl_ca,
        "ssl.certificate.location": settings.kafka_ssl_cert,
        "ssl.key.location": settings.kafka_ssl_key,
        "ssl.key.password": settings.kafka_ssl_key_password.get_secret_value(),
    }
    config |= {name: str(value) for name, value in optional.items() if value}
    return config


def consumer_config(settings: Settings) -> dict[str, Any]:
    """The group member's configuration; offsets belong to the database, not to Kafka."""
    config = client_config(settings) | {
        "group.id": settings.kafka_group_id,
        "session.timeout.ms": settings.consumer_session_timeout,
        "heartbeat.interval.ms": settings.consumer_heartbeat_interval,
        "max.poll.interval.ms": settings.consumer_max_poll_interval,
        "partition.assignment.strategy": "cooperative-sticky",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "allow.auto.create.topics": False,
        "isolation.level": "read_committed",
        "topic.metadata.refresh.interval.ms": 10_000,
        "fetch.wait.max.ms": 100,
        "fetch.queue.backoff.ms": 50,
        "queued.min.messages": settings.queue_max_records,
        "queued.max.messages.kbytes": max(1, settings.queue_max_bytes // 1024),
    }
    if settings.kafka_group_instance_id:
        config["group.instance.id"] = settings.kafka_group_instance_id
    return config


class KafkaSource:
    """The group's member: see :class:`database_consumer.sources.base.Source`."""

    exhausted = False

    def __init__(self, settings: Settings, **overrides: str | float | bool) -> None:
        self._settings = settings
        self._overrides = overrides
        self._consumer: Consumer | None = None
        self._admin: AdminClient | None = None
        self._listener: Listener | None = None
        self._assigned: set[Partition] = set()
        self._paused: set[Partition] = set()
        self._away = False
        self._next_refusal = 0.0
        self._ends: dict[Partition, tuple[float, Lag | None]] = {}
        self._ask_ends_at = 0.0
        self._trouble: SourceError | None = None
        self._names: dict[str, str] = {}

    @property
    def assigned(self) -> frozenset[Partition]:
        """The partitions that this member reads now."""
        return frozenset(self._assigned)

    def open(self, listener: Listener) -> None:
        """Join the group; the first assignment comes with a later poll."""
        self._listener = listener
        config = consumer_config(self._settings) | self._overrides
        config |= {"error_cb": self._client_error, "logger": logging.getLogger("librdkafka")}
        self._consumer = Consumer(config)
        topic = self._settings.topic_db_operations
        self._consumer.subscribe(
            [topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )
        _log.info("subscribed", topic=topic, group=self._settings.kafka_group_id)

    def poll(self, limit: int, timeout: float) -> Sequence[Record]:
        """See the protocol; a rebalance happens in here."""
        try:
            messages = self._client.consume(limit, timeout)
        except KafkaException as refused:
            raise SourceError(f"Kafka refuses to be read: {refused}") from refused
        if self._trouble is not None:
            raise self._trouble
        if messages and self._away:
            self._away = False
            _log.info("kafka back")
        out: list[Record] = []
        names = self._names
        for message in messages:
            error = message.error()
            if error is not None:
                self._message_error(message, error)
                continue
            topic = message.topic() or ""
            topic = names.setdefault(topic, topic)
            out.append(
                Record(
                    topic,
                    message.partition() or 0,
                    message.offset() or 0,
                    message.key(),
                    message.value(),
                    max(message.timestamp()[1], 0),
                    _headers(message),
                )
            )
        return out

    def place(self, partition: Partition, offset: int | None) -> bool:
        """See the protocol; False while the broker or the fetcher is not there yet."""
        if partition not in self._assigned:
            return True
        try:
            start = self._start(partition) if offset is None else offset
            self._client.seek(TopicPartition(partition.topic, partition.partition, start))
        except KafkaException as error:
            _log.debug("not placed yet", partition=str(partition), why=str(error))
            return False
        return True

    def pause(self, partitions: Iterable[Partition]) -> None:
        """See the protocol."""
        wanted = self._assigned.intersection(partitions) - self._paused
        self._paused |= wanted
        if wanted:
            self._client.pause(_positions(wanted))

    def resume(self, partitions: Iterable[Partition]) -> None:
        """See the protocol."""
        wanted = self._paused.intersection(partitions)
        self._paused -= wanted
        self._ends.clear()
        if wanted := wanted & self._assigned:
            self._client.resume(_positions(wanted))

    def hint(self, offsets: Mapping[Partition, int]) -> None:
        """See the protocol; a hint that cannot be given is dropped."""
        mine = [
            TopicPartition(partition.topic, partition.partition, offset)
            for partition, offset in offsets.items()
            if partition in self._assigned
        ]
        if mine:
            with contextlib.suppress(KafkaException):
                self._client.commit(offsets=mine, asynchronous=True)

    def topic_id(self, topic: str) -> str | None:
        """The broker's id of the topic; None when it cannot be had now."""
        try:
            future = self._administrator.describe_topics(
                TopicCollection([topic]), request_timeout=ASK_SECONDS
            )[topic]
            found = future.result(ASK_SECONDS + 1).topic_id
        except (KafkaException, TimeoutError):
            return None
        return str(found) if found is not None else None

    def retention_seconds(self, topic: str) -> float | None:
        """The topic's `retention.ms` in seconds; None: unknown or for ever."""
        try:
            resource = ConfigResource(ResourceType.TOPIC, topic)
            future = self._administrator.describe_configs([resource], request_timeout=ASK_SECONDS)
            value = int(future[resource].result(ASK_SECONDS + 1)["retention.ms"].value)
        except (KafkaException, TimeoutError, KeyError, ValueError, TypeError):
            return None
        return value / 1000 if value >= 0 else None

    def lag(self, partition: Partition) -> Lag | None:
        """From the last fetch's answer; asked for while nothing is fetched, None when unknown."""
        if self._consumer is None or partition not in self._assigned:
            return None
        if partition in self._paused and (asked := self._asked(self._consumer, partition)):
            return asked
        try:
            ends = self._consumer.get_watermark_offsets(
                TopicPartition(partition.topic, partition.partition), cached=True
            )
        except (KafkaException, RuntimeError):
            return None
        return Lag(low=ends[0], high=ends[1]) if min(ends) >= 0 else None

    def _asked(self, consumer: Consumer, partition: Partition) -> Lag | None:
        """The broker's own answer, some seconds old; after a failure none is asked for a while."""
        now = time.monotonic()
        when, known = self._ends.get(partition, (0.0, None))
        if now < max(when + ENDS_SECONDS, self._ask_ends_at) or self._away:
            return known
        try:
            low, high = consumer.get_watermark_offsets(
                TopicPartition(partition.topic, partition.partition), timeout=ENDS_TIMEOUT
            )
        except (KafkaException, RuntimeError, TypeError):  # TypeError: None, the time was up
            self._ask_ends_at = now + ENDS_SECONDS
            return known
        self._ends[partition] = (now, Lag(low=low, high=high))
        return self._ends[partition][1]

    def close(self) -> None:
        """Leave the group: the other members get the partitions at once."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()

    @property
    def _client(self) -> Consumer:
        if self._consumer is None:
            raise SourceError("the Kafka source is not open")
        return self._consumer

    @property
    def _administrator(self) -> AdminClient:
        if self._admin is None:
            quiet = {"logger": logging.getLogger("librdkafka")}
            self._admin = AdminClient(client_config(self._settings) | quiet)
        return self._admin

    def _on_assign(self, consumer: Consumer, positions: list[TopicPartition]) -> None:
        partitions = [Partition(one.topic, one.partition) for one in positions]
        self._assigned |= set(partitions)
        try:
            starts = self._listener.assigned(partitions) if self._listener else {}
            placed = {one: self._first(one, starts) for one in partitions}
        except SourceError as error:
            self._trouble = error
            placed = dict.fromkeys(partitions)
        waiting = {one for one, start in placed.items() if start is None}
        consumer.incremental_assign(
            [
                TopicPartition(one.topic, one.partition, OFFSET_BEGINNING if s is None else s)
                for one, s in placed.items()
            ]
        )
        self._paused |= waiting
        if again := self._paused.intersection(partitions):
            consumer.pause(_positions(again))
        _log.info("assigned", partitions=[str(one) for one in partitions])

    def _first(self, partition: Partition, starts: Mapping[Partition, int | None]) -> int | None:
        """The offset to begin with; None when it cannot be known yet."""
        if partition not in starts:
            return None
        start = starts[partition]
        if start is not None:
            return start
        try:
            return self._start(partition)
        except KafkaException as error:
            _log.warning("committed offset unknown", partition=str(partition), why=str(error))
            return None

    def _start(self, partition: Partition) -> int:
        wanted = TopicPartition(partition.topic, partition.partition)
        found = self._client.committed([wanted], timeout=ASK_SECONDS)[0]
        if found.error is not None:
            raise KafkaException(found.error)
        return found.offset if found.offset >= 0 else OFFSET_BEGINNING

    def _on_revoke(self, consumer: Consumer, positions: list[TopicPartition]) -> None:
        partitions = [Partition(one.topic, one.partition) for one in positions]
        if self._listener is not None:
            self._listener.revoked(partitions)
        self._forget(partitions)
        with contextlib.suppress(KafkaException):
            consumer.incremental_unassign(positions)
        _log.info("revoked", partitions=[str(one) for one in partitions])

    def _on_lost(self, consumer: Consumer, positions: list[TopicPartition]) -> None:
        partitions = [Partition(one.topic, one.partition) for one in positions]
        if self._listener is not None:
            self._listener.lost(partitions)
        self._forget(partitions)
        with contextlib.suppress(KafkaException):
            consumer.incremental_unassign(positions)
        _log.warning("lost", partitions=[str(one) for one in partitions])

    def _forget(self, partitions: Sequence[Partition]) -> None:
        self._assigned.difference_update(partitions)
        self._paused.difference_update(partitions)

    def _client_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._trouble = SourceError(f"Kafka refuses this member for good: {error.str()}")
        elif error.code() in _REFUSALS:
            self._refused(error)
        elif error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 -- the client's own name for it
            if not self._away:
                _log.warning("kafka away", why=error.str())
            self._away = True

    def _refused(self, error: KafkaError) -> None:
        """Said once a while: the client tries again for ever, and it may be mended meanwhile."""
        now = time.monotonic()
        if now >= self._next_refusal:
            self._next_refusal = now + REFUSED_SECONDS
            _log.error("kafka refuses the login", why=error.str(), mend=_REFUSALS[error.code()])

    def _message_error(self, message: Message, error: KafkaError) -> None:
        partition = Partition(message.topic() or "", message.partition() or 0)
        if error.code() in {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}:  # noqa: SLF001
            raise OffsetLost(partition, error.str())
        if error.fatal():
            raise SourceError(f"Kafka refuses this member for good: {error.str()}")
        _log.warning("kafka error", partition=str(partition), why=error.str())


def _headers(message: Message) -> tuple[tuple[str, bytes], ...]:
    found: Any = message.headers()
    if not found:
        return ()
    return tuple(
        (name, value if isinstance(value, bytes) else str(value or "").encode())
        for name, value in found
    )


def _positions(partitions: Iterable[Partition]) -> list[TopicPartition]:
    return [TopicPartition(one.topic, one.partition) for one in partitions]
