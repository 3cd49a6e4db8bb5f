"""From a JSON value to what a column stores: pure functions, one per kind of column.

Stored values are ``int``, ``float``, ``str``, ``bytes`` and None, the same in every store: decimals
are text with all their digits, moments ISO text in UTC, documents canonical JSON text. A value that
does not fit raises :class:`ValueInvalid`.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

import msgspec

from database_consumer.entities.types import IDENTIFIER_LENGTH

Stored = int | float | str | bytes | None
Convert = Callable[[Any], Stored]


class ValueInvalid(Exception):
    """A value that its column cannot hold; ``code`` names the reason."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


_DIGITS = re.compile(r"-?[0-9]{1,20}\Z")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?\Z", re.ASCII)
_canonical = msgspec.json.Encoder(order="deterministic", decimal_format="number")
_EXACT = Context(prec=200, Emax=9999, Emin=-9999)
_MAX_EXPONENT = 400
_MAX_DIGITS = 30

DOCUMENT_DEPTH = 31
"""Levels of a JSON document: MariaDB's JSON_VALID takes 32 (JSON_DEPTH_LIMIT), MySQL 100."""


def _kind(value: Any) -> str:
    names = {bool: "a boolean", dict: "an object", list: "an array", str: "text"}
    return names.get(type(value), "a number")


def _wrong(value: Any, wanted: str) -> ValueInvalid:
    return ValueInvalid("wrong-type", f"wants {wanted}, got {_kind(value)}")


def integer(lowest: int, highest: int) -> Convert:
    """Whole numbers within bounds; also as text of digits, as large ones are often sent."""

    def convert(value: Any) -> Stored:
        if type(value) is not int:
            if (type(value) is str and _DIGITS.match(value)) or (
                type(value) is Decimal and value.adjusted() < _MAX_DIGITS and value == int(value)
            ):
                value = int(value)
            else:
                raise _wrong(value, "a whole number")
        if not lowest <= value <= highest:
            raise ValueInvalid("out-of-range", f"is not within {lowest} to {highest}")
        return int(value)

    return convert


def identifier(value: Any) -> Stored:
    """A whole number of 64 bits, or text of at most 100 characters without outer blanks."""
    if type(value) is int:
        if not -(1 << 63) <= value < 1 << 63:
            raise ValueInvalid("out-of-range", "has more than 64 bits")
        return value
    if type(value) is not str:
        raise _wrong(value, "a whole number or text")
    if not value or len(value) > IDENTIFIER_LENGTH:
        raise ValueInvalid("too-long", f"has not 1 to {IDENTIFIER_LENGTH} characters")
    if value != value.strip() or "\0" in value:
        raise ValueInvalid("wrong-type", "starts or ends with a blank, or holds NUL")
    return value


def identifier_text(value: Any) -> Stored:
    """The same for a store that keeps identifiers as text."""
    return str(identifier(value))


def boolean(value: Any) -> Stored:
    """true, false, 1 and 0."""
    if value is True or value is False:
        return int(value)
    if type(value) is int and value in {0, 1}:
        return value
    raise _wrong(value, "true or false")


def decimal(precision: int | None, scale: int | None) -> Convert:
    """A number, also as text; rounded half up to the scale as MySQL does."""
    quantum = None if scale is None else Decimal(1).scaleb(-scale)

    def convert(value: Any) -> Stored:
        number = _number(value)
        try:
            fitted = number if quantum is None else number.quantize(quantum, ROUND_HALF_UP, _EXACT)
        except InvalidOperation as error:
            raise ValueInvalid("out-of-range", "has too many digits") from error
        if fitted.is_zero():
            fitted = abs(fitted)
        digits = max(fitted.adjusted() + 1, 0)
        if precision is not None and digits > precision - (scale or 0) and not fitted.is_zero():
            raise ValueInvalid("out-of-range", f"has more than {precision} digits")
        return format(fitted, "f")

    return convert


def _number(value: Any) -> Decimal:
    kind = type(value)
    number: Decimal
    if kind is Decimal:
        number = value
    elif kind is int or (kind is str and len(value) <= _MAX_EXPONENT and _NUMBER.match(value)):
        number = Decimal(value)
    else:
        raise _wrong(value, "a number")
    if not number.is_finite() or abs(number.adjusted()) > _MAX_EXPONENT:
        raise ValueInvalid("out-of-range", "is too large or too small")
    return number


def double(value: Any) -> Stored:
    """A number that a double can hold, rounded to it."""
    if type(value) not in {int, Decimal, float}:
        raise _wrong(value, "a number")
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueInvalid("out-of-range", "is too large") from error
    if not math.isfinite(number):
        raise ValueInvalid("out-of-range", "is too large")
    return number


def text(characters: int | None, octets: int | None = None) -> Convert:
    """Text within so many characters, or bytes of UTF-8."""

    def convert(value: Any) -> Stored:
        if type(value) is not str:
            raise _wrong(value, "text")
        if characters is not None and len(value) > characters:
            raise ValueInvalid("too-long", f"has {len(value)} characters of at most {characters}")
        if octets is not None and len(value) * 4 > octets and len(value.encode()) > octets:
            raise ValueInvalid("too-long", f"has more than {octets} bytes")
        return value

    return convert


