"""Random histories over few keys, and the simple model that says how they end."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from contract.stage import GROUP, TOPIC, operation
from database_consumer.stores.base import Applied, Batch, Record, Store, StoreUnavailable

KEYS = (1, 2, 3, "a", "b", "ä")
POISON = (b"\xff", b"{}", operation("CREATE", {"id": 1}, op=None), operation("X", {}, op=None))


@dataclass
class Model:
    """Operations one after the other, on plain dictionaries."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    dead: list[tuple[int, int]] = field(default_factory=list)

    def apply(self, partition: int, offset: int, value: bytes) -> None:
        if value in POISON:
            self.dead.append((partition, offset))
            return
        message = json.loads(value)
        name = message["metadata"].get("operationId")
        content = json.dumps([message["type"], message["data"]], sort_keys=True)
        if name is not None:
            if name in self.seen:
                if self.seen[name] != content:
                    self.dead.append((partition, offset))
                return
            self.seen[name] = content
        if not self._change(message["type"], message["data"]):
            self.dead.append((partition, offset))

    def _change(self, kind: str, data: Any) -> bool:
        items = data if isinstance(data, list) else [data]
        keys = [str(one["id"]) for one in items]
        if "CREATE" in kind:
            if len(set(keys)) < len(keys) or any(key in self.rows for key in keys):
                return False
            self.rows.update({str(one["id"]): dict(one) for one in items})
        elif "UPDATE" in kind:
            for one in items:
                if str(one["id"]) in self.rows:
                    self.rows[str(one["id"])].update(one)
        else:
            self.rows.pop(keys[0], None)
        return True


def messages(seed: int, count: int) -> list[bytes]:
    """A history: all types, ids given twice (with the same content and with another), poison."""
    chance = random.Random(seed)
    made: list[bytes] = []
    for number in range(count):
        turn = chance.random()
        if turn < 0.05 and made:
            made.append(chance.choice(made))
            continue
        if turn < 0.08:
            made.append(chance.choice(POISON))
            continue
        name = f"op-{chance.randrange(number + 1) if turn < 0.11 else f'{seed}-{number}'}"
        made.append(_message(chance, None if turn > 0.95 else name))
    return made


def _message(chance: random.Random, name: str | None) -> bytes:
    kind = chance.choice(["CREATE", "CREATE", "UPDATE", "UPDATE", "DELETE", "BULK"])
    key = chance.choice(KEYS)

    def whole(ident: Any) -> dict[str, Any]:
        return {
            "id": ident,
            "name": f"n{chance.randrange(99)}",
            "email": f"e{chance.randrange(99)}",
        }

    def some(ident: Any) -> dict[str, Any]:
        changed = chance.sample(["name", "email", "phone", "role"], chance.randrange(1, 3))
        return {"id": ident, **{one: f"v{chance.randrange(99)}" for one in changed}}

    if kind == "CREATE":
        return operation(kind, whole(key), op=name)
    if kind == "UPDATE":
        return operation(kind, some(key), op=name)
    if kind == "DELETE":
        return operation(kind, {"id": key}, op=name)
    keys = chance.choices(KEYS, k=chance.randrange(1, 4))
    if chance.random() < 0.5:
        return operation("BULK_CREATE", [whole(one) for one in keys], op=name)
    return operation("BULK_UPDATE", [some(one) for one in keys], op=name)


@dataclass(frozen=True)
class History:
    """Two partitions whose batches take turns in a fixed order, so that there is one right end."""

    seed: int
    count: int

    def batches(self) -> Iterator[tuple[int, int, tuple[bytes, ...]]]:
        """Partition, first offset and messages."""
        chance = random.Random(self.seed * 7 + 1)
        left = messages(self.seed, self.count)
        places = [0, 0]
        while left:
            size = chance.choice([1, 1, 2, 5, 20])
            some, left = left[:size], left[size:]
            partition = chance.randrange(2)
            yield partition, places[partition], tuple(some)
            places[partition] += len(some)

    def model(self) -> Model:
        """How it ends."""
        model = Model()
        for partition, start, values in self.batches():
            for place, value in enumerate(values):
                model.apply(partition, start + place, value)
        return model


def play(store: Store, history: History, *, tries: int = 1) -> None:
    """Apply what the store does not have yet, going on where it stands.

    A batch that fails systemically comes again, up to ``tries`` times. The store is told what comes
    next: rightly, in part, or of another batch altogether.
    """
    batches = [
        (
            partition,
            tuple(
                Record(TOPIC, partition, start + place, None, value)
                for place, value in enumerate(values)
            ),
        )
        for partition, start, values in history.batches()
    ]
    chance = random.Random(history.seed)
    for place, (partition, records) in enumerate(batches):
        guess = batches[min(place + chance.choice([1, 1, 1, 2]), len(batches) - 1)][1]
        coming = guess[: chance.choice([1, 3, 20])]
        for left in range(tries, 0, -1):
            try:
                _send(store, partition, records, coming)
                break
            except StoreUnavailable:
                if left == 1:
                    raise


def _send(
    store: Store, partition: int, records: tuple[Record, ...], coming: tuple[Record, ...]
) -> None:
    start, end = records[0].offset, records[-1].offset + 1
    position = store.position(GROUP, TOPIC, partition)
    if position is not None and position.next_offset > start:
        assert position.next_offset >= end, "a batch was applied in part"
        return
    batch = Batch(
        group=GROUP,
        topic=TOPIC,
        partition=partition,
        expected=None if position is None else position.next_offset,
        next_offset=end,
        records=records,
    )
    result = store.apply(batch, now=1000.0, coming=lambda: coming)
    if not isinstance(result, Applied):
        position = store.position(GROUP, TOPIC, partition)
        assert position is not None
        assert position.next_offset >= end


def differences(store: Store, model: Model) -> list[str]:
    """What the store holds otherwise than the model, row for row and letter for letter."""
    found = {str(row["id"]): row for row in store.rows("User")}
    wrong = [f"row {key} is there" for key in found.keys() - model.rows.keys()]
    for key, row in model.rows.items():
        if key not in found:
            wrong.append(f"row {key} is missing")
            continue
        wrong += [
            f"row {key}: {name} is {found[key][name]!r}, not {row.get(name)!r}"
            for name in ("name", "email", "phone", "role")
            if found[key][name] != row.get(name)
        ]
    letters = sorted((one.partition, one.offset) for one in store.dead_letters(limit=100_000))
    if letters != sorted(model.dead):
        wrong.append(f"dead letters {letters}, not {sorted(model.dead)}")
    if store.counts().parked:
        wrong.append("something is parked")
    return wrong
