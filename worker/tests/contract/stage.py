"""What the contract's tests work with: a store, records, and its tables as they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from database_consumer.entities.shipped import TABLES
from database_consumer.handlers import Handlers
from database_consumer.stores.base import Applied, Batch, Fenced, Record, Store, StorePolicy

GROUP = "database-writer-group"
TOPIC = "db-operations-buffer"


@dataclass(frozen=True, kw_only=True)
class Setup:
    """How a store is to be made; ``create`` are tables that the application made itself."""

    tables: Mapping[str, sa.Table] = field(default_factory=lambda: TABLES)
    create: tuple[sa.Table, ...] = ()
    handlers: Handlers | None = None
    policy: StorePolicy | None = None


Make = Callable[[Setup], Store]
"""A store on its own empty database, with its schema; made again, the same data."""


def operation(
    kind: str,
    data: Any,
    *,
    entity: str = "User",
    op: str | None = None,
    **metadata: Any,
) -> bytes:
    """An operation's message."""
    document = {"type": kind, "entity": entity, "data": data, "metadata": dict(metadata)}
    if op is not None:
        document["metadata"]["operationId"] = op
    return json.dumps(document).encode()


def user(
    ident: Any, name: str = "Ada", email: str = "ada@example.org", **more: Any
) -> dict[str, Any]:
    return {"id": ident, "name": name, "email": email, **more}


class Feed:
    """One partition's messages: knows where it stands and makes the batches."""

    def __init__(self, store: Store, *, partition: int = 0, topic: str = TOPIC) -> None:
        self.store = store
        self.partition = partition
        self.topic = topic
        self.expected: int | None = None
        self.next = 0
        self.topic_id: str | None = None

    def batch(self, *values: bytes | None) -> Batch:
        """The next batch; it is not remembered before it is applied."""
        records = tuple(
            Record(self.topic, self.partition, self.next + place, b"key", value, 1_700_000_000_000)
            for place, value in enumerate(values)
        )
        return Batch(
            group=GROUP,
            topic=self.topic,
            partition=self.partition,
            expected=self.expected,
            next_offset=self.next + len(values),
            records=records,
            topic_id=self.topic_id,
        )

    def apply(self, *values: bytes | None, now: float = 1000.0) -> Applied:
        """Apply the next batch."""
        batch = self.batch(*values)
        result = self.store.apply(batch, now=now)
        assert isinstance(result, Applied), result
        self.expected = self.next = batch.next_offset
        return result

    def send(self, batch: Batch, now: float = 1000.0) -> Applied | Fenced:
        """A batch as it is."""
        return self.store.apply(batch, now=now)


def rows(store: Store, entity: str = "User") -> dict[str, dict[str, Any]]:
    """An entity's rows by the text of their id."""
    return {str(row["id"]): row for row in store.rows(entity)}


def reasons(store: Store) -> list[str]:
    """The codes of all dead letters, in their order."""
    return [one.error_class for one in store.dead_letters(limit=100_000)]
