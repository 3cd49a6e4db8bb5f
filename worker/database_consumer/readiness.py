"""Ready by the real protocol: what a client needs is asked for, from where clients run.

A listener that accepts proves nothing: Kafka answers TCP seconds before metadata, metadata before
leaders, leaders before the group's coordinator. Each probe answers ready, not yet (why) or wrong
(why, and the mend); wrong ends the wait at once. Ready counts when it was seen twice in a row.

One module, though a long one, because others take it as it is: it imports nothing of the package.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError
    from confluent_kafka.admin import AdminClient

IN_A_ROW = 2
ASK_SECONDS = 4.0
_WRONG_DATABASE = {
    1044: "grant the user its database",
    1045: "check DB_USER and DB_PASSWORD",
    1049: "create the database that DB_NAME names",
    1698: "this user logs in by socket only: use another, or give it a password",
    2026: "check the TLS settings of client and server",
    2059: "the server's authentication plugin is not available to this driver",
    2061: "the server's authentication plugin is not available to this driver",
}


class Outcome(StrEnum):
    """What a probe found."""

    READY = "ready"
    NOT_YET = "not yet"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One look; ``cause`` is a cause code of the stack where one fits."""

    outcome: Outcome
    why: str = ""
    mend: str = ""
    cause: str = ""


READY = Answer(outcome=Outcome.READY)


class Probe(Protocol):
    """One service to wait for."""

    @property
    def service(self) -> str:
        """Its name in messages."""

    def look(self) -> Answer:
        """Ask once; takes a few seconds at most and raises nothing."""

    def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A change of a service's answer, seconds after the wait began."""

    at: float
    service: str
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a wait ended; ``last`` is every service's last answer."""

    ready: bool
    seconds: float
    last: Mapping[str, Answer]
    timeline: tuple[Moment, ...]

    @property
    def missing(self) -> Mapping[str, Answer]:
        """The services that are not ready."""
        return {
            name: answer
            for name, answer in self.last.items()
            if answer.outcome is not Outcome.READY
        }


@dataclass(slots=True, kw_only=True)
class _Seen:
    answer: Answer | None = None
    in_a_row: int = 0


