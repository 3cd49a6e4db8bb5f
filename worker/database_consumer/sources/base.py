"""What a source promises: records of partitions that may come and go while it is polled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from database_consumer.stores.base import Record


class Partition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]"


class SourceError(Exception):
    """The source cannot go on and says why: the worker stops."""


class OffsetLost(SourceError):
    """The broker no longer has the offset that the database wants next."""

    def __init__(self, partition: Partition, detail: str) -> None:
        super().__init__(
            f"{partition}: the broker does not have the next offset any more ({detail}); records "
            "were removed before they were applied. Nothing is skipped on its own: decide what to "
            "do, then move or delete this partition's row in the offsets table"
        )
        self.partition = partition


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """What the broker holds of a partition: its first offset and the one after its last."""

    low: int
    high: int


class Listener(Protocol):
    """Who is told of partitions that come and go; called from inside ``Source.poll``."""

    def assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int | None]:
        """Where each partition starts.

        None: the store knows no offset, the source uses the group's committed one, else the
        earliest. A partition that is missing in the answer is not read until ``Source.place``.
        """

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """These go to another member as soon as this returns."""

    def lost(self, partitions: Sequence[Partition]) -> None:
        """These are another member's already: nothing of them may be committed."""


class Source(Protocol):
    """Records to apply. One thread polls; every method belongs to that thread."""

    def open(self, listener: Listener) -> None:
        """Connect and subscribe."""

    def poll(self, limit: int, timeout: float) -> Sequence[Record]:
        """At most ``limit`` records after at most ``timeout`` seconds; :class:`SourceError`."""

    def place(self, partition: Partition, offset: int | None) -> bool:
        """Go on at ``offset`` (None: see :class:`Listener`); False: ask again a little later."""

    def pause(self, partitions: Iterable[Partition]) -> None:
        """Deliver nothing of these until :meth:`resume`, also after a rebalance."""

    def resume(self, partitions: Iterable[Partition]) -> None:
        """Deliver these again."""

    def hint(self, offsets: Mapping[Partition, int]) -> None:
        """Tell the source how far things are, for lag displays only; never waits."""

    def topic_id(self, topic: str) -> str | None:
        """The topic's identity, None when the source has none."""

    def lag(self, partition: Partition) -> Lag | None:
        """What is known of a partition's ends, without asking anybody."""

    @property
    def exhausted(self) -> bool:
        """Whether everything was delivered and nothing will follow."""

    def close(self) -> None:
        """Leave the group and let go of everything."""
