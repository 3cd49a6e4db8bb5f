"""Column types that keep their values exact in every store."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

IDENTIFIER_LENGTH = 100
"""Characters of an identifier."""


class Identifier(TypeDecorator[Any]):
    """A key that is an integer or a short text, whichever the senders use.

    MySQL keeps it as text that is compared as bytes (an integer reads back as its digits); SQLite
    keeps the type that came.
    """

    impl = sa.String(IDENTIFIER_LENGTH)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column's type in one database."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.LargeBinary())  # no affinity: kept as it came
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(
                mysql.VARCHAR(IDENTIFIER_LENGTH, charset="utf8mb4", collation="utf8mb4_bin")
            )
        return dialect.type_descriptor(sa.String(IDENTIFIER_LENGTH))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """As it is; MySQL gets text."""
        return str(value) if value is not None and dialect.name != "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        """As it is kept."""
        return value

    def bind_processor(self, dialect: Dialect) -> Any:
        """No LargeBinary processing: an integer stays an integer."""
        return lambda value: self.process_bind_param(value, dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002
        """Nothing to do."""
        return None


class ExactDecimal(TypeDecorator[Any]):
    """A decimal number that keeps every digit: DECIMAL, and text in SQLite (it has doubles)."""

    impl = sa.Numeric
    cache_ok = True

    def __init__(self, precision: int, scale: int) -> None:
        super().__init__(precision, scale)
        self.precision = precision
        self.scale = scale

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column's type in one database."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.Text())
        return dialect.type_descriptor(sa.Numeric(self.precision, self.scale))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Text in SQLite."""
        return str(value) if value is not None and dialect.name == "sqlite" else value


BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""64 bits; SQLite's INTEGER has them all, and only that name may count up by itself."""

Moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
"""A moment in UTC with microseconds."""


class Document(TypeDecorator[Any]):
    """Any JSON value as text; in SQLite a column named JSON would turn ``12`` into a number."""

    impl = sa.JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column's type in one database."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.Text())
        return dialect.type_descriptor(sa.JSON())
