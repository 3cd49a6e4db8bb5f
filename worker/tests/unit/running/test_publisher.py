from __future__ import annotations

import pytest

from database_consumer.operations import Metadata, Operation, decode, encode
from database_consumer.publisher import (
    MESSAGE_BYTES,
    STACK_BYTES,
    letter_headers,
    parse_lines,
    partition_key,
    with_operation_id,
)
from database_consumer.stores.base import DeadLetter


def operation(data: object, ident: str | None = None) -> Operation:
    return Operation("CREATE", "User", data, ident, Metadata(operation_id=ident) if ident else None)


def letter(**more: object) -> DeadLetter:
    values: dict[str, object] = {
        "id": 1,
        "group": "g",
        "topic": "t",
        "partition": 3,
        "offset": 17,
        "operation_id": "op",
        "key": b"k",
        "value": b"v",
        "timestamp_ms": 0,
        "headers": (("own", b"1"), ("operationId", b"forged")),
        "error_class": "not-null",
        "error_message": "column name",
        "stack": "trace",
        "attempts": 2,
        "failed_at": 0.0,
    }
    return DeadLetter(**(values | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"id": 7}, b"User:7"),
        ({"id": "a-b"}, b"User:a-b"),
        ([{"id": 1}, {"id": 2}], b"User:1"),
        ({"name": "x"}, b"User"),
        ([], b"User"),
        ("text", b"User"),
    ],
)
def test_operations_are_keyed_by_entity_and_id(data: object, key: bytes) -> None:
    assert partition_key(operation(data)) == key


def test_an_id_and_a_time_are_given_to_an_operation_that_has_none() -> None:
    complete, ident = with_operation_id(operation({"id": 1}))
    again = decode(encode(complete))
    assert again.operation_id == ident
    assert len(ident) == 32
    assert again.metadata is not None
    assert isinstance(again.metadata.timestamp, int)
    assert with_operation_id(operation({"id": 1}))[1] != ident


def test_an_id_that_is_there_is_kept() -> None:
    assert with_operation_id(operation({"id": 1}, "mine"))[1] == "mine"


def test_bad_lines_are_named_and_blank_ones_skipped() -> None:
    good = b'{"type":"CREATE","entity":"User","data":{}}'
    found = parse_lines([b"\xef\xbb\xbf" + good, b"", b"nonsense", b" ", good])
    assert [one.number for one in found] == [1, 3, 5]
    assert [one.operation is None for one in found] == [False, True, False]
    assert found[1].complaint.startswith("not JSON")


def test_dead_letters_carry_connects_headers_and_their_own_last() -> None:
    headers = letter_headers(letter())
    found = dict(headers)
    assert found["__connect.errors.topic"] == b"t"
    assert found["__connect.errors.partition"] == b"3"
    assert found["__connect.errors.offset"] == b"17"
    assert found["__connect.errors.exception.class.name"] == b"not-null"
    assert found["__connect.errors.exception.message"] == b"column name"
    assert found["__connect.errors.exception.stacktrace"] == b"trace"
    assert found["operationId"] == b"op"
    assert found["attempts"] == b"2"
    assert found["failed-at"] == b"1970-01-01T00:00:00Z"
    assert found["own"] == b"1"
    assert len(headers) == len(found)


def test_headers_cannot_grow_and_hold_no_secret() -> None:
    long = letter(stack="é" * 100_000 + "s3cret", error_message="s3cret " + "x" * 100_000)
    found = dict(letter_headers(long, lambda text: text.replace("s3cret", "***")))
    assert len(found["__connect.errors.exception.stacktrace"]) <= STACK_BYTES
    assert len(found["__connect.errors.exception.message"]) <= MESSAGE_BYTES
    assert b"s3cret" not in b"".join(found.values())
