"""The broker's topics, by Kafka's admin protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildtools.findings import Cause
from buildtools.stack.topics import Drift, Topic, drift
from buildtools.stack.trouble import StackError, missing_extra

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """What was found: ``present`` were there, ``missing`` not, ``created`` are there now."""

    present: tuple[str, ...]
    missing: tuple[str, ...]
    created: tuple[str, ...]
    drift: tuple[Drift, ...]


def settle_topics(brokers: str, wanted: Sequence[Topic], *, create: bool) -> Topics:
    """Look at the topics, and create missing ones when asked to; nothing else is ever changed.

    Raises :class:`StackError` when the broker does not answer or refuses.
    """
    try:
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient
    except ImportError as error:
        raise missing_extra("confluent_kafka") from error
    admin = AdminClient({"bootstrap.servers": brokers, "log_level": 0})
    try:
        there = admin.list_topics(timeout=_SECONDS).topics
        missing = [topic for topic in wanted if topic.name not in there]
        counts = {
            topic.name: len(there[topic.name].partitions) for topic in wanted if topic.name in there
        }
        found = _found(admin, counts)
        if create and missing:
            _create(admin, missing)
    except (KafkaException, TimeoutError) as error:
        raise StackError(
            "the topics could not be settled",
            cause=Cause.BROKER_UNREACHABLE,
            where=brokers,
            why=str(error),
            next_step="buildtools stack wait",
        ) from error
    return Topics(
        present=tuple(found),
        missing=tuple(topic.name for topic in missing),
        created=tuple(topic.name for topic in missing) if create else (),
        drift=drift(wanted, found),
    )


def create_missing(admin: AdminClient, wanted: Sequence[Topic]) -> None:
    """Create the topics that are not there. Raises what the client raises."""
    there = admin.list_topics(timeout=_SECONDS).topics
    if missing := [topic for topic in wanted if topic.name not in there]:
        _create(admin, missing)


def _create(admin: AdminClient, topics: Sequence[Topic]) -> None:
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import NewTopic

    new = [
        NewTopic(
            topic.name,
            num_partitions=topic.partitions,
            replication_factor=1,
            config=dict(topic.settings),
        )
        for topic in topics
    ]
    for future in admin.create_topics(new, request_timeout=_SECONDS).values():
        try:
            future.result(_SECONDS + 1)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def _found(admin: AdminClient, counts: Mapping[str, int]) -> Mapping[str, Topic]:
    """Topics as they are, by their names and how many partitions they have."""
    from confluent_kafka.admin import ConfigResource, ResourceType

    resources = [ConfigResource(ResourceType.TOPIC, name) for name in counts]
    answers = admin.describe_configs(resources, request_timeout=_SECONDS) if resources else {}
    found = {}
    for resource, answer in answers.items():
        name = str(resource.name)
        settings = {key: str(entry.value) for key, entry in answer.result(_SECONDS + 1).items()}
        found[name] = Topic(name=name, partitions=counts[name], settings=settings)
    return found
