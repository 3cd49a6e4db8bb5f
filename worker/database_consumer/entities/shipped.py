"""The seven entities that come with the worker.

Only what a row makes no sense without is required: everything else may be null. ``attributes``
takes any JSON that an application wants to keep beside the columns. A row that names a business
waits until that business is there. No column but the key is unique, because operations of
different keys have no order among each other.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from database_consumer.entities.model import VERSION_COLUMN
from database_consumer.entities.types import BigInt, Document, ExactDecimal, Identifier, Moment

metadata = sa.MetaData()


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
        sa.Column(VERSION_COLUMN, BigInt, nullable=False, server_default="0"),
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

TABLES: dict[str, sa.Table] = {
    "Business": BUSINESSES,
    "User": USERS,
    "Finance": FINANCES,
    "BusinessModel": BUSINESS_MODELS,
    "WorkTeam": WORK_TEAMS,
    "Rating": RATINGS,
    "SocialEnvironmentalImpact": SOCIAL_ENVIRONMENTAL_IMPACTS,
}
"""The table of each entity."""
