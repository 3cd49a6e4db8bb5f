"""The ledger in a SQL database: what MySQL and SQLite have in common.

Statements are written once with ``?`` and translated to the driver's placeholder. They go to the
driver's cursor directly: on the hot path SQLAlchemy's execution costs more than the statement.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from database_consumer.batching import TablePlan
from database_consumer.entities.model import DEFAULT, Catalogue, EntityTable, Key, WholeRow
from database_consumer.stores.base import (
    Batch,
    DeadLetter,
    Position,
    Record,
    StoreCounts,
    StoreUnavailable,
)
from database_consumer.stores.payloads import decode_headers, encode_headers, parts
from database_consumer.stores.transaction import (
    Claim,
    Claimed,
    CommitUnknown,
    Death,
    Parked,
    Parking,
    Stream,
)

KEYS_AT_ONCE = 500
"""Keys of one IN list: below SQLite's 999 variables of old, for keys of one column."""

_LETTER = (
    "id, consumer_group, topic, partition_id, record_offset, operation_id, record_key, "
    "record_value, timestamp_ms, headers, error_class, error_message, stack, attempts, failed_at, "
    "published_at, replayed_at"
)

INBOX_COLUMNS = (
    "group_id",
    "operation_id",
    "stream_id",
    "record_offset",
    "content",
    "applied_at",
)


class _KeysEncoder:
    """JSON, with the bytes of a binary key as an object."""

    def __init__(self) -> None:
        self._plain = msgspec.json.Encoder()

    def encode(self, value: tuple[int, Sequence[Key]]) -> bytes:
        gone, keys = value
        if keys and any(isinstance(one, bytes) for one in keys[0]):
            packed = [
                [{"b": one.hex()} if isinstance(one, bytes) else one for one in key] for key in keys
            ]
            return self._plain.encode((gone, packed))
        return self._plain.encode(value)


_keys_encoder = _KeysEncoder()


