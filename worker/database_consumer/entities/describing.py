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
_YEARS = (1901, 2155)
_BITS = {mysql.TINYINT: 8, mysql.MEDIUMINT: 24}


class ColumnUnknown(ValueError):
    """No conversion is known for a column's type."""


def describe(
    table: sa.Table, *, entity: str, dialect: str, byte_compared: bool | None = None
) -> EntityTable:
    """What may be written to ``table``; ``dialect`` is ``mysql``, ``sqlite`` or ``json``.

    ``byte_compared`` says whether the key's text columns are compared as bytes; None: SQLite's and
    the file's are, MySQL's only when their type says so. A column of a type that nothing is known
    of is left out where the database can do without it. Raises ValueError.
    """
    columns = []
    for one in table.columns:
        if one.computed is not None:
            continue
        try:
            columns.append(_column(one, dialect))
        except ColumnUnknown as error:
            if one.primary_key or not (one.nullable or one.server_default is not None):
                where = f"table {table.name}, column {one.name}"
                raise ValueError(f"{where}: {error}; leave the table out") from error
    keys = list(table.primary_key.columns)
    if dialect == "mysql":
        _check(table)
    exact = byte_compared
    if exact is None:
        exact = all(_compared_as_bytes(one.type, dialect) for one in keys)
    return EntityTable(entity=entity, table=table, columns=columns, exact_text=exact)


def _check(table: sa.Table) -> None:
    """Raises ValueError for what would go wrong with every operation, or silently."""
    for one in table.primary_key.columns:
        if isinstance(one.type, mysql.BIT) or (
            isinstance(one.type, sa.Float) and not isinstance(one.type, sa.Double)
        ):
            raise ValueError(  # noqa: TRY004 - of a table, not of an argument
                f"table {table.name}: rows cannot be found by a key of type {one.type!r}; leave "
                "the table out"
            )
    version = table.columns.get(VERSION_COLUMN)
    if version is not None and not (
        isinstance(version.type, sa.Integer) and _bounds(version.type)[1] >= (1 << 63) - 1
    ):
        raise ValueError(
            f"table {table.name}: {VERSION_COLUMN} counts microseconds and must be a BIGINT, not "
            f"{version.type!r}"
        )


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
        # read from SQLite every whole number is an INTEGER, and holds 64 bits
        lowest, highest = _bounds(kind, sixty_four=dialect == "sqlite" and type(kind) is sa.INTEGER)
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
    if isinstance(kind, sa.String) and not isinstance(kind, mysql.SET):
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
        padded = octets if isinstance(kind, sa.BINARY) and dialect == "mysql" else 0
        return coercion.binary(octets, padded=padded), "binary", None
    return _mysql_converter(kind)


def _mysql_converter(kind: Any) -> tuple[coercion.Convert, str, Any]:
    """What only MySQL has."""
    if isinstance(kind, mysql.YEAR):
        return coercion.integer(*_YEARS), "plain", None
    if isinstance(kind, mysql.BIT):
        return coercion.bits(kind.length or 1), "bits", None
    if isinstance(kind, mysql.SET):
        return coercion.choices(frozenset(kind.values)), "plain", None
    raise ColumnUnknown(f"no conversion for columns of type {kind!r}")


def _bounds(kind: Any, *, sixty_four: bool = False) -> tuple[int, int]:
    bits = 32
    if isinstance(kind, sa.BigInteger) or sixty_four:
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
