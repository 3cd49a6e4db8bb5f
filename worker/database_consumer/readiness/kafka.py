"""Kafka, asked in the order in which a client needs it."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from database_consumer.readiness import wire
from database_consumer.readiness.answers import ASK_SECONDS, READY, Answer, Outcome
from database_consumer.readiness.interruptible import interruptible

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError
    from confluent_kafka.admin import AdminClient, ClusterMetadata


_FIRST_SECONDS = 0.1
_FIRST_PLAIN_SECONDS = 0.5
"""How long the coordinator is waited for at first: see :meth:`KafkaProbe._coordinator`."""
_SETTINGS = "check KAFKA_SECURITY_PROTOCOL and the KAFKA_SASL_ and KAFKA_SSL_ settings"


class KafkaProbe:
    """Kafka, in the order in which a client needs it.

    Metadata with a controller and the expected number of brokers; each advertised address dialled;
    the topics there; every partition with a leader and enough replicas in sync; offsets answered by
    the leaders themselves, so that stale metadata shows; the group's coordinator answering.
    """

    service = "kafka"

    def __init__(
        self,
        config: Mapping[str, str | int | float | bool],
        *,
        topics: Sequence[str],
        group: str | None = None,
        brokers: int = 1,
    ) -> None:
        self._config = dict(config)
        self._topics = tuple(topics)
        self._group = group
        self._brokers = brokers
        self._refused = ""
        self._in_sync: dict[str, int] = {}
        self._servers = str(self._config["bootstrap.servers"])
        protocol = str(self._config.get("security.protocol", "plaintext"))
        self._plain = protocol.lower() == "plaintext"
        self._patience = _FIRST_PLAIN_SECONDS if self._plain else _FIRST_SECONDS
        self._called = False
        self._admin: AdminClient | None = None
        self._consumer: Consumer | None = None

    @property
    def admin(self) -> AdminClient:
        """The client that it asks with; worth asking once :meth:`reach` was READY."""
        from confluent_kafka.admin import AdminClient

        if self._admin is None:
            own: dict[str, Any] = {
                "error_cb": self._error,
                "logger": logging.getLogger("librdkafka"),
            }
            self._admin = AdminClient(self._config | own)
        return self._admin

    def reach(self) -> Answer:
        """Whether the brokers are there, with a controller, where they say that they are."""
        return self._look()

    def look(self) -> Answer:
        """See :class:`Probe`."""
        return self._look(self._led, self._ends, self._coordinator)

    def _look(self, *further: Callable[[ClusterMetadata], Answer]) -> Answer:
        from confluent_kafka import KafkaException

        try:
            admin = self.admin
        except KafkaException as error:
            return Answer(outcome=Outcome.WRONG, why=_words(error), mend=_SETTINGS)
        # A client would look for the broker at its own pace.
        why = (wire.silent if self._plain else wire.undialled)(self._servers)
        if why:
            return Answer(outcome=Outcome.NOT_YET, why=why, cause="broker-unreachable")
        self._call()
        try:
            found = interruptible(lambda: admin.list_topics(timeout=ASK_SECONDS))
            for step in (self._reachable, *further):
                answer = step(found)
                if answer is not READY:
                    return answer
        except (KafkaException, TimeoutError) as error:
            return self._refusal() or Answer(
                outcome=Outcome.NOT_YET, why=_words(error), cause="broker-unreachable"
            )
        return READY

    def _call(self) -> None:
        """Ask for the group's coordinator, once, and leave the answer to a later look.

        The first one who asks has the broker make the topic that coordinators keep their offsets
        in, which takes it up to a second: time in which the rest can be looked at.
        """
        if self._group is None or self._called:
            return
        self._called = True
        if self._plain:
            wire.call_coordinator(self._servers, self._group)
        else:
            self._member(self._group)

    def close(self) -> None:
        """See :class:`Probe`."""
        self._admin = None
        self._dismiss()

    def _reachable(self, found: ClusterMetadata) -> Answer:
        if len(found.brokers) < self._brokers:
            why = f"{len(found.brokers)} of {self._brokers} brokers"
            return Answer(outcome=Outcome.NOT_YET, why=why, cause="broker-unreachable")
        if found.controller_id < 0:
            return Answer(
                outcome=Outcome.NOT_YET, why="no controller yet", cause="kafka-leader-election"
            )
        for broker in found.brokers.values():
            if why := _cannot_dial(str(broker.host), int(broker.port)):
                return Answer(
                    outcome=Outcome.NOT_YET,
                    why=f"the broker says that it is at {broker.host}:{broker.port}: {why}",
                    mend="set advertised.listeners to an address that clients can dial",
                    cause="kafka-advertised-listener",
                )
        return READY

    def _led(self, found: ClusterMetadata) -> Answer:
        wanted = self._in_sync_wanted(name for name in self._topics if name in found.topics)
        for topic in self._topics:
            answer = self._topic(topic, found.topics.get(topic), wanted.get(topic, 1))
            if answer is not READY:
                return answer
        return READY

    def _topic(self, name: str, found: object | None, wanted: int) -> Answer:
        partitions = getattr(found, "partitions", {})
        if found is None or getattr(found, "error", None) is not None or not partitions:
            return Answer(
                outcome=Outcome.NOT_YET,
                why=f"topic {name} is not there",
                mend=f"create topic {name}",
            )
        for number, partition in partitions.items():
            if partition.leader < 0:
                return Answer(
                    outcome=Outcome.NOT_YET,
                    why=f"{name}[{number}] has no leader yet",
                    cause="kafka-leader-election",
                )
            if len(partition.isrs) < wanted:
                return Answer(
                    outcome=Outcome.NOT_YET,
                    why=f"{name}[{number}]: {len(partition.isrs)} of {wanted} replicas in sync",
                    cause="kafka-leader-election",
                )
        return READY

    def _in_sync_wanted(self, topics: Iterable[str]) -> Mapping[str, int]:
        """Each topic's ``min.insync.replicas``, asked for once."""
        from confluent_kafka.admin import ConfigResource, ResourceType

        new = [
            ConfigResource(ResourceType.TOPIC, name) for name in topics if name not in self._in_sync
        ]
        answers = self.admin.describe_configs(new, request_timeout=ASK_SECONDS) if new else {}
        for resource, answer in answers.items():
            settings = answer.result(ASK_SECONDS + 1)
            self._in_sync[resource.name] = int(settings["min.insync.replicas"].value)
        return self._in_sync

    def _ends(self, found: ClusterMetadata) -> Answer:
        from confluent_kafka import TopicPartition
        from confluent_kafka.admin import OffsetSpec

        wanted = {
            TopicPartition(topic, number): OffsetSpec.latest()  # type: ignore[no-untyped-call]
            for topic in self._topics
            for number in found.topics[topic].partitions
        }
        for future in (
            self.admin.list_offsets(wanted, request_timeout=ASK_SECONDS).values() if wanted else ()
        ):
            future.result(ASK_SECONDS + 1)
        return READY

    def _coordinator(self, _found: ClusterMetadata) -> Answer:
        """FindCoordinator and OffsetFetch, by a consumer that joins nothing.

        The admin client's call for it ends the process where the coordinator has just moved or
        still loads: librdkafka takes that client for a member (confluent-kafka-javascript#374).
        A consumer that found no coordinator asks again after a second, a new one at once: so the
        one is dismissed for the other, and each is given twice the time of the one before. Where
        bare questions are understood, they come first.
        """
        from confluent_kafka import KafkaException, TopicPartition

        if self._group is None or not self._topics:
            return READY
        if self._plain and (why := wire.coordinator_pending(self._servers, self._group)):
            return self._no_coordinator(why)
        asked = [TopicPartition(self._topics[0], 0)]
        try:
            member, patience = self._member(self._group), self._patience
            found = interruptible(lambda: member.committed(asked, timeout=patience))
            why = "".join(str(one.error) for one in found if one.error is not None)
        except (KafkaException, TimeoutError) as error:
            why = "no answer yet" if _is_late(error) else _words(error)
        if not why:
            return READY
        self._dismiss()
        self._patience = min(2 * self._patience, ASK_SECONDS)
        return self._refusal() or self._no_coordinator(why)

    def _no_coordinator(self, why: str) -> Answer:
        return Answer(
            outcome=Outcome.NOT_YET,
            why=f"the coordinator of group {self._group}: {why}",
            cause="kafka-coordinator-unavailable",
        )

    def _member(self, group: str) -> Consumer:
        from confluent_kafka import Consumer

        if self._consumer is None:
            own: dict[str, Any] = {
                "group.id": group,
                "enable.auto.commit": False,
                "error_cb": self._error,
                "logger": logging.getLogger("librdkafka"),
            }
            self._consumer = Consumer(self._config | own)
        return self._consumer

    def _dismiss(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _error(self, error: KafkaError) -> None:
        from confluent_kafka import KafkaError

        if error.code() in {KafkaError._AUTHENTICATION, KafkaError._SSL}:  # noqa: SLF001 -- the client's names
            self._refused = error.str()

    def _refusal(self) -> Answer | None:
        self.admin.poll(0)
        if not self._refused:
            return None
        return Answer(
            outcome=Outcome.WRONG,
            why=self._refused,
            mend=_SETTINGS,
        )


def _cannot_dial(host: str, port: int) -> str:
    try:
        with socket.create_connection((host, port), timeout=ASK_SECONDS):
            return ""
    except OSError as error:
        return str(error)


def _is_late(error: BaseException) -> bool:
    from confluent_kafka import KafkaError

    code = getattr(error.args[0] if error.args else None, "code", lambda: None)
    return isinstance(error, TimeoutError) or code() == KafkaError._TIMED_OUT  # noqa: SLF001 -- the client's name


def _words(error: BaseException) -> str:
    first = error.args[0] if error.args else error
    text = getattr(first, "str", None)
    return str(text()) if callable(text) else str(error) or type(error).__name__