def chunks(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    """Slices of at most ``size``."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def by_columns(
    table: EntityTable, rows: Sequence[WholeRow]
) -> Iterable[tuple[tuple[str, ...], list[Sequence[Any]]]]:
    """Names and values of the columns that hold anything, column by column.

    A column that is null in every row is left out, as is one that the database fills in.
    """
    if not table.has_defaults:
        return [_held(table.names, rows)]
    groups: dict[tuple[int, ...], list[WholeRow]] = {}
    for row in rows:
        given = tuple([place for place, one in enumerate(row) if one is not DEFAULT])
        groups.setdefault(given, []).append(tuple([row[place] for place in given]))
    return [
        _held(tuple([table.names[place] for place in given]), some)
        for given, some in groups.items()
    ]


def _held(
    names: tuple[str, ...], rows: Sequence[WholeRow]
) -> tuple[tuple[str, ...], list[Sequence[Any]]]:
    columns = list(zip(*rows, strict=True))
    count = len(rows)
    kept = [place for place, one in enumerate(columns) if one.count(None) != count]
    return tuple([names[place] for place in kept]), [columns[place] for place in kept]


def marks(count: int) -> str:
    """``?, ?, ?``."""
    return ", ".join("?" * count)


class SqlLedger(ABC):
    """A connection and the ledger's statements. Subclasses know their database."""

    placeholder = "?"
    greatest = "MAX"

    def __init__(self, engine: sa.Engine, catalogue: Catalogue) -> None:
        self.engine = engine
        self._catalogue = catalogue
        self._quote = engine.dialect.identifier_preparer.quote
        self._connection: Any = None
        self._cursor: Any = None
        self._streams: dict[tuple[str, str, int], tuple[int, int]] = {}
        self._groups: dict[str, int] = {}
        self._translated: dict[str, str] = {}

    # -- what a database does in its own way

    @abstractmethod
    def _connect(self) -> Any:
        """A driver's connection, set up. Raises the driver's errors."""

    @abstractmethod
    def _start(self) -> None:
        """Begin a transaction on the connection."""

    @abstractmethod
    def _translate(self, error: Exception) -> Exception:
        """The failure that a driver's error stands for; a lost connection is dropped."""

    @abstractmethod
    def insert_rows(
        self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], suffix: str = ""
    ) -> int:
        """Insert rows; how many the driver says were changed."""

    @abstractmethod
    def errors(self) -> tuple[type[Exception], ...]:
        """The driver's errors."""

    @property
    @abstractmethod
    def skip_present(self) -> str:
        """What makes an INSERT into the inbox leave rows alone that are there."""

    @abstractmethod
    def execute(self, tables: Sequence[TablePlan], version: int) -> None:
        """Carry a plan out: deletes with children first, inserts with parents first, updates."""

    lock_rows = ""
    share_rows = ""

    # -- the connection

    def begin(self) -> None:
        """See :class:`database_consumer.stores.transaction.Ledger`."""
        if self._connection is None:
            try:
                self._connection = self._connect()
                self._cursor = self._connection.cursor()
            except self.errors() as error:
                self.drop()
                failure = self._translate(error)
                raise StoreUnavailable(f"cannot connect: {failure}") from error
        try:
            self._start()
        except self.errors() as error:
            raise self._translate(error) from error

    def drop(self) -> None:
        """Close the connection, whatever its state."""
        connection, self._connection, self._cursor = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()

    def rollback(self) -> None:
        """Undo everything; a connection that cannot is dropped."""
        if self._connection is None:
            return
        try:
            self._connection.rollback()
        except Exception:  # noqa: BLE001 - whatever it is, the connection is of no use
            self.drop()

    def commit(self) -> None:
        """Make it last."""
        if self._connection is None:
            raise StoreUnavailable("the connection was lost")
        try:
            self._connection.commit()
        except self.errors() as error:
            failure = self._translate(error)
            if self._connection is None:
                raise CommitUnknown(str(failure)) from error
            raise failure from error

    def run(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Execute one statement; its cursor, good until the next one."""
        if self._cursor is None:
            raise StoreUnavailable("the connection was lost")
        text = self._translated.get(statement)
        if text is None:
            text = self._translated[statement] = statement.replace("?", self.placeholder)
            if len(self._translated) > 1000:  # noqa: PLR2004 - statements with lists vary in length
                self._translated.clear()
        try:
            self._cursor.execute(text, values)
        except self.errors() as error:
            raise self._translate(error) from error
        return self._cursor

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Execute a query; its rows."""
        return list(self.run(statement, values).fetchall())

    # -- fence and inbox

    def group_id(self, name: str) -> int | None:
        """The id of a group."""
        known = self._groups.get(name)
        if known is not None:
            return known
        found = self.rows("SELECT id FROM consumer_groups WHERE name = ?", (name,))
        return int(found[0][0]) if found else None

    def _make_group(self, name: str) -> int:
        found = self.group_id(name)
        if found is None:
            self.insert_rows("consumer_groups", ("name",), [(name,)], self.skip_present_group)
            found = self.group_id(name)
        if found is None:
            raise StoreUnavailable("the consumer group cannot be registered")
        return found

    skip_present_group = ""

    def fence(self, batch: Batch, now: float) -> Stream | None:
        """Move the offset if it stands where it should, and raise the version."""
        place = (batch.group, batch.topic, batch.partition)
        moment = int(now * 1_000_000)
        if batch.expected is None:
            group = self._make_group(batch.group)
            changed = self.insert_rows(
                "offsets",
                (
                    "consumer_group",
                    "topic",
                    "partition_id",
                    "next_offset",
                    "topic_id",
                    "version",
                    "updated_at",
                ),
                [(*place, batch.next_offset, batch.topic_id, moment, now)],
                self.skip_present_offsets,
            )
        else:
            changed = self.run(
                "UPDATE offsets SET next_offset = ?, topic_id = COALESCE(topic_id, ?), "
                f"version = {self.greatest}(version + 1, ?), updated_at = ? "
                "WHERE consumer_group = ? AND topic = ? AND partition_id = ? AND next_offset = ? "
                "AND (topic_id IS NULL OR COALESCE(?, topic_id) = topic_id)",
                (
                    batch.next_offset,
                    batch.topic_id,
                    moment,
                    now,
                    *place,
                    batch.expected,
                    batch.topic_id,
                ),
            ).rowcount
            group = self.group_id(batch.group) or 0
        if changed != 1:
            return None
        ident, version = self.rows(
            "SELECT id, version FROM offsets "
            "WHERE consumer_group = ? AND topic = ? AND partition_id = ?",
            place,
        )[0]
        if batch.expected is not None:
            self._groups[batch.group] = group  # committed long ago: safe to remember
        return Stream(id=int(ident), group_id=group, version=int(version))

    skip_present_offsets = ""

    def claim(self, stream: Stream, claims: Sequence[Claim], now: float) -> dict[str, Claimed]:
        """Insert, and read back when not every row was new."""
        if self.insert_claims(stream, claims, int(now)) == len(claims):
            return {}
        return self._read_back(stream, claims)

    def insert_claims(self, stream: Stream, claims: Sequence[Claim], now: int) -> int:
        """Insert what is not there; how many that were."""
        group_id, stream_id = stream.group_id, stream.id
        return self.insert_rows(
            "inbox",
            INBOX_COLUMNS,
            [
                (group_id, name, stream_id, offset, fingerprint, now)
                for name, offset, fingerprint in claims
            ],
            self.skip_present,
        )

    def _read_back(self, stream: Stream, claims: Sequence[Claim]) -> dict[str, Claimed]:
        mine = {(name, offset) for name, offset, _ in claims}
        seen: dict[str, Claimed] = {}
        for some in chunks(claims, KEYS_AT_ONCE):
            for name, stream_id, offset, content in self.rows(
                "SELECT operation_id, stream_id, record_offset, content FROM inbox "
                f"WHERE group_id = ? AND operation_id IN ({marks(len(some))})",
                (stream.group_id, *(one[0] for one in some)),
            ):
                text = name.decode() if isinstance(name, bytes) else str(name)
                if stream_id != stream.id or (text, offset) not in mine:
                    seen[text] = Claimed(int(stream_id), int(offset), bytes(content))
        return seen

    def position(self, group: str, topic: str, partition: int) -> Position | None:
        """Where the partition goes on."""
        found = self.rows(
            "SELECT next_offset, topic_id FROM offsets "
            "WHERE consumer_group = ? AND topic = ? AND partition_id = ?",
            (group, topic, partition),
        )
        if not found:
            return None
        return Position(next_offset=int(found[0][0]), topic_id=found[0][1])

    # -- rows

    def present(self, table: EntityTable, keys: Sequence[Key]) -> dict[Key, int]:
        """Lock rows in the order of their keys; their versions."""
        names = ", ".join(self._quote(one) for one in table.key)
        version = self._quote("row_version") if table.versioned else "0"
        start = f"SELECT {names}, {version} FROM {self._quote(table.name)} WHERE "
        found: dict[Key, int] = {}
        for some in chunks(sorted(keys, key=_by_type), KEYS_AT_ONCE // len(table.key)):
            where, values = self.where_keys(table, some)
            asked = {_comparable(one): one for one in some}
            for row in self.rows(f"{start}{where}{self.lock_rows}", values):
                key = asked.get(_comparable(row[:-1]))
                if key is None:  # equal for the database, not for Python: a collation's work
                    key = self._collated(table, tuple(row[:-1]), some)
                if key is not None:
                    found[key] = int(row[-1])
        return found

    @staticmethod
    def _collated(table: EntityTable, row: Key, keys: Sequence[Key]) -> Key | None:
        wanted = _loosely(table.canonical(row))
        for key in keys:
            if _loosely(table.canonical(key)) == wanted:
                return key
        return None

    def where_keys(self, table: EntityTable, keys: Sequence[Key]) -> tuple[str, list[Any]]:
        """The condition for these keys and its values."""
        names = [self._quote(one) for one in table.key]
        if len(names) == 1:
            return f"{names[0]} IN ({marks(len(keys))})", [one[0] for one in keys]
        one = "(" + " AND ".join(f"{name} = ?" for name in names) + ")"
        return " OR ".join([one] * len(keys)), [value for key in keys for value in key]

    def savepoint(self) -> None:
        """One name is enough: sets nest no deeper than one."""
        self.run("SAVEPOINT part")

    def release(self) -> None:
        """Keep what was done since."""
        self.run("RELEASE SAVEPOINT part")

    def back_to_savepoint(self) -> None:
        """Undo what was done since."""
        self.run("ROLLBACK TO SAVEPOINT part")
        self.run("RELEASE SAVEPOINT part")

    # -- what waits

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

    def any_parked(self, group_id: int) -> bool:
        """One look at the index."""
        return bool(self.rows("SELECT 1 FROM parked WHERE group_id = ? LIMIT 1", (group_id,)))

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
            _text(row[2]),
            int(row[3]),
            int(row[4]),
            _bytes(row[5]),
            self._whole("parked", int(row[0]), _bytes(row[6])),
            int(row[7]),
            decode_headers(row[8]),
        )
        return Parked(
            id=int(row[0]),
            stream_id=int(row[1]),
            record=record,
            operation_id=_text(row[9]),
            attempts=int(row[10]),
            code=_text(row[11]),
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
            group=_text(row[1]),
            topic=_text(row[2]),
            partition=int(row[3]),
            offset=int(row[4]),
            operation_id=_text(row[5]),
            key=_bytes(row[6]),
            value=self._whole("dead_letters", int(row[0]), _bytes(row[7])),
            timestamp_ms=int(row[8]),
            headers=decode_headers(row[9]),
            error_class=_text(row[10]),
            error_message=_text(row[11]),
            stack=_text(row[12]),
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

    # -- cache intents

    def note_touched(self, tables: Sequence[TablePlan], version: int, now: float) -> int:
        """One row of the outbox for up to 500 changed rows of an entity."""
        rows: list[tuple[Any, ...]] = []
        count = 0
        for plan in tables:
            for keys, gone in ((plan.changed, 0), (plan.gone, 1)):
                count += len(keys)
                rows += [
                    (now, version, plan.table.entity, encode_keys(some, gone))
                    for some in chunks(keys, KEYS_AT_ONCE)
                ]
        if rows:
            self.insert_rows("cache_outbox", ("created_at", "version", "entity", "changes"), rows)
        return count

    def outbox(self, limit: int) -> list[tuple[int, float, int, str, list[tuple[Key, bool]]]]:
        """Id, time, version, entity and keys; whole rows of the outbox, about ``limit`` keys."""
        result = []
        count = 0
        wanted = max(1, limit // KEYS_AT_ONCE)
        while True:
            found = self.rows(
                "SELECT id, created_at, version, entity, changes FROM cache_outbox "
                f"ORDER BY id LIMIT {wanted}"
            )
            result = [
                (int(row[0]), float(row[1]), int(row[2]), _text(row[3]), decode_keys(row[4]))
                for row in found
            ]
            count = sum(len(one[4]) for one in result)
            if len(found) < wanted or count >= limit:
                return result
            wanted *= 4

    def forget_outbox(self, ids: Sequence[int]) -> None:
        """Delete these."""
        for some in chunks(ids, KEYS_AT_ONCE):
            self.run(f"DELETE FROM cache_outbox WHERE id IN ({marks(len(some))})", tuple(some))

    def read_rows(
        self, table: EntityTable, keys: Sequence[Key]
    ) -> dict[Key, tuple[dict[str, Any], int]]:
        """Rows as they are now, ready for JSON, with their versions."""
        from database_consumer.entities.reading import plain_row

        columns = list(table.columns.values())
        names = ", ".join(self._quote(one.name) for one in columns)
        version = self._quote("row_version") if table.versioned else "0"
        start = f"SELECT {names}, {version} FROM {self._quote(table.name)} WHERE "
        places = [list(table.columns).index(one) for one in table.key]
        found: dict[Key, tuple[dict[str, Any], int]] = {}
        for some in chunks(keys, KEYS_AT_ONCE // len(table.key)):
            where, values = self.where_keys(table, some)
            asked = {_comparable(one): one for one in some}
            for row in self.rows(start + where, values):
                read = tuple(row[place] for place in places)
                key = asked.get(_comparable(read)) or self._collated(table, read, some)
                if key is not None:
                    found[key] = (plain_row(columns, row[:-1]), int(row[-1]))
        return found

    def all_rows(self, table: EntityTable, limit: int | None) -> list[dict[str, Any]]:
        """Every row, ready for JSON."""
        from database_consumer.entities.reading import plain_row

        columns = list(table.columns.values())
        names = ", ".join(self._quote(one.name) for one in columns)
        order = ", ".join(self._quote(one) for one in table.key)
        bound = "" if limit is None else f" LIMIT {int(limit)}"
        found = self.rows(f"SELECT {names} FROM {self._quote(table.name)} ORDER BY {order}{bound}")
        return [plain_row(columns, row) for row in found]

    def check_writable(self) -> None:
        """Raises :class:`StoreUnavailable` when the database would refuse a write."""
        self.run("UPDATE consumer_groups SET name = name WHERE id = 0")

    def look_at_schema(self) -> None:  # noqa: B027 - most have nothing to learn
        """Learn what the dialect needs to know of the tables."""

    def counts(self) -> StoreCounts:
        """In one look."""
        row = self.rows(
            "SELECT (SELECT COUNT(*) FROM parked), (SELECT COUNT(*) FROM dead_letters), "
            "(SELECT COUNT(*) FROM dead_letters WHERE published_at IS NULL), "
            "(SELECT COUNT(*) FROM cache_outbox), (SELECT MIN(parked_at) FROM parked), "
            "(SELECT MIN(created_at) FROM cache_outbox)"
        )[0]
        return StoreCounts(
            parked=int(row[0]),
            dead_letters=int(row[1]),
            unpublished_dead_letters=int(row[2]),
            cache_intents=int(row[3]),
            oldest_parked=None if row[4] is None else float(row[4]),
            oldest_cache_intent=None if row[5] is None else float(row[5]),
        )


def encode_keys(keys: Sequence[Key], gone: int) -> bytes:
    """Keys for the outbox, and whether their rows are gone."""
    return _keys_encoder.encode((gone, keys))


def decode_keys(encoded: bytes | str) -> list[tuple[Key, bool]]:
    """Keys of the outbox again."""
    gone, keys = msgspec.json.decode(encoded)
    return [
        (
            tuple([bytes.fromhex(one["b"]) if isinstance(one, dict) else one for one in key]),
            bool(gone),
        )
        for key in keys
    ]


def _by_type(key: Key) -> list[tuple[str, Any]]:
    return [(type(one).__name__, one) for one in key]


def _comparable(key: Iterable[Any]) -> tuple[Any, ...]:
    """Keys as drivers read them against keys as messages bring them: dates and decimals as text."""
    return tuple(
        one if type(one) in {int, str, bytes} else bytes(one) if _octets(one) else _plain(one)
        for one in key
    )


def _loosely(key: Key) -> tuple[Any, ...]:
    """Without the fraction of a second that a column does not keep."""
    return tuple(
        one.removesuffix(".000000") if isinstance(one, str) else one for one in _comparable(key)
    )


def _octets(value: Any) -> bool:
    return isinstance(value, bytearray | memoryview)


def _plain(value: Any) -> Any:
    from database_consumer.entities.reading import stored_form

    return stored_form(value)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _bytes(value: Any) -> bytes | None:
    if value is None:
        return None
    return value.encode() if isinstance(value, str) else bytes(value)
