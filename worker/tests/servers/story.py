"""A story of operations and the tables that must come of it: a simple sequential model.

Every operation goes to a partition by its row's id, and a bulk operation holds rows of one
partition only, so that the order in which the model applies them is the order of each key.
Operations whose order does not matter (a business is created once and never touched) are also
published twice across partitions.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

COLUMNS = ("name", "email", "phone", "role")
_PHONES = ("+49 1", "+49 2", None)


@dataclass(frozen=True, slots=True)
class Message:
    """What is published, and where."""

    partition: int
    key: bytes
    value: bytes


@dataclass(slots=True, kw_only=True)
class Story:
    """Generates messages; ``users``, ``businesses`` and ``ratings`` are the model's tables."""

    seed: int
    keys: int
    partitions: int
    duplicates: float = 0.05
    poison_share: float = 0.01
    users: dict[int, dict[str, Any]] = field(default_factory=dict)
    businesses: dict[int, str] = field(default_factory=dict)
    ratings: dict[int, int] = field(default_factory=dict)
    poison: int = 0
    ids: int = 0
    twice: int = 0
    _chance: random.Random = field(default_factory=random.Random)
    _recent: dict[int, list[Message]] = field(default_factory=dict)

    def tell(self, operations: int) -> Iterator[Message]:
        """``operations`` operations, and the messages that repeat some of them."""
        self._chance.seed(self.seed)
        for _ in range(operations):
            if self._chance.random() < self.poison_share:
                yield self._poison()
                continue
            message = self._next()
            yield message
            recent = self._recent.setdefault(message.partition, [])
            recent.append(message)
            del recent[:-50]
            if self._chance.random() < self.duplicates:
                self.twice += 1
                yield self._again(message, recent)

    def _again(self, message: Message, recent: list[Message]) -> Message:
        if message.key.startswith(b"Business:"):
            other = (message.partition + 1) % self.partitions
            return Message(other, message.key, message.value)
        return self._chance.choice(recent)

    def _next(self) -> Message:
        kind = self._chance.random()
        if kind < 0.04:
            return self._business()
        if kind < 0.05 and self.businesses:
            return self._rating()
        partition = self._chance.randrange(self.partitions)
        mine = range(partition, self.keys, self.partitions)
        if kind < 0.10:
            return self._bulk(partition, self._chance.sample(mine, min(5, len(mine))))
        return self._single(partition, self._chance.choice(mine))

    def _single(self, partition: int, ident: int) -> Message:
        if ident not in self.users:
            return self._message("CREATE", self._create(ident), partition, ident)
        if self._chance.random() < 0.25:
            del self.users[ident]
            return self._message("DELETE", {"id": ident}, partition, ident)
        return self._message("UPDATE", self._change(ident), partition, ident)

    def _bulk(self, partition: int, idents: list[int]) -> Message:
        new = [one for one in idents if one not in self.users]
        old = [one for one in idents if one in self.users]
        if len(new) > len(old):
            rows = [self._create(one) for one in new]
            return self._message("BULK_CREATE", rows, partition, new[0])
        rows = [self._change(one) for one in old]
        return self._message("BULK_UPDATE", rows, partition, old[0])

    def _create(self, ident: int) -> dict[str, Any]:
        self.ids += 1
        row = {"name": f"n{self.ids}", "email": f"{self.ids}@x.org"}
        self.users[ident] = dict.fromkeys(COLUMNS) | row
        return {"id": ident, **row}

    def _change(self, ident: int) -> dict[str, Any]:
        self.ids += 1
        change: dict[str, Any] = {"name": f"u{self.ids}"}
        if self._chance.random() < 0.5:
            change = {"role": f"r{self.ids}", "phone": self._chance.choice(_PHONES)}
        self.users[ident] |= change
        return {"id": ident, **change}

    def _business(self) -> Message:
        ident = 1_000_000 + len(self.businesses)
        self.businesses[ident] = f"b{ident}"
        data = {"id": ident, "name": f"b{ident}"}
        return self._message("CREATE", data, ident % self.partitions, ident, entity="Business")

    def _rating(self) -> Message:
        """Of a business in any partition: it may have to wait for it."""
        ident = 2_000_000 + len(self.ratings)
        business = max(self.businesses)
        self.ratings[ident] = business
        data = {"id": ident, "business_id": business}
        return self._message("CREATE", data, ident % self.partitions, ident, entity="Rating")

    def _poison(self) -> Message:
        self.poison += 1
        partition = self._chance.randrange(self.partitions)
        number = self.poison
        kind = number % 4
        if kind == 0:
            return Message(partition, b"poison", b'{"type": "CREATE", "entity": "User", "da')
        bad: dict[str, Any] = {
            1: {"type": "CREATE", "entity": "Nobody", "data": {"id": 1}},
            2: {"type": "CREATE", "entity": "User", "data": {"id": 9_000_000, "name": None}},
            3: {"type": "EXPLODE", "entity": "User", "data": {"id": 9_000_001}},
        }[kind]
        bad["metadata"] = {"operationId": f"poison-{number}"}
        return Message(partition, b"poison", json.dumps(bad).encode())

    def _message(
        self, kind: str, data: object, partition: int, ident: int, *, entity: str = "User"
    ) -> Message:
        self.ids += 1
        document = {
            "type": kind,
            "entity": entity,
            "data": data,
            "metadata": {"operationId": f"op-{self.ids}", "source": "chaos"},
        }
        return Message(partition, f"{entity}:{ident}".encode(), json.dumps(document).encode())
