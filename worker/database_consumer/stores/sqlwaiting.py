"""What waits in a SQL database: parked operations and dead letters, with their messages whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from database_consumer.stores.base import DeadLetter, Record
from database_consumer.stores.payloads import decode_headers, encode_headers, parts
from database_consumer.stores.sqlconnection import (
    KEYS_AT_ONCE,
    SqlConnection,
    as_bytes,
    as_text,
    chunks,
    marks,
)
from database_consumer.stores.transaction import Death, Parked, Parking

_LETTER = (
    "id, consumer_group, topic, partition_id, record_offset, operation_id, record_key, "
    "record_value, timestamp_ms, headers, error_class, error_message, stack, attempts, failed_at, "
    "published_at, replayed_at"
)


class SqlWaiting(SqlConnection):
    """The steps of a ledger that concern what waits."""

    def bury(self, group: str, deaths: Sequence[Death], now: float) -> None:
        """Write dead letters, large ones in parts."""
        for death in deaths:
            record = death.record
            first, *rest = parts(record.value) if record.value is not None else (None,)
            ident = self._insert_one(
                "dead_letters",
                {
                    "consumer_group": group,
                    "topic": record.topic,
                    "partition_id": record.partition,
                    "record_offset": record.offset,
                    "operation_id": death.operation_id,
                    "record_key": record.key,
                    "record_value": first,
                    "timestamp_ms": record.timestamp_ms,
                    "headers": encode_headers(record.headers),
                    "error_class": death.code,
                    "error_message": death.message,
                    "stack": death.stack,
                    "attempts": death.attempts,
                    "failed_at": now,
                },
            )
            self._write_parts("dead_letters", ident, rest)

    def _insert_one(self, table: str, values: dict[str, Any]) -> int:
        names = ", ".join(values)
        cursor = self.run(
            f"INSERT INTO {table} ({names}) VALUES ({marks(len(values))})",
            tuple(values.values()),
        )
        return int(cursor.lastrowid)

    def _write_parts(self, owner: str, ident: int, rest: Iterable[Any]) -> None:
        for number, part in enumerate(rest, 1):
            self.run(
                "INSERT INTO payload_parts (owner, owner_id, part, bytes) VALUES (?, ?, ?, ?)",
                (owner, ident, number, part),
            )

    def _whole(self, owner: str, ident: int, first: bytes | None) -> bytes | None:
        if first is None:
            return None
        rest = self.rows(
            "SELECT bytes FROM payload_parts WHERE owner = ? AND owner_id = ? ORDER BY part",
            (owner, ident),
        )
        return bytes(first) + b"".join(bytes(one[0]) for one in rest)

    def park(self, group_id: int, stream_id: int, parkings: Sequence[Parking], now: float) -> None:
        """Write parked operations and the keys that they hold."""
        held: list[tuple[int, bytes, int]] = []
        for parking in parkings:
            record = parking.record
            first, *rest = parts(record.value) if record.value is not None else (None,)
            ident = self._insert_one(
                "parked",
                {
                    "group_id": group_id,
                    "stream_id": stream_id,
                    "record_offset": record.offset,
                    "operation_id": parking.operation_id,
                    "record_key": record.key,
                    "record_value": first,
                    "timestamp_ms": record.timestamp_ms,
                    "headers": encode_headers(record.headers),
                    "error_class": parking.code,
                    "error_message": parking.message,
                    "stack": parking.stack,
                    "attempts": parking.attempts,
                    "due_at": parking.due_at,
                    "parked_at": now,
                },
            )
            self._write_parts("parked", ident, rest)
            held += [(group_id, key, ident) for key in parking.keys]
        if held:
            self.insert_rows("parked_keys", ("group_id", "key_digest", "parked_id"), held)

    def hold_parked(self, group_id: int) -> None:
        """A shared lock on the group's row."""
        self.rows(f"SELECT id FROM consumer_groups WHERE id = ?{self.share_rows}", (group_id,))

    def lock_group(self, name: str) -> int | None:
        """An exclusive lock on the group's row."""
        found = self.rows(f"SELECT id FROM consumer_groups WHERE name = ?{self.lock_rows}", (name,))
        return int(found[0][0]) if found else None

    def parked_keys(self, group_id: int, keys: Sequence[bytes]) -> set[bytes]:
        """Those that parked operations hold."""
        held: set[bytes] = set()
        for some in chunks(keys, KEYS_AT_ONCE):
            held.update(
                bytes(one[0])
                for one in self.rows(
                    "SELECT DISTINCT key_digest FROM parked_keys "
                    f"WHERE group_id = ? AND key_digest IN ({marks(len(some))})",
                    (group_id, *some),
                )
            )
        return held

    def due_ids(self, group_id: int, now: float, limit: int) -> list[int]:
        """Due ones that no earlier one holds back come first in any case: ids count up."""
        return sorted(
            int(one[0])
            for one in self.rows(
                "SELECT id FROM parked WHERE group_id = ? AND due_at <= ? ORDER BY due_at, id "
                f"LIMIT {int(limit)}",
                (group_id, now),
            )
        )

    def keys_of(self, ids: Sequence[int]) -> dict[int, tuple[bytes, ...]]:
        """By operation."""
        held: dict[int, list[bytes]] = {one: [] for one in ids}
        for some in chunks(ids, KEYS_AT_ONCE):
            for ident, key in self.rows(
                "SELECT parked_id, key_digest FROM parked_keys "
                f"WHERE parked_id IN ({marks(len(some))})",
                tuple(some),
            ):
                held[int(ident)].append(bytes(key))
        return {ident: tuple(keys) for ident, keys in held.items()}

    def holders(self, group_id: int, keys: Sequence[bytes], limit: int) -> list[int]:
        """In the order in which they were parked."""
        found: set[int] = set()
        for some in chunks(keys, KEYS_AT_ONCE):
            found.update(
                int(one[0])
                for one in self.rows(
                    "SELECT DISTINCT parked_id FROM parked_keys "
                    f"WHERE group_id = ? AND key_digest IN ({marks(len(some))}) "
                    f"ORDER BY parked_id LIMIT {int(limit)}",
                    (group_id, *some),
                )
            )
        return sorted(found)[:limit]

    def load_parked(self, ids: Sequence[int]) -> list[Parked]:
        """With their messages whole."""
        loaded: list[Parked] = []
        for some in chunks(ids, KEYS_AT_ONCE):
            found = self.rows(
                "SELECT p.id, p.stream_id, o.topic, o.partition_id, p.record_offset, p.record_key, "
                "p.record_value, p.timestamp_ms, p.headers, p.operation_id, p.attempts, "
                "p.error_class FROM parked p JOIN offsets o ON o.id = p.stream_id "
                f"WHERE p.id IN ({marks(len(some))}) ORDER BY p.id",
                tuple(some),
            )
            loaded.extend(self._parked(row) for row in found)
        return loaded

    def _parked(self, row: tuple[Any, ...]) -> Parked:
        record = Record(
            as_text(row[2]),
            int(row[3]),
            int(row[4]),
            as_bytes(row[5]),
            self._whole("parked", int(row[0]), as_bytes(row[6])),
            int(row[7]),
            decode_headers(row[8]),
        )
        return Parked(
            id=int(row[0]),
            stream_id=int(row[1]),
            record=record,
            operation_id=as_text(row[9]),
            attempts=int(row[10]),
            code=as_text(row[11]),
        )

    def unpark(self, group_id: int, ids: Sequence[int], now: float) -> None:
        """Delete, then wake the next holder of each key."""
        keys = sorted({key for held in self.keys_of(ids).values() for key in held})
        for some in chunks(ids, KEYS_AT_ONCE):
            listed = marks(len(some))
            self.run(f"DELETE FROM parked_keys WHERE parked_id IN ({listed})", tuple(some))
            self.run(f"DELETE FROM parked WHERE id IN ({listed})", tuple(some))
            self.run(
                f"DELETE FROM payload_parts WHERE owner = 'parked' AND owner_id IN ({listed})",
                tuple(some),
            )
        woken: set[int] = set()
        for some in chunks(keys, KEYS_AT_ONCE):
            woken.update(
                int(one[0])
                for one in self.rows(
                    "SELECT MIN(parked_id) FROM parked_keys "
                    f"WHERE group_id = ? AND key_digest IN ({marks(len(some))}) "
                    "GROUP BY key_digest",
                    (group_id, *some),
                )
            )
        for some in chunks(sorted(woken), KEYS_AT_ONCE):
            self.run(
                f"UPDATE parked SET due_at = ? WHERE due_at IS NULL AND id IN ({marks(len(some))})",
                (now, *some),
            )

    def postpone(self, ident: int, *, attempts: int, due_at: float) -> None:
        """One more try was made."""
        self.run(
            "UPDATE parked SET attempts = ?, due_at = ? WHERE id = ?", (attempts, due_at, ident)
        )

    def version_after(self, stream_ids: Sequence[int], now: float) -> int:
        """No lock is taken: a batch of the same partition waits for the rows' locks instead."""
        highest = 0
        for some in chunks(stream_ids, KEYS_AT_ONCE):
            found = self.rows(
                f"SELECT MAX(version) FROM offsets WHERE id IN ({marks(len(some))})", tuple(some)
            )
            highest = max(highest, int(found[0][0] or 0))
        return max(highest + 1, int(now * 1_000_000))

    def next_due(self, group_id: int) -> float | None:
        """The earliest."""
        found = self.rows("SELECT MIN(due_at) FROM parked WHERE group_id = ?", (group_id,))
        return None if found[0][0] is None else float(found[0][0])

    # -- dead letters

    def letters(self, where: str, values: Sequence[Any], limit: int) -> list[DeadLetter]:
        """Those that a condition names, in the order of their ids."""
        found = self.rows(
            f"SELECT {_LETTER} FROM dead_letters WHERE {where} ORDER BY id LIMIT {int(limit)}",
            values,
        )
        return [self._letter(one) for one in found]

    def _letter(self, row: tuple[Any, ...]) -> DeadLetter:
        return DeadLetter(
            id=int(row[0]),
            group=as_text(row[1]),
            topic=as_text(row[2]),
            partition=int(row[3]),
            offset=int(row[4]),
            operation_id=as_text(row[5]),
            key=as_bytes(row[6]),
            value=self._whole("dead_letters", int(row[0]), as_bytes(row[7])),
            timestamp_ms=int(row[8]),
            headers=decode_headers(row[9]),
            error_class=as_text(row[10]),
            error_message=as_text(row[11]),
            stack=as_text(row[12]),
            attempts=int(row[13]),
            failed_at=float(row[14]),
            published_at=None if row[15] is None else float(row[15]),
            replayed_at=None if row[16] is None else float(row[16]),
        )

    def unreplayed(self, ids: Sequence[int]) -> list[tuple[DeadLetter, int, int]]:
        """Locked, so that nobody else replays them at the same time."""
        result: list[tuple[DeadLetter, int, int]] = []
        for some in chunks(ids, KEYS_AT_ONCE):
            locked = self.rows(
                f"SELECT id FROM dead_letters WHERE id IN ({marks(len(some))}) "
                f"AND replayed_at IS NULL ORDER BY id{self.lock_rows}",
                tuple(some),
            )
            for (ident,) in locked:
                letter = self.letters("id = ?", (ident,), 1)[0]
                found = self.rows(
                    "SELECT g.id, o.id FROM offsets o JOIN consumer_groups g "
                    "ON g.name = o.consumer_group "
                    "WHERE o.consumer_group = ? AND o.topic = ? AND o.partition_id = ?",
                    (letter.group, letter.topic, letter.partition),
                )
                if found:
                    result.append((letter, int(found[0][0]), int(found[0][1])))
        return result

    def mark_replayed(self, ids: Sequence[int], now: float) -> None:
        """They were put back."""
        self._mark("replayed_at", ids, now)

    def mark_published(self, ids: Sequence[int], now: float) -> None:
        """The topic has them."""
        self._mark("published_at", ids, now)

    def _mark(self, column: str, ids: Sequence[int], now: float) -> None:
        for some in chunks(ids, KEYS_AT_ONCE):
            self.run(
                f"UPDATE dead_letters SET {column} = ? WHERE id IN ({marks(len(some))})",
                (now, *some),
            )

    def purge_letters(self, ids: Sequence[int] | None) -> int:
        """Delete them and their parts."""
        if ids is None:
            self.run("DELETE FROM payload_parts WHERE owner = 'dead_letters'")
            return int(self.run("DELETE FROM dead_letters").rowcount)
        count = 0
        for some in chunks(ids, KEYS_AT_ONCE):
            listed = marks(len(some))
            self.run(
                "DELETE FROM payload_parts WHERE owner = 'dead_letters' "
                f"AND owner_id IN ({listed})",
                tuple(some),
            )
            count += int(
                self.run(f"DELETE FROM dead_letters WHERE id IN ({listed})", tuple(some)).rowcount
            )
        return count
