"""Whether a topic is still the one whose offsets are stored: a recreated one stops the worker."""

from __future__ import annotations

from database_consumer.sources.base import Source, SourceError
from database_consumer.stores.base import Position


class TopicWatch:
    """The ids of the topics that were assigned."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._ids: dict[str, str | None] = {}

    def learn(self, topic: str) -> str | None:
        """Ask for the topic's id, and remember it."""
        self._ids[topic] = self._source.topic_id(topic)
        return self._ids[topic]

    def check(self, topic: str, position: Position | None) -> None:
        """:class:`SourceError` when the stored position belongs to another topic of this name."""
        stored = position.topic_id if position is not None else None
        current = self._ids.get(topic)
        if stored and current and stored != current:
            raise _recreated(topic, f"the stored offsets belong to id {stored}", current)

    def look_again(self) -> float:
        """Ask anew; the longest retention in seconds, 0 for ever or unknown.

        Raises :class:`SourceError` when a topic is another one since it was assigned.
        """
        retention = 0.0
        for topic, known in tuple(self._ids.items()):
            found = self._source.topic_id(topic)
            if known is not None and found is not None and found != known:
                raise _recreated(topic, f"it was assigned with id {known}", found)
            ask = getattr(self._source, "retention_seconds", None)
            retention = max(retention, (ask(topic) if ask is not None else None) or 0.0)
        return retention


def _recreated(topic: str, before: str, now: str) -> SourceError:
    return SourceError(
        f"topic {topic} was recreated: {before}, the broker has {now}. Nothing is skipped: forget "
        "the old offsets on purpose (delete the group's rows of this topic from the offsets "
        "table), or restore the topic"
    )
