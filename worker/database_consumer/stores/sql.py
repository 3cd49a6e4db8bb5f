"""The ledger in a SQL database: what MySQL and SQLite have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from database_consumer.batching import TablePlan, keys_in_order
from database_consumer.entities.model import DEFAULT, EntityTable, Key, WholeRow
from database_consumer.entities.reading import plain_columns, plain_row, stored_form
from database_consumer.stores.base import Batch, Position, StoreCounts, StoreUnavailable
from database_consumer.stores.sqlconnection import KEYS_AT_ONCE, as_text, chunks, marks
from database_consumer.stores.sqlwaiting import SqlWaiting
from database_consumer.stores.transaction import Claim, Claimed, Stream
from database_consumer.stores.written import Faithful

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


def by_columns(
    plan: TablePlan,
) -> Iterable[tuple[tuple[str, ...], list[Sequence[Any]]]]:
    """Names and values of the columns of the inserts that hold anything, column by column.

    A column that is null in every row is left out, as is one that the database fills in.
    """
    table = plan.table
    if not table.has_defaults:
        return [_held(table.names, plan.columns or list(zip(*plan.inserts, strict=True)))]
    groups: dict[tuple[int, ...], list[WholeRow]] = {}
    for row in plan.inserts:
        given = tuple([place for place, one in enumerate(row) if one is not DEFAULT])
        groups.setdefault(given, []).append(tuple([row[place] for place in given]))
    return [
        _held(tuple([table.names[place] for place in given]), list(zip(*some, strict=True)))
        for given, some in groups.items()
    ]


def _held(
    names: tuple[str, ...], columns: Sequence[Sequence[Any]]
) -> tuple[tuple[str, ...], list[Sequence[Any]]]:
    kept = [
        place
        for place, one in enumerate(columns)
        # the first look is enough for most columns
        if one[0] is not None or one.count(None) != len(one)
    ]
    return tuple([names[place] for place in kept]), [columns[place] for place in kept]


class SqlLedger(SqlWaiting):
    """The steps of a ledger; see :class:`database_consumer.stores.transaction.Ledger`."""

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
        ident, version, parked = self.rows(
            "SELECT id, version, EXISTS (SELECT 1 FROM parked WHERE group_id = ?) FROM offsets "
            "WHERE consumer_group = ? AND topic = ? AND partition_id = ?",
            (group, *place),
        )[0]
        if batch.expected is not None:
            self._groups[batch.group] = group  # committed long ago: safe to remember
        return Stream(id=int(ident), group_id=group, version=int(version), parked=bool(parked))

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

    def present(self, table: EntityTable, keys: Sequence[Key], *, likely: bool) -> dict[Key, int]:
        """Lock rows in the order of their keys; their versions."""
        del likely
        names = ", ".join(self._quote(one) for one in table.key)
        version = self._quote("row_version") if table.versioned else "0"
        start = f"SELECT {names}, {version} FROM {self._quote(table.name)} WHERE "
        found: dict[Key, int] = {}
        for some in chunks(keys_in_order(keys), KEYS_AT_ONCE // len(table.key)):
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

    def faithful(self, table: EntityTable) -> Faithful | None:
        """Unknown: every row is read again."""
        del table
        return None

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
                (int(row[0]), float(row[1]), int(row[2]), as_text(row[3]), decode_keys(row[4]))
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

    def read_rows(self, table: EntityTable, keys: Sequence[Key]) -> dict[Key, tuple[bytes, int]]:
        """Rows as they are now, as JSON, with their versions."""
        columns = list(table.columns.values())
        names = ", ".join(self._quote(one.name) for one in columns)
        version = self._quote("row_version") if table.versioned else "0"
        start = f"SELECT {names}, {version} FROM {self._quote(table.name)} WHERE "
        found: dict[Key, tuple[bytes, int]] = {}
        for some in chunks(keys, KEYS_AT_ONCE // len(table.key)):
            where, values = self.where_keys(table, some)
            asked = {_comparable(one): one for one in some}
            read = self.rows(start + where, values)
            if not read:
                continue
            texts = table.json_rows(zip(*plain_columns(columns, read), strict=True))
            for row, text in zip(read, texts, strict=True):
                mine = tuple([row[place] for place in table.key_places])
                key = asked.get(_comparable(mine)) or self._collated(table, mine, some)
                if key is not None:
                    found[key] = (text, int(row[-1]))
        return found

    def all_rows(self, table: EntityTable, limit: int | None) -> list[dict[str, Any]]:
        """Every row, ready for JSON."""
        columns = list(table.columns.values())
        names = ", ".join(self._quote(one.name) for one in columns)
        order = ", ".join(self._quote(one) for one in table.key)
        bound = "" if limit is None else f" LIMIT {int(limit)}"
        found = self.rows(f"SELECT {names} FROM {self._quote(table.name)} ORDER BY {order}{bound}")
        return [plain_row(columns, row) for row in found]

    def check_writable(self) -> None:
        """Raises :class:`StoreUnavailable` when the database would refuse a write."""
        self.run("UPDATE consumer_groups SET name = name WHERE id = 0")

    def look_at_schema(self) -> None:
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


_AS_THEY_ARE = frozenset({int, str, bytes})


def _comparable(key: Iterable[Any]) -> tuple[Any, ...]:
    """Keys as drivers read them against keys as messages bring them: dates and decimals as text."""
    key = tuple(key)
    if len(key) == 1 and type(key[0]) in _AS_THEY_ARE:
        return key
    return tuple(
        one if type(one) in {int, str, bytes} else bytes(one) if _octets(one) else stored_form(one)
        for one in key
    )


_DASHED = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
"""MariaDB's type UUID reads with dashes whatever was written."""


def _loosely(key: Key) -> tuple[Any, ...]:
    """Without the fraction of a second that a column does not keep, or the dashes of a UUID.

    Only for rows that the database found equal to one of the keys that it was asked for.
    """
    return tuple(_bare(one) if isinstance(one, str) else one for one in _comparable(key))


def _bare(text: str) -> str:
    if _DASHED.match(text):
        return text.replace("-", "")
    return text.removesuffix(".000000")


def _octets(value: Any) -> bool:
    return isinstance(value, bytearray | memoryview)