def wait_ready(
    probes: Sequence[Probe],
    *,
    timeout: float,
    pause: float = 0.3,
    tell: Callable[[Moment], None] = lambda _moment: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Report:
    """Looks at every service until all are ready, one is wrong, or ``timeout`` seconds are over."""
    begin = clock()
    seen = {probe.service: _Seen() for probe in probes}
    timeline: list[Moment] = []

    def report(*, ready: bool) -> Report:
        not_yet = Answer(outcome=Outcome.NOT_YET, why="not asked")
        last = {name: one.answer or not_yet for name, one in seen.items()}
        return Report(ready=ready, seconds=clock() - begin, last=last, timeline=tuple(timeline))

    while True:
        for probe in probes:
            state = seen[probe.service]
            if state.in_a_row >= IN_A_ROW:
                continue
            answer = probe.look()
            if answer != state.answer:
                moment = Moment(at=clock() - begin, service=probe.service, answer=answer)
                timeline.append(moment)
                tell(moment)
            state.answer = answer
            state.in_a_row = state.in_a_row + 1 if answer.outcome is Outcome.READY else 0
            if answer.outcome is Outcome.WRONG:
                return report(ready=False)
        if all(state.in_a_row >= IN_A_ROW for state in seen.values()):
            return report(ready=True)
        if clock() - begin >= timeout:
            return report(ready=False)
        sleep(max(0.0, min(pause, timeout - (clock() - begin))))


@dataclass(slots=True, kw_only=True)
class DatabaseProbe:
    """The database by a ping of a store, which writes: a read-only server is not ready.

    ``ping`` raises an exception with a ``code`` (the driver's error number, or None).
    """

    ping: Callable[[], None]
    end: Callable[[], None] = lambda: None
    service: str = "database"

    def look(self) -> Answer:
        """See :class:`Probe`."""
        try:
            self.ping()
        except Exception as error:  # noqa: BLE001 -- every driver has its own; none may end the wait
            code = _code(error)
            if code in _WRONG_DATABASE:
                mend = _WRONG_DATABASE[code]
                return Answer(outcome=Outcome.WRONG, why=str(error), mend=mend)
            return Answer(outcome=Outcome.NOT_YET, why=str(error), cause="mysql-not-ready")
        return READY

    def close(self) -> None:
        """See :class:`Probe`."""
        self.end()


@dataclass(slots=True, kw_only=True)
class RedisProbe:
    """Redis by PING, which is refused while it loads and without the right password."""

    url: str
    options: Mapping[str, str] = field(default_factory=dict)
    service: str = "redis"

    def look(self) -> Answer:
        """See :class:`Probe`."""
        import redis

        try:
            link = redis.Redis.from_url(
                self.url,
                socket_timeout=ASK_SECONDS,
                socket_connect_timeout=ASK_SECONDS,
                retry=None,
                **self.options,
            )
            with link:
                link.ping()
        except redis.AuthenticationError as error:
            mend = "check REDIS_PASSWORD (and REDIS_USERNAME)"
            return Answer(outcome=Outcome.WRONG, why=str(error), mend=mend, cause="redis-auth")
        except (redis.RedisError, OSError) as error:
            if "NOAUTH" in str(error).upper() or "WRONGPASS" in str(error).upper():
                return Answer(
                    outcome=Outcome.WRONG,
                    why=str(error),
                    mend="set REDIS_PASSWORD",
                    cause="redis-auth",
                )
            return Answer(outcome=Outcome.NOT_YET, why=str(error))
        return READY

    def close(self) -> None:
        """See :class:`Probe`."""


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
        self._admin: AdminClient | None = None
        self._consumer: Consumer | None = None

    def look(self) -> Answer:
        """See :class:`Probe`."""
        from confluent_kafka import KafkaException

        try:
            for step in (self._metadata, self._offsets, self._coordinator):
                answer = step()
                if answer is not READY:
                    return answer
        except (KafkaException, TimeoutError) as error:
            return self._refusal() or Answer(
                outcome=Outcome.NOT_YET, why=_words(error), cause="broker-unreachable"
            )
        return READY

    def close(self) -> None:
        """See :class:`Probe`."""
        self._admin = None
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _metadata(self) -> Answer:
        found = self._client().list_topics(timeout=ASK_SECONDS)
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
        for topic in self._topics:
            answer = self._topic(topic, found.topics.get(topic))
            if answer is not READY:
                return answer
        return READY

    def _topic(self, name: str, found: object | None) -> Answer:
        partitions = getattr(found, "partitions", {})
        if found is None or getattr(found, "error", None) is not None or not partitions:
            return Answer(
                outcome=Outcome.NOT_YET,
                why=f"topic {name} is not there",
                mend=f"create topic {name}",
            )
        wanted = self._in_sync_wanted(name)
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

    def _in_sync_wanted(self, topic: str) -> int:
        from confluent_kafka.admin import ConfigResource, ResourceType

        resource = ConfigResource(ResourceType.TOPIC, topic)
        answers = self._client().describe_configs([resource], request_timeout=ASK_SECONDS)
        found = answers[resource].result(ASK_SECONDS + 1)
        return int(found["min.insync.replicas"].value)

    def _offsets(self) -> Answer:
        from confluent_kafka import TopicPartition
        from confluent_kafka.admin import OffsetSpec

        found = self._client().list_topics(timeout=ASK_SECONDS).topics
        wanted = {
            TopicPartition(topic, number): OffsetSpec.latest()  # type: ignore[no-untyped-call]
            for topic in self._topics
            for number in found[topic].partitions
        }
        for future in (
            self._client().list_offsets(wanted, request_timeout=ASK_SECONDS).values()
            if wanted
            else ()
        ):
            future.result(ASK_SECONDS + 1)
        return READY

    def _coordinator(self) -> Answer:
        """FindCoordinator and OffsetFetch, by a consumer that joins nothing.

        The admin client's call for it ends the process where the coordinator has just moved or
        still loads: librdkafka takes that client for a member (confluent-kafka-javascript#374).
        """
        from confluent_kafka import KafkaException, TopicPartition

        if self._group is None or not self._topics:
            return READY
        asked = [TopicPartition(self._topics[0], 0)]
        try:
            found = self._member(self._group).committed(asked, timeout=ASK_SECONDS)
            why = "".join(str(one.error) for one in found if one.error is not None)
        except (KafkaException, TimeoutError) as error:
            why = _words(error)
        if not why:
            return READY
        return self._refusal() or Answer(
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

    def _client(self) -> AdminClient:
        from confluent_kafka.admin import AdminClient

        if self._admin is None:
            own: dict[str, Any] = {
                "error_cb": self._error,
                "logger": logging.getLogger("librdkafka"),
            }
            self._admin = AdminClient(self._config | own)
        return self._admin

    def _error(self, error: KafkaError) -> None:
        from confluent_kafka import KafkaError

        if error.code() in {KafkaError._AUTHENTICATION, KafkaError._SSL}:  # noqa: SLF001 -- the client's names
            self._refused = error.str()

    def _refusal(self) -> Answer | None:
        self._client().poll(0)
        if not self._refused:
            return None
        return Answer(
            outcome=Outcome.WRONG,
            why=self._refused,
            mend="check KAFKA_SECURITY_PROTOCOL and the KAFKA_SASL_ and KAFKA_SSL_ settings",
        )


def _code(error: BaseException | None) -> int | None:
    """The driver's error number, wherever in the chain it stands."""
    while error is not None:
        first = error.args[0] if error.args else None
        for found in (getattr(error, "code", None), first):
            if isinstance(found, int):
                return found
        error = error.__cause__
    return None


def _cannot_dial(host: str, port: int) -> str:
    try:
        with socket.create_connection((host, port), timeout=ASK_SECONDS):
            return ""
    except OSError as error:
        return str(error)


def _words(error: BaseException) -> str:
    first = error.args[0] if error.args else error
    text = getattr(first, "str", None)
    return str(text()) if callable(text) else str(error) or type(error).__name__
