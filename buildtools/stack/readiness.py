"""Whether a client can work with the stack: the worker's own probes, from where clients run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from buildtools.findings import Cause
from buildtools.stack.checks import health
from buildtools.stack.settings import Settings
from buildtools.stack.topics import Topic
from buildtools.stack.topics_admin import create_missing
from buildtools.stack.trouble import missing_extra

if TYPE_CHECKING:
    from database_consumer.readiness import Answer, Moment, Probe, Report

PAUSE_SECONDS = 0.02
_KEPT = (
    "MySQL keeps the DB_USER and DB_PASSWORD that its data was made with: put those back into "
    ".stack/.env, or empty everything with buildtools stack reset"
)
_ENDED = "buildtools stack status; buildtools stack up"
_EVERY_SECONDS = 3.0
_SURE = 3
"""Looks in a row after which a wrong advertised address is no moment of the start any more."""


def wait_for(
    settings: Settings,
    names: Sequence[str],
    topics: Sequence[Topic],
    *,
    timeout: float,
    tell: Callable[[Moment], None],
    create: bool = True,
    gone: Callable[[str], str] = lambda _name: "",
) -> Report:
    """Wait until the named services are ready, one is wrong, or the time is over.

    Missing topics are created on the way when ``create`` says so. ``gone`` is asked every few
    seconds why a service that is not ready never will be; nothing while it may. Raises
    :class:`buildtools.errors.BuildtoolsError` naming the extra when the worker is not installed.
    """
    try:
        from database_consumer.readiness import wait_ready
    except ImportError as error:
        raise missing_extra("database_consumer") from error
    probes = [_Watched(one, gone) for one in _probes(settings, names, topics, create=create)]
    report = wait_ready(probes, timeout=timeout, pause=PAUSE_SECONDS, tell=tell)
    # Not after an interrupt: a client that is still asked something would hold up the end.
    for probe in probes:
        probe.close()
    return report


def brokers(settings: Settings) -> str:
    """What clients bootstrap from."""
    return f"127.0.0.1:{settings.kafka_port}"


def _probes(
    settings: Settings, names: Sequence[str], topics: Sequence[Topic], *, create: bool
) -> list[Probe]:
    from database_consumer.readiness import DatabaseProbe, RedisProbe

    from buildtools.stack.mysql import ping

    url = f"redis://:{settings.redis_password}@127.0.0.1:{settings.redis_port}/0"
    every: dict[str, Callable[[], Probe]] = {
        "zookeeper": lambda: _ZooKeeperProbe(settings),
        "kafka": lambda: _StackKafka(settings, topics, create=create),
        "mysql": lambda: _StackMysql(DatabaseProbe(ping=lambda: ping(settings), service="mysql")),
        "redis": lambda: RedisProbe(url=url),
    }
    return [every[name]() for name in names]


class _Watched:
    """A probe beside which it is asked, from time to time, whether its service can still come."""

    def __init__(self, probe: Probe, gone: Callable[[str], str]) -> None:
        self.service = probe.service
        self._probe = probe
        self._gone = gone
        self._next = time.monotonic() + _EVERY_SECONDS

    def look(self) -> Answer:
        from database_consumer.readiness import Outcome

        answer = self._probe.look()
        if answer.outcome is not Outcome.NOT_YET or time.monotonic() < self._next:
            return answer
        why = self._gone(self.service)
        self._next = time.monotonic() + _EVERY_SECONDS
        return replace(answer, outcome=Outcome.WRONG, why=why, mend=_ENDED) if why else answer

    def close(self) -> None:
        self._probe.close()


class _ZooKeeperProbe:
    """ZooKeeper serves: ``srvr`` names its mode."""

    service = "zookeeper"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def look(self) -> Answer:
        from database_consumer.readiness import READY, Answer, Outcome

        why = health("zookeeper", self._settings)
        return Answer(outcome=Outcome.NOT_YET, why=why) if why else READY

    def close(self) -> None:
        """Nothing is held."""


class _StackMysql:
    """The worker's probe; here the password is the stack's own, and its data may have another."""

    service = "mysql"

    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    def look(self) -> Answer:
        from database_consumer.readiness import Outcome

        answer = self._probe.look()
        if answer.outcome is Outcome.WRONG and "(using password" in answer.why:
            return replace(answer, mend=_KEPT)
        return answer

    def close(self) -> None:
        self._probe.close()


class _StackKafka:
    """The worker's Kafka probe; the topics are settled once the broker is there.

    Here the broker is our own, so an address that cannot be dialled is wrong, not late.
    """

    service = "kafka"

    def __init__(self, settings: Settings, topics: Sequence[Topic], *, create: bool) -> None:
        from database_consumer.readiness import KafkaProbe

        config: dict[str, str | int] = {
            "bootstrap.servers": brokers(settings),
            "log_level": 0,
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 100,
        }
        self._topics = tuple(topics)
        self._create = create
        self._settled = False
        self._probe = KafkaProbe(
            config, topics=[topic.name for topic in topics], group=settings.group
        )
        self._undialled = 0

    def look(self) -> Answer:
        from database_consumer.readiness import Outcome

        answer = self._settle() or self._probe.look()
        strange = answer.cause == "kafka-advertised-listener"
        self._undialled = self._undialled + 1 if strange else 0
        if self._undialled >= _SURE:
            mend = "set KAFKA_ADVERTISED_HOST in .stack/.env to 127.0.0.1, then stack down and up"
            return replace(answer, outcome=Outcome.WRONG, mend=mend)
        return answer

    def _settle(self) -> Answer | None:
        """Why the topics cannot be settled yet; None once they are."""
        from confluent_kafka import KafkaException
        from database_consumer.readiness import READY, Answer, Outcome

        if self._settled:
            return None
        answer = self._probe.reach()
        if answer is not READY:
            return answer
        try:
            if self._create:
                create_missing(self._probe.admin, self._topics)
        except (KafkaException, TimeoutError) as error:
            why = f"the topics could not be settled: {error}"
            return Answer(outcome=Outcome.NOT_YET, why=why, cause=Cause.BROKER_UNREACHABLE)
        self._settled = True
        return None

    def close(self) -> None:
        self._probe.close()
