"""The worker's own tables: where it stands, what it has seen, what waits.

| table | holds |
|---|---|
| ``consumer_groups`` | a small number for each consumer group |
| ``offsets`` | where each partition goes on; its row is the fence |
| ``inbox`` | every operation id that was won, where from, and a digest of its content |
| ``dead_letters`` | operations that will not be applied, whole |
| ``parked``, ``parked_keys`` | operations that wait, and the keys that they hold |
| ``payload_parts`` | what of a large message does not fit into one statement |
| ``cache_outbox`` | keys of changed rows that the cache has not been told |

Ids and names are compared as bytes: default collations would merge case variants.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from database_consumer.entities.types import BigInt

metadata = sa.MetaData()

_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
_WITHOUT_ROWID: dict[str, Any] = {"sqlite_with_rowid": False}

_Name = sa.String(249).with_variant(mysql.VARBINARY(249), "mysql", "mariadb")
_OperationId = sa.String(200).with_variant(mysql.VARBINARY(200), "mysql", "mariadb")
_Digest = sa.LargeBinary(16).with_variant(mysql.BINARY(16), "mysql", "mariadb")
_Bytes = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
_Text = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
_Time: sa.Double[float] = sa.Double()

CONSUMER_GROUPS = sa.Table(
    "consumer_groups",
    metadata,
    sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
    sa.Column("name", _Name, nullable=False, unique=True),
    **_OPTIONS,
)
OFFSETS = sa.Table(
    "offsets",
    metadata,
    sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
    sa.Column("consumer_group", _Name, nullable=False),
    sa.Column("topic", _Name, nullable=False),
    sa.Column("partition_id", sa.Integer(), nullable=False),
    sa.Column("next_offset", sa.BigInteger(), nullable=False),
    sa.Column("topic_id", sa.String(64)),
    sa.Column("version", sa.BigInteger(), nullable=False),
    sa.Column("updated_at", _Time, nullable=False),
    sa.UniqueConstraint("consumer_group", "topic", "partition_id", name="uq_offsets"),
    **_OPTIONS,
)
INBOX = sa.Table(
    "inbox",
    metadata,
    sa.Column("group_id", sa.Integer(), primary_key=True, autoincrement=False),
    sa.Column("operation_id", _OperationId, primary_key=True),
    sa.Column("stream_id", sa.Integer(), nullable=False),
    sa.Column("record_offset", sa.BigInteger(), nullable=False),
    sa.Column("content", _Digest, nullable=False),
    sa.Column("applied_at", sa.BigInteger(), nullable=False),
    **_OPTIONS,
    **_WITHOUT_ROWID,
)
DEAD_LETTERS = sa.Table(
    "dead_letters",
    metadata,
    sa.Column("id", BigInt, primary_key=True, autoincrement=True),
    sa.Column("consumer_group", _Name, nullable=False),
    sa.Column("topic", _Name, nullable=False),
    sa.Column("partition_id", sa.Integer(), nullable=False),
    sa.Column("record_offset", sa.BigInteger(), nullable=False),
    sa.Column("operation_id", sa.String(200), nullable=False),
    sa.Column("record_key", _Bytes),
    sa.Column("record_value", _Bytes),
    sa.Column("timestamp_ms", sa.BigInteger(), nullable=False),
    sa.Column("headers", _Bytes, nullable=False),
    sa.Column("error_class", sa.String(64), nullable=False),
    sa.Column("error_message", _Text, nullable=False),
    sa.Column("stack", _Text, nullable=False),
    sa.Column("attempts", sa.Integer(), nullable=False),
    sa.Column("failed_at", _Time, nullable=False),
    sa.Column("published_at", _Time),
    sa.Column("replayed_at", _Time),
    sa.Index("ix_dead_letters_published", "published_at", "id"),
    **_OPTIONS,
    sqlite_autoincrement=True,
)
PARKED = sa.Table(
    "parked",
    metadata,
    sa.Column("id", BigInt, primary_key=True, autoincrement=True),
    sa.Column("group_id", sa.Integer(), nullable=False),
    sa.Column("stream_id", sa.Integer(), nullable=False),
    sa.Column("record_offset", sa.BigInteger(), nullable=False),
    sa.Column("operation_id", sa.String(200), nullable=False),
    sa.Column("record_key", _Bytes),
    sa.Column("record_value", _Bytes),
    sa.Column("timestamp_ms", sa.BigInteger(), nullable=False),
    sa.Column("headers", _Bytes, nullable=False),
    sa.Column("error_class", sa.String(64), nullable=False),
    sa.Column("error_message", _Text, nullable=False),
    sa.Column("stack", _Text, nullable=False),
    sa.Column("attempts", sa.Integer(), nullable=False),
    sa.Column("due_at", _Time),
    sa.Column("parked_at", _Time, nullable=False),
    sa.Index("ix_parked_due", "group_id", "due_at"),
    **_OPTIONS,
    sqlite_autoincrement=True,
)
PARKED_KEYS = sa.Table(
    "parked_keys",
    metadata,
    sa.Column("group_id", sa.Integer(), primary_key=True, autoincrement=False),
    sa.Column("key_digest", _Digest, primary_key=True),
    sa.Column("parked_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Index("ix_parked_keys_parked", "parked_id"),
    **_OPTIONS,
    **_WITHOUT_ROWID,
)
PAYLOAD_PARTS = sa.Table(
    "payload_parts",
    metadata,
    sa.Column("owner", sa.String(16), primary_key=True),
    sa.Column("owner_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("part", sa.Integer(), primary_key=True, autoincrement=False),
    sa.Column("bytes", _Bytes, nullable=False),
    **_OPTIONS,
    **_WITHOUT_ROWID,
)
CACHE_OUTBOX = sa.Table(
    "cache_outbox",
    metadata,
    sa.Column("id", BigInt, primary_key=True, autoincrement=True),
    sa.Column("created_at", _Time, nullable=False),
    sa.Column("version", sa.BigInteger(), nullable=False),
    sa.Column("entity", sa.String(200), nullable=False),
    sa.Column("changes", _Bytes, nullable=False),
    **_OPTIONS,
    sqlite_autoincrement=True,
)

TABLE_NAMES = frozenset(metadata.tables)
"""Names that an application's table cannot have."""
