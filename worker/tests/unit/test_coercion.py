from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from contract.hostile import VALUES
from hypothesis import given, settings

from database_consumer.entities import coercion
from database_consumer.entities.coercion import ValueInvalid

CONVERTS: dict[str, coercion.Convert] = {
    "integer": coercion.integer(-128, 127),
    "identifier": coercion.identifier,
    "boolean": coercion.boolean,
    "decimal": coercion.decimal(10, 2),
    "plain decimal": coercion.decimal(None, None),
    "double": coercion.double,
    "text": coercion.text(5, 12),
    "choice": coercion.choice(frozenset({"a", "b"})),
    "binary": coercion.binary(4),
    "day": coercion.day,
    "moment": coercion.moment(6),
    "clock": coercion.clock,
    "document": coercion.document,
    "unique id": coercion.unique_id,
}


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        ("integer", 127, 127),
        ("integer", "-5", -5),
        ("integer", Decimal("5.0"), 5),
        ("identifier", "a-1", "a-1"),
        ("boolean", True, 1),
        ("boolean", 0, 0),
        ("decimal", 1, "1.00"),
        ("decimal", "1.005", "1.01"),
        ("decimal", Decimal("-0.001"), "0.00"),
        ("decimal", "99999999.994", "99999999.99"),
        ("plain decimal", Decimal("1E+3"), "1000"),
        ("double", Decimal("0.1"), 0.1),
        ("text", "äöüéè", "äöüéè"),
        ("binary", "AAECAw==", b"\x00\x01\x02\x03"),
        ("day", "2024-02-29", "2024-02-29"),
        ("day", "2024-02-29T23:00:00-02:00", "2024-03-01"),
        ("moment", "2024-02-29T23:00:00-02:00", "2024-03-01 01:00:00.000000"),
        ("moment", "2024-02-29T23:00:00.1234567Z", "2024-02-29 23:00:00.123456"),
        ("clock", "07:08", "07:08:00.000000"),
        ("document", {"b": 1, "a": Decimal("1.10")}, '{"a":1.10,"b":1}'),
        ("unique id", "12345678-1234-5678-1234-567812345678", "12345678123456781234567812345678"),
    ],
)
def test_what_fits_is_stored_in_one_form(kind: str, value: Any, stored: Any) -> None:
    got = CONVERTS[kind](value)
    assert (got, type(got)) == (stored, type(stored))


@pytest.mark.parametrize(
    ("kind", "value", "code"),
    [
        ("integer", 128, "out-of-range"),
        ("integer", True, "wrong-type"),
        ("integer", Decimal("5.5"), "wrong-type"),
        ("integer", Decimal("1E+999999"), "wrong-type"),
        ("identifier", "", "too-long"),
        ("identifier", "x" * 101, "too-long"),
        ("identifier", "a ", "wrong-type"),
        ("identifier", 1 << 63, "out-of-range"),
        ("boolean", 2, "wrong-type"),
        ("boolean", "true", "wrong-type"),
        ("decimal", "99999999.995", "out-of-range"),
        ("decimal", "NaN", "wrong-type"),
        ("decimal", Decimal("1E+999"), "out-of-range"),
        ("double", Decimal("1E+999"), "out-of-range"),
        ("text", "123456", "too-long"),
        ("text", "😀😀😀😀", "too-long"),
        ("text", 5, "wrong-type"),
        ("choice", "c", "out-of-range"),
        ("binary", "AAECAwQ=", "too-long"),
        ("binary", "AA", "wrong-type"),
        ("day", "2023-02-29", "wrong-type"),
        ("moment", "yesterday", "wrong-type"),
        ("moment", "0001-01-01T00:00:00+10:00", "wrong-type"),
        ("clock", "07:08+01:00", "wrong-type"),
        ("unique id", "x", "wrong-type"),
    ],
)
def test_what_does_not_fit_says_why(kind: str, value: Any, code: str) -> None:
    with pytest.raises(ValueInvalid) as caught:
        CONVERTS[kind](value)
    assert caught.value.code == code


def test_a_document_is_nested_no_deeper_than_every_database_takes() -> None:
    def nested(depth: int) -> Any:
        value: Any = 1
        for _ in range(depth):
            value = [value]
        return value

    coercion.document(nested(31))
    with pytest.raises(ValueInvalid, match="deep"):
        coercion.document(nested(32))


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(VALUES)
def test_every_conversion_gives_a_stored_value_or_a_reason(value: Any) -> None:
    for convert in CONVERTS.values():
        try:
            stored = convert(value)
        except ValueInvalid as error:
            assert error.code  # noqa: PT017 - either outcome is right
        else:
            assert type(stored) in {int, float, str, bytes}