def choice(allowed: frozenset[str]) -> Convert:
    """One of these words."""

    def convert(value: Any) -> Stored:
        if type(value) is not str:
            raise _wrong(value, "text")
        if value not in allowed:
            raise ValueInvalid("out-of-range", f"is none of {', '.join(sorted(allowed))}")
        return value

    return convert


def choices(allowed: frozenset[str]) -> Convert:
    """Some of these words: an array of them, or text with commas between."""

    def convert(value: Any) -> Stored:
        words = value if type(value) is list else str(value).split(",") if value != "" else []
        if type(value) not in {str, list} or not all(type(one) is str for one in words):
            raise _wrong(value, "words")
        if not allowed.issuperset(words):
            raise ValueInvalid("out-of-range", f"has others than {', '.join(sorted(allowed))}")
        return ",".join(words)

    return convert


def bits(length: int) -> Convert:
    """So many bits as a whole number; one bit is also true or false."""
    whole = integer(0, (1 << length) - 1)
    return lambda value: whole(int(value) if type(value) is bool and length == 1 else value)


def binary(octets: int | None, *, padded: int = 0) -> Convert:
    """Base64 text to bytes; ``padded`` with NUL to so many, as a BINARY column does itself."""

    def convert(value: Any) -> Stored:
        if type(value) is not str:
            raise _wrong(value, "base64 text")
        try:
            decoded = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueInvalid("wrong-type", "is not base64") from error
        if octets is not None and len(decoded) > octets:
            raise ValueInvalid("too-long", f"has {len(decoded)} bytes of at most {octets}")
        return decoded.ljust(padded, b"\0")

    return convert


def day(value: Any) -> Stored:
    """``YYYY-MM-DD``; of a moment its day in UTC."""
    if type(value) is not str:
        raise _wrong(value, "a date as text")
    try:
        if len(value) == 10:  # noqa: PLR2004
            return date.fromisoformat(value).isoformat()
        return _utc(value).date().isoformat()
    except (ValueError, OverflowError) as error:
        raise ValueInvalid("wrong-type", "is no ISO 8601 date") from error


def moment(digits: int) -> Convert:
    """An ISO 8601 moment, in UTC where it names no zone; ``digits`` of a second are kept."""

    def convert(value: Any) -> Stored:
        if type(value) is not str:
            raise _wrong(value, "a moment as ISO 8601 text")
        try:
            at = _utc(value)
        except (ValueError, OverflowError) as error:
            raise ValueInvalid("wrong-type", "is no ISO 8601 moment") from error
        kept = at.microsecond - at.microsecond % 10 ** (6 - digits)
        whole = f"{at.year:04d}-{at.month:02d}-{at.day:02d} {at:%H:%M:%S}"
        return f"{whole}.{kept:06d}" if digits else whole

    return convert


def _utc(value: str) -> datetime:
    at = datetime.fromisoformat(value)
    return at if at.tzinfo is None else at.astimezone(UTC)


def clock(value: Any) -> Stored:
    """``HH:MM[:SS[.ffffff]]``."""
    if type(value) is not str:
        raise _wrong(value, "a time as text")
    try:
        at = time.fromisoformat(value)
    except ValueError as error:
        raise ValueInvalid("wrong-type", "is no ISO 8601 time") from error
    if at.tzinfo is not None:
        raise ValueInvalid("wrong-type", "a time of day has no zone")
    return f"{at:%H:%M:%S}.{at.microsecond:06d}"


def document(value: Any) -> Stored:
    """Any JSON value as canonical text, nested at most as deeply as every database takes."""
    try:
        encoded = _canonical.encode(value).decode()
    except RecursionError as error:
        raise ValueInvalid("too-long", "is nested too deeply") from error
    if encoded.count("[") + encoded.count("{") > DOCUMENT_DEPTH and _deeper(value, DOCUMENT_DEPTH):
        raise ValueInvalid("too-long", f"is nested more than {DOCUMENT_DEPTH} levels deep")
    return encoded


def _deeper(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return False
    return levels == 0 or any(_deeper(one, levels - 1) for one in value)


def unique_id(value: Any) -> Stored:
    """A UUID as its 32 hexadecimal digits."""
    if type(value) is not str:
        raise _wrong(value, "a UUID as text")
    try:
        return uuid.UUID(value).hex
    except ValueError as error:
        raise ValueInvalid("wrong-type", "is no UUID") from error


def _identifiers(values: Sequence[Any]) -> Sequence[Stored]:
    if set(map(type, values)) == {int} and min(values) >= -(1 << 63) and max(values) < 1 << 63:
        return values
    return list(map(identifier, values))


def _identifier_texts(values: Sequence[Any]) -> Sequence[Stored]:
    return list(map(str, _identifiers(values)))


def _booleans(values: Sequence[Any]) -> Sequence[Stored]:
    return list(map(int if set(map(type, values)) == {bool} else boolean, values))


_WHOLE: dict[Convert, Callable[[Sequence[Any]], Sequence[Stored]]] = {
    identifier: _identifiers,
    identifier_text: _identifier_texts,
    boolean: _booleans,
}


def convert_all(convert: Convert, values: Sequence[Any]) -> Sequence[Stored]:
    """One column's values over many rows, none of them null; as ``convert`` would, one by one.

    Where the values of a column are mostly alike they are looked at once, together. Raises
    :class:`ValueInvalid` when one of them does not fit.
    """
    whole = _WHOLE.get(convert)
    return whole(values) if whole is not None else list(map(convert, values))
