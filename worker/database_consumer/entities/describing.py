"""From a SQLAlchemy table to what may be written to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from database_consumer.entities import coercion
from database_consumer.entities.model import VERSION_COLUMN, Catalogue, Column, EntityTable
from database_consumer.entities.types import Document, ExactDecimal, Identifier

_TEXT_OCTETS = {
    mysql.TINYTEXT: 255,
    mysql.TEXT: 65_535,
    mysql.MEDIUMTEXT: (1 << 24) - 1,
    mysql.LONGTEXT: (1 << 32) - 1,
    mysql.TINYBLOB: 255,
    mysql.BLOB: 65_535,
    mysql.MEDIUMBLOB: (1 << 24) - 1,
    mysql.LONGBLOB: (1 << 32) - 1,
}
"""Bytes that MySQL's types hold (MySQL manual, 'Data Type Storage Requirements')."""

_PLAIN_TEXT_OCTETS = 65_535
_BITS = {mysql.TINYINT: 8, mysql.MEDIUMINT: 24}


def describe(
    table: sa.Table, *, entity: str, dialect: str, byte_compared: bool | None = None
) -> EntityTable:
    """What may be written to ``table``; ``dialect`` is ``mysql``, ``sqlite`` or ``json``.

    ``byte_compared`` says whether the key's text columns are compared as bytes; None: SQLite's and
    the file's are, MySQL's only when their type says so.
    """
    columns = [_column(one, dialect) for one in table.columns if one.computed is None]
    keys = list(table.primary_key.columns)
    exact = byte_compared
    if exact is None:
        exact = all(_compared_as_bytes(one.type, dialect) for one in keys)
    return EntityTable(entity=entity, table=table, columns=columns, exact_text=exact)


def catalogue(
    tables: Mapping[str, sa.Table] | Iterable[tuple[str, sa.Table]], dialect: str
) -> Catalogue:
    """The catalogue of these tables by entity."""
    pairs = tables.items() if isinstance(tables, Mapping) else tables
    return Catalogue(describe(table, entity=entity, dialect=dialect) for entity, table in pairs)


def _compared_as_bytes(kind: Any, dialect: str) -> bool:
    if isinstance(kind, Identifier) or not isinstance(kind, sa.String) or isinstance(kind, sa.Uuid):
        return True
    if dialect != "mysql":
        return True
    collation = getattr(kind, "collation", None) or ""
    # *_bin still ignores trailing blanks (PAD SPACE), but such keys are rare enough to fold.
    return collation == "binary"


def _column(column: sa.Column[Any], dialect: str) -> Column:
    kind = column.type
    if not isinstance(kind, Identifier | ExactDecimal | Document):
        kind = _variant(kind, dialect)
    convert, form, quick = _converter(kind, dialect)
    own = str(column.name)
    names = [own]
    camel = _camel(own)
    if camel != own:
        names.append(camel)
    default = column.server_default is not None or (
        column.primary_key and column.autoincrement is True
    )
    return Column(
        name=own,
        names=tuple(names),
        convert=convert,
        nullable=bool(column.nullable) and not column.primary_key,
        default=default or own == VERSION_COLUMN,
        form=form,
        quick=quick,
    )


def _variant(kind: Any, dialect: str) -> Any:
    mapping = getattr(kind, "_variant_mapping", {})
    return mapping.get(dialect, kind)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(one[:1].upper() + one[1:] for one in others)


def _converter(  # noqa: PLR0911 - one line for each kind of column
    kind: Any, dialect: str
) -> tuple[coercion.Convert, str, Any]:
    """The conversion, the form (how it reads back) and the type that msgspec can check."""
    if isinstance(kind, Identifier):
        return (
            coercion.identifier_text if dialect == "mysql" else coercion.identifier,
            "plain",
            None,
        )
    if isinstance(kind, ExactDecimal):
        return coercion.decimal(kind.precision, kind.scale), "decimal", None
    if isinstance(kind, sa.Enum):
        return coercion.choice(frozenset(str(one) for one in kind.enums)), "plain", None
    if isinstance(kind, sa.Uuid):
        return coercion.unique_id, "plain", None
    if isinstance(kind, sa.JSON | Document):
        return coercion.document, "document", None
    if isinstance(kind, sa.Boolean) or (
        isinstance(kind, mysql.TINYINT) and kind.display_width == 1
    ):
        return coercion.boolean, "boolean", None
    if isinstance(kind, sa.Integer):
        lowest, highest = _bounds(kind)
        quick = Annotated[int, msgspec.Meta(ge=lowest, le=highest)] if highest < 1 << 63 else None
        return coercion.integer(lowest, highest), "plain", quick
    return _other_converter(kind, dialect)


def _other_converter(  # noqa: PLR0911 - one line for each kind of column
    kind: Any, dialect: str
) -> tuple[coercion.Convert, str, Any]:
    if isinstance(kind, sa.Float):
        return coercion.double, "plain", None
    if isinstance(kind, sa.Numeric):
        return coercion.decimal(kind.precision, kind.scale), "decimal", None
    if isinstance(kind, sa.DateTime):
        return coercion.moment(_fraction(kind, dialect)), "moment", None
    if isinstance(kind, sa.Date):
        return coercion.day, "day", None
    if isinstance(kind, sa.Time):
        return coercion.clock, "clock", None
    if isinstance(kind, sa.String):
        octets = _TEXT_OCTETS.get(type(kind))
        if octets is None and kind.length is None:
            octets = _PLAIN_TEXT_OCTETS if isinstance(kind, sa.Text) or dialect != "mysql" else None
        # Bytes are counted only by the conversion: four for each character is the most.
        quick = None
        if kind.length is not None and (octets is None or 4 * kind.length <= octets):
            quick = Annotated[str, msgspec.Meta(max_length=kind.length)]
        return coercion.text(kind.length, octets), "plain", quick
    if isinstance(kind, sa.LargeBinary | sa.types._Binary):  # noqa: SLF001
        octets = _TEXT_OCTETS.get(type(kind), kind.length or _PLAIN_TEXT_OCTETS)
        return coercion.binary(octets), "binary", None
    raise ValueError(f"no conversion for columns of type {kind!r}; leave the table out")


def _bounds(kind: Any) -> tuple[int, int]:
    bits = 32
    if isinstance(kind, sa.BigInteger):
        bits = 64
    elif isinstance(kind, sa.SmallInteger):
        bits = 16
    for one, width in _BITS.items():
        if isinstance(kind, one):
            bits = width
    if getattr(kind, "unsigned", False):
        return 0, (1 << bits) - 1
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def _fraction(kind: Any, dialect: str) -> int:
    fsp = getattr(kind, "fsp", None)
    if fsp is not None:
        return int(fsp)
    if dialect != "mysql" or not isinstance(kind, mysql.DATETIME | mysql.TIMESTAMP):
        return 0 if dialect == "mysql" else 6
    return 0
