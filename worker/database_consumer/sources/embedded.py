"""A broker in this process that speaks the Kafka protocol on a real port: librdkafka's own.

It knows groups, offsets and pauses; a topic appears at its first use with four partitions; a
bounded amount is kept, in memory. Topic ids and configurations it does not know, so the source
does not ask.
"""

from __future__ import annotations

from confluent_kafka import Producer

from database_consumer.sources.base import SourceError
from database_consumer.sources.kafka import KafkaSource

ASK_SECONDS = 10.0
QUIET = {"log_level": 2}
"""The embedded broker closes connections at its end; that is no news."""


class EmbeddedBroker:
    """Runs until :meth:`close`; ``address`` is what clients bootstrap from."""

    def __init__(self) -> None:
        self._owner: Producer | None = Producer(
            {"bootstrap.servers": "embedded", "test.mock.num.brokers": 1} | QUIET
        )
        brokers = self._owner.list_topics(timeout=ASK_SECONDS).brokers
        if not brokers:
            raise SourceError("the embedded broker did not start")
        broker = next(iter(brokers.values()))
        self.address = f"{broker.host}:{broker.port}"

    def close(self) -> None:
        """Ends the broker; everything that it held is gone."""
        self._owner = None


class EmbeddedSource(KafkaSource):
    """A Kafka source that does not ask for what the embedded broker cannot answer."""

    def topic_id(self, topic: str) -> str | None:
        """None: its topics have no id."""
        del topic
        return None

    def retention_seconds(self, topic: str) -> float | None:
        """None: unknown."""
        del topic
        return None
