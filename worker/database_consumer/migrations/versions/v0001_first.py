"""The first release's schema, as it was; later changes are revisions of their own."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from database_consumer.entities.types import BigInt, Document, ExactDecimal, Identifier, Moment

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

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


def _table(name: str, *columns: sa.Column[Any], business: bool = True) -> sa.Table:
    parts: list[Any] = [sa.Column("id", Identifier(), primary_key=True, autoincrement=False)]
    if business:
        parts.append(
            sa.Column(
                "business_id",
                Identifier(),
                sa.ForeignKey("businesses.id", name=f"fk_{name}_business"),
                index=True,
            )
        )
    parts += columns
    parts += [
        sa.Column("attributes", Document()),
        sa.Column("created_at", Moment),
        sa.Column("updated_at", Moment),
        sa.Column("row_version", BigInt, nullable=False, server_default="0"),
    ]
    return sa.Table(
        name,
        metadata,
        *parts,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
        sqlite_with_rowid=False,
    )


_long_text = sa.Text().with_variant(mysql.TEXT(), "mysql", "mariadb")

BUSINESSES = _table(
    "businesses",
    sa.Column("name", sa.String(255)),
    sa.Column("description", _long_text),
    sa.Column("industry", sa.String(120)),
    sa.Column("country", sa.String(80)),
    sa.Column("website", sa.String(500)),
    sa.Column("founded_on", sa.Date()),
    sa.Column("active", sa.Boolean()),
    sa.Column("owner_id", Identifier()),
    business=False,
)
USERS = _table(
    "users",
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("email", sa.String(320), nullable=False),
    sa.Column("phone", sa.String(50)),
    sa.Column("role", sa.String(80)),
    sa.Column("active", sa.Boolean()),
    sa.Column("birth_date", sa.Date()),
    sa.Column("avatar", sa.LargeBinary(65_535)),
    business=False,
)
FINANCES = _table(
    "finances",
    sa.Column("year", sa.Integer()),
    sa.Column("currency", sa.String(3)),
    sa.Column("amount", ExactDecimal(20, 4)),
    sa.Column("revenue", ExactDecimal(20, 4)),
    sa.Column("expenses", ExactDecimal(20, 4)),
    sa.Column("profit", ExactDecimal(20, 4)),
    sa.Column("funding", ExactDecimal(20, 4)),
    sa.Column("notes", _long_text),
)
BUSINESS_MODELS = _table(
    "business_models",
    sa.Column("name", sa.String(255)),
    sa.Column("description", _long_text),
    sa.Column("value_proposition", _long_text),
    sa.Column("revenue_streams", Document()),
    sa.Column("customer_segments", Document()),
)
WORK_TEAMS = _table(
    "work_teams",
    sa.Column("name", sa.String(255)),
    sa.Column("role", sa.String(120)),
    sa.Column("size", sa.Integer()),
    sa.Column("lead_id", Identifier()),
    sa.Column("members", Document()),
)
RATINGS = _table(
    "ratings",
    sa.Column("user_id", Identifier()),
    sa.Column("score", ExactDecimal(6, 3)),
    sa.Column("comment", _long_text),
    sa.Column("rated_at", Moment),
)
SOCIAL_ENVIRONMENTAL_IMPACTS = _table(
    "social_environmental_impacts",
    sa.Column("category", sa.String(120)),
    sa.Column("description", _long_text),
    sa.Column("metric", sa.String(120)),
    sa.Column("value", ExactDecimal(20, 6)),
    sa.Column("unit", sa.String(40)),
    sa.Column("measured_on", sa.Date()),
)


def upgrade() -> None:
    """Create what is not there: a run that was killed half way is simply run again."""
    bind = op.get_bind()
    for table in metadata.sorted_tables:
        indexes = set(table.indexes)
        table.indexes.clear()
        try:
            table.create(bind, checkfirst=True)
        finally:
            table.indexes.update(indexes)
        for index in sorted(indexes, key=lambda one: str(one.name)):
            index.create(bind, checkfirst=True)


def downgrade() -> None:
    """Drop everything."""
    metadata.drop_all(op.get_bind())
