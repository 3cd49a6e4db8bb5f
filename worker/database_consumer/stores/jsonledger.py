"""The ledger in the JSON file store.

Long because it answers every question that the SQL ledgers answer in statements, over one state.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from database_consumer.batching import TablePlan
from database_consumer.entities.model import Catalogue, EntityTable, Key
from database_consumer.stores.base import Batch, DeadLetter, Position, Record, StoreCounts
from database_consumer.stores.jsonrows import JsonRows
from database_consumer.stores.jsonstate import JsonState, pack, unpack
from database_consumer.stores.payloads import decode_headers, encode_headers
from database_consumer.stores.transaction import (
    Claim,
    Claimed,
    Death,
    Parked,
    Parking,
    Stream,
)
from database_consumer.stores.written import Faithful


def _name(*parts: Any) -> str:
    return msgspec.json.encode(parts).decode()


class JsonLedger:
    """See :class:`database_consumer.stores.transaction.Ledger`."""

    def __init__(self, path: Path, catalogue: Catalogue) -> None:
        self.state = JsonState(path)
        self.table_rows = JsonRows(self.state, catalogue)
        self._mark = 0
        self._holders: dict[str, list[int]] | None = None

    def begin(self) -> None:
        """Open the files where they are not open."""
        if not self.state.is_open:
            self.state.watcher = None
            self.state.open()
            self.table_rows.rebuild()
            self._holders = None

    def commit(self) -> None:
        """Write the log's line."""
        self.state.commit()

    def rollback(self) -> None:
        """Undo."""
        self._holders = None
        if self.state.is_open:
            self.state.discard()

    def savepoint(self) -> None:
        """Remember the place."""
        self._mark = self.state.mark()

    def release(self) -> None:
        """Nothing to forget."""

    def back_to_savepoint(self) -> None:
        """Undo to the place."""
        self._holders = None
        self.state.back_to(self._mark)

    # -- fence and inbox

    def _next(self, counter: str) -> int:
        number = int(self.state.of("counters").get(counter, 0)) + 1
        self.state.put("counters", counter, number)
        return number

    def fence(self, batch: Batch, now: float) -> Stream | None:
        """Move the offset if it stands where it should."""
        place = _name(batch.group, batch.topic, batch.partition)
        entry = self.state.of("offsets").get(place)
        expected = None if entry is None else entry["next_offset"]
        if expected != batch.expected:
            return None
        if entry is not None and batch.topic_id and entry["topic_id"] not in {None, batch.topic_id}:
            return None
        group_id = self.state.of("groups").get(batch.group)
        if group_id is None:
            group_id = self._next("group")
            self.state.put("groups", batch.group, group_id)
        moment = int(now * 1_000_000)
        before = entry or {"id": self._next("stream"), "topic_id": None, "version": 0}
        version = max(before["version"] + 1, moment)
        self.state.put(
            "offsets",
            place,
            {
                "id": before["id"],
                "next_offset": batch.next_offset,
                "topic_id": before["topic_id"] or batch.topic_id,
                "version": version,
                "updated_at": now,
            },
        )
        self.state.note("batch", _kept(batch, now))
        parked = any(one["group_id"] == group_id for one in self.state.of("parked").values())
        return Stream(id=before["id"], group_id=group_id, version=version, parked=parked)

    def claim(self, stream: Stream, claims: Sequence[Claim], now: float) -> dict[str, Claimed]:
        """Those that are there stay as they are."""
        inbox = f"inbox:{stream.group_id}"
        known = self.state.of(inbox)
        seen: dict[str, Claimed] = {}
        for name, offset, fingerprint in claims:
            entry = known.get(name)
            if entry is None:
                self.state.put(inbox, name, [stream.id, offset, fingerprint.hex(), int(now)])
            else:
                seen[name] = Claimed(entry[0], entry[1], bytes.fromhex(entry[2]))
        return seen

    def position(self, group: str, topic: str, partition: int) -> Position | None:
        """Where the partition goes on."""
        entry = self.state.of("offsets").get(_name(group, topic, partition))
        if entry is None:
            return None
        return Position(next_offset=entry["next_offset"], topic_id=entry["topic_id"])

    # -- rows

    def present(self, table: EntityTable, keys: Sequence[Key], *, likely: bool) -> dict[Key, int]:
        """Versions of those that are there."""
        del likely
        found = {key: self.table_rows.version(table, key) for key in keys}
        return {key: version for key, version in found.items() if version is not None}

    def execute(self, tables: Sequence[TablePlan], version: int) -> None:
        """Carry a plan out."""
        self.table_rows.execute(tables, version)

    # -- what waits

    def bury(self, group: str, deaths: Sequence[Death], now: float) -> None:
        """Write dead letters."""
        for death in deaths:
            ident = self._next("dead")
            letter = {
                "group": group,
                "record": _record_out(death.record),
                "operation_id": death.operation_id,
                "error_class": death.code,
                "error_message": death.message,
                "stack": death.stack,
                "attempts": death.attempts,
                "failed_at": now,
                "published_at": None,
                "replayed_at": None,
            }
            self.state.put("dead", str(ident), letter)

    def park(self, group_id: int, stream_id: int, parkings: Sequence[Parking], now: float) -> None:
        """Write parked operations."""
        self._holders = None
        for parking in parkings:
            ident = self._next("parked")
            entry = {
                "group_id": group_id,
                "stream_id": stream_id,
                "record": _record_out(parking.record),
                "operation_id": parking.operation_id,
                "keys": [one.hex() for one in parking.keys],
                "error_class": parking.code,
                "error_message": parking.message,
                "stack": parking.stack,
                "attempts": parking.attempts,
                "due_at": parking.due_at,
                "parked_at": now,
            }
            self.state.put("parked", str(ident), entry)

    def _parked(self) -> dict[str, list[int]]:
        """Parked operations by group and key."""
        if self._holders is None:
            self._holders = {}
            for ident, entry in self.state.of("parked").items():
                for key in entry["keys"]:
                    self._holders.setdefault(f"{entry['group_id']}:{key}", []).append(int(ident))
            for ids in self._holders.values():
                ids.sort()
        return self._holders

    def hold_parked(self, group_id: int) -> None:
        """One process, one thread: nobody else retries."""

    def lock_group(self, name: str) -> int | None:
        """The group's id."""
        found = self.state.of("groups").get(name)
        return None if found is None else int(found)

    def parked_keys(self, group_id: int, keys: Sequence[bytes]) -> set[bytes]:
        """Those that are held."""
        holders = self._parked()
        return {key for key in keys if f"{group_id}:{key.hex()}" in holders}

    def due_ids(self, group_id: int, now: float, limit: int) -> list[int]:
        """Due ones."""
        due = [
            (entry["due_at"], int(ident))
            for ident, entry in self.state.of("parked").items()
            if entry["group_id"] == group_id
            and entry["due_at"] is not None
            and entry["due_at"] <= now
        ]
        return sorted(ident for _, ident in sorted(due)[:limit])

    def keys_of(self, ids: Sequence[int]) -> dict[int, tuple[bytes, ...]]:
        """By operation."""
        parked = self.state.of("parked")
        return {one: tuple(bytes.fromhex(key) for key in parked[str(one)]["keys"]) for one in ids}

    def holders(self, group_id: int, keys: Sequence[bytes], limit: int) -> list[int]:
        """In their order."""
        holders = self._parked()
        found = {one for key in keys for one in holders.get(f"{group_id}:{key.hex()}", ())}
        return sorted(found)[:limit]

    def load_parked(self, ids: Sequence[int]) -> list[Parked]:
        """With their messages."""
        parked = self.state.of("parked")
        return [
            Parked(
                id=one,
                stream_id=entry["stream_id"],
                record=_record_in(entry["record"]),
                operation_id=entry["operation_id"],
                attempts=entry["attempts"],
                code=entry["error_class"],
            )
            for one in sorted(ids)
            for entry in (parked[str(one)],)
        ]

    def unpark(self, group_id: int, ids: Sequence[int], now: float) -> None:
        """Delete, then wake the next holder of each key."""
        keys = {key for held in self.keys_of(ids).values() for key in held}
        for one in ids:
            self.state.put("parked", str(one), None)
        self._holders = None
        for key in sorted(keys):
            following = self.holders(group_id, [key], 1)
            if not following:
                continue
            entry = self.state.of("parked")[str(following[0])]
            if entry["due_at"] is None:
                self.state.put("parked", str(following[0]), {**entry, "due_at": now})

    def postpone(self, ident: int, *, attempts: int, due_at: float) -> None:
        """One more try was made."""
        entry = self.state.of("parked")[str(ident)]
        self.state.put("parked", str(ident), {**entry, "attempts": attempts, "due_at": due_at})

    def version_after(self, stream_ids: Sequence[int], now: float) -> int:
        """Above every version of these partitions."""
        wanted = set(stream_ids)
        versions = [
            int(one["version"]) for one in self.state.of("offsets").values() if one["id"] in wanted
        ]
        return max([int(now * 1_000_000), *(one + 1 for one in versions)])

    def next_due(self, group_id: int) -> float | None:
        """The earliest."""
        times = [
            float(one["due_at"])
            for one in self.state.of("parked").values()
            if one["group_id"] == group_id and one["due_at"] is not None
        ]
        return min(times, default=None)

    # -- dead letters

    def letters(self) -> list[DeadLetter]:
        """All, in the order of their ids."""
        return [self.letter(int(ident)) for ident in sorted(self.state.of("dead"), key=int)]

    def letter(self, ident: int) -> DeadLetter:
        """One. Raises KeyError."""
        entry = self.state.of("dead")[str(ident)]
        record = _record_in(entry["record"])
        return DeadLetter(
            id=ident,
            group=entry["group"],
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            operation_id=entry["operation_id"],
            key=record.key,
            value=record.value,
            timestamp_ms=record.timestamp_ms,
            headers=record.headers,
            error_class=entry["error_class"],
            error_message=entry["error_message"],
            stack=entry["stack"],
            attempts=entry["attempts"],
            failed_at=entry["failed_at"],
            published_at=entry["published_at"],
            replayed_at=entry["replayed_at"],
        )

    def unreplayed(self, ids: Sequence[int]) -> list[tuple[DeadLetter, int, int]]:
        """Those not replayed before."""
        dead = self.state.of("dead")
        found = []
        for ident in ids:
            if str(ident) not in dead or dead[str(ident)]["replayed_at"] is not None:
                continue
            letter = self.letter(ident)
            place = _name(letter.group, letter.topic, letter.partition)
            stream = self.state.of("offsets").get(place)
            if stream is not None:
                found.append((letter, int(self.state.of("groups")[letter.group]), stream["id"]))
        return found

    def mark_replayed(self, ids: Sequence[int], now: float) -> None:
        """They were put back."""
        self.mark_letters("replayed_at", ids, now)

    def mark_letters(self, field: str, ids: Sequence[int], now: float) -> None:
        """Set a time."""
        for ident in ids:
            entry = self.state.of("dead").get(str(ident))
            if entry is not None:
                self.state.put("dead", str(ident), {**entry, field: now})

    # -- cache intents

    def note_touched(self, tables: Sequence[TablePlan], version: int, now: float) -> int:
        """One entry for each entity."""
        count = 0
        for plan in tables:
            changes = [[[pack(one) for one in key], False] for key in plan.changed]
            changes += [[[pack(one) for one in key], True] for key in plan.gone]
            entry = {
                "created_at": now,
                "version": version,
                "entity": plan.table.entity,
                "changes": changes,
            }
            self.state.put("outbox", str(self._next("outbox")), entry)
            count += len(changes)
        return count

    def faithful(self, table: EntityTable) -> Faithful | None:
        """Unknown, and of no use: what is written is in memory anyway."""
        del table
        return None

    def outbox(self, limit: int) -> list[tuple[int, float, int, str, list[tuple[Key, bool]]]]:
        """Whole entries, about ``limit`` keys, oldest first."""
        result = []
        count = 0
        for ident in sorted(self.state.of("outbox"), key=int):
            entry = self.state.of("outbox")[ident]
            keys = [(tuple(unpack(one) for one in key), gone) for key, gone in entry["changes"]]
            result.append(
                (int(ident), entry["created_at"], entry["version"], entry["entity"], keys)
            )
            count += len(keys)
            if count >= limit:
                break
        return result

    def counts(self) -> StoreCounts:
        """What waits."""
        dead = self.state.of("dead").values()
        parked = self.state.of("parked").values()
        outbox = self.state.of("outbox").values()
        return StoreCounts(
            parked=len(parked),
            dead_letters=len(dead),
            unpublished_dead_letters=sum(one["published_at"] is None for one in dead),
            cache_intents=len(outbox),
            oldest_parked=min((one["parked_at"] for one in parked), default=None),
            oldest_cache_intent=min((one["created_at"] for one in outbox), default=None),
        )


