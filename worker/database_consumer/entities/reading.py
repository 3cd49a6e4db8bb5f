"""From what a driver reads to what a message or the cache holds."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from database_consumer.entities.model import Column


def stored_form(value: Any) -> Any:
    """The value as :mod:`database_consumer.entities.coercion` would store it."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        text = f"{value.year:04d}-{value.month:02d}-{value.day:02d} {value:%H:%M:%S}"
        return f"{text}.{value.microsecond:06d}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):  # MySQL's drivers read TIME as a duration
        value = (datetime(1, 1, 1) + value).time()  # noqa: DTZ001 - a time of day
    if isinstance(value, time):
        return f"{value:%H:%M:%S}.{value.microsecond:06d}"
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    return value


def plain_row(columns: Sequence[Column], row: Iterable[Any]) -> dict[str, Any]:
    """A row ready for JSON, as a message would give it.

    Moments are ISO text in UTC with a Z, bytes base64, documents parsed, decimals text.
    """
    return {
        column.name: None if value is None else _plain(column.form, stored_form(value))
        for column, value in zip(columns, row, strict=True)
    }


def _plain(form: str, value: Any) -> Any:
    if form == "document":
        return msgspec.json.decode(value) if isinstance(value, str | bytes) else value
    if form == "boolean":
        return bool(value)
    if form == "moment":
        return str(value).replace(" ", "T") + "Z"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode() if form == "binary" else value.decode()
    return value
