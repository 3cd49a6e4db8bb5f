"""From what a driver reads to what a message or the cache holds."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from database_consumer.entities.model import Column


def stored_form(value: Any) -> Any:  # noqa: PLR0911 - one line for each type of a driver
    """The value as :mod:`database_consumer.entities.coercion` would store it."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        text = f"{value.year:04d}-{value.month:02d}-{value.day:02d} {value:%H:%M:%S}"
        return f"{text}.{value.microsecond:06d}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):  # MySQL's drivers read TIME as a duration
        if not timedelta() <= value < timedelta(days=1):
            return _duration(value)
        value = (datetime(1, 1, 1) + value).time()  # noqa: DTZ001 - a time of day
    if isinstance(value, time):
        return f"{value:%H:%M:%S}.{value.microsecond:06d}"
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, set):  # mysqlclient reads a SET as one
        return ",".join(sorted(value))
    return value


def _duration(value: timedelta) -> str:
    """A TIME that is no time of day, as MySQL writes it: ``-838:59:59.000000`` and up."""
    seconds, micros = divmod(abs(value) // timedelta(microseconds=1), 1_000_000)
    sign = "-" if value < timedelta() else ""
    return f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{micros:06d}"


def plain_row(columns: Sequence[Column], row: Iterable[Any]) -> dict[str, Any]:
    """A row ready for JSON, as a message would give it.

    Moments are ISO text in UTC with a Z, bytes base64, documents parsed, decimals text.
    """
    return {
        column.name: None if value is None else _plain(column.form, stored_form(value))
        for column, value in zip(columns, row, strict=True)
    }


def plain_columns(columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """The same of many rows, by columns: what is ready for JSON as it is, is not looked at twice.

    ``rows`` may have more values than there are columns; there is at least one row.
    """
    found: list[Sequence[Any]] = []
    for column, values in zip(columns, zip(*rows, strict=True), strict=False):
        if column.form == "plain" and _READY.issuperset(map(type, values)):
            found.append(values)
        else:
            form = column.form
            found.append(
                [None if one is None else _plain(form, stored_form(one)) for one in values]
            )
    return found


_READY = frozenset({str, int, float, type(None)})


def _plain(form: str, value: Any) -> Any:
    if form == "document":
        return msgspec.json.decode(value) if isinstance(value, str | bytes) else value
    if form == "boolean":
        return bool(value)
    if form == "bits":
        return int.from_bytes(value, "big") if isinstance(value, bytes) else value
    if form == "moment":
        return str(value).replace(" ", "T") + "Z"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode() if form == "binary" else value.decode()
    return value