def _record_out(record: Record) -> list[Any]:
    return [
        record.topic,
        record.partition,
        record.offset,
        pack(record.key),
        pack(record.value),
        record.timestamp_ms,
        encode_headers(record.headers).decode(),
    ]


def _record_in(packed: list[Any]) -> Record:
    topic, partition, offset, key, value, timestamp_ms, headers = packed
    return Record(
        topic, partition, offset, unpack(key), unpack(value), timestamp_ms, decode_headers(headers)
    )


def _kept(batch: Batch, now: float) -> dict[str, Any]:
    """The batch as the log keeps it for ``migrate-fallback``."""
    return {
        "group": batch.group,
        "topic": batch.topic,
        "partition": batch.partition,
        "expected": batch.expected,
        "next_offset": batch.next_offset,
        "topic_id": batch.topic_id,
        "records": [_record_out(one) for one in batch.records],
        "now": now,
    }


def kept_batch(entry: dict[str, Any]) -> tuple[Batch, float]:
    """A batch of the log, and when it was applied."""
    batch = Batch(
        group=entry["group"],
        topic=entry["topic"],
        partition=entry["partition"],
        expected=entry["expected"],
        next_offset=entry["next_offset"],
        topic_id=entry["topic_id"],
        records=tuple(_record_in(one) for one in entry["records"]),
    )
    return batch, float(entry["now"])
