"""Whatever a message holds: an operation, or one kind of error; and names that are no columns."""

from __future__ import annotations

import json
from typing import Any

import pytest
from contract.hostile import FIELDS, NASTY_TEXT, VALUES, messages
from hypothesis import given, settings
from hypothesis import strategies as st

from database_consumer.entities.describing import catalogue
from database_consumer.entities.shipped import TABLES
from database_consumer.operations import Metadata, Operation, OperationInvalid, decode, encode

CATALOGUE = catalogue(TABLES, "mysql")
quickly = settings(max_examples=200, deadline=None, derandomize=True, database=None)


def read(value: bytes | None) -> Operation | OperationInvalid:
    try:
        return decode(value)
    except OperationInvalid as error:
        return error


@quickly
@given(st.one_of(messages(), st.binary(max_size=60), st.none()))
def test_a_message_is_an_operation_or_invalid_and_nothing_else(value: bytes | None) -> None:
    operation = read(value)
    if isinstance(operation, OperationInvalid):
        assert operation.code in {"empty", "bad-envelope", "undecodable"}
        assert str(operation)
        return
    again = decode(encode(operation))
    assert (again.type, again.entity, again.data) == (
        operation.type,
        operation.entity,
        operation.data,
    )
    assert again.operation_id == operation.operation_id


WHOLE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=6,
)


@quickly
@given(st.text(), st.text(), WHOLE, st.one_of(st.none(), st.text(min_size=1, max_size=40)))
def test_what_is_encoded_is_decoded_as_it_was(
    kind: str, entity: str, data: Any, ident: str | None
) -> None:
    ident = None if ident is None else ident.lstrip("\0") or None
    metadata = None if ident is None else Metadata(operation_id=ident)
    given_ = Operation(kind, entity, data, ident, metadata)
    assert decode(encode(given_)) == given_


@quickly
@given(st.sampled_from(sorted(one.entity for one in CATALOGUE)), FIELDS, VALUES)
def test_only_a_columns_own_names_reach_a_row(entity: str, name: str, value: Any) -> None:
    table = CATALOGUE.get(entity)
    try:
        row = table.values({name: value})
    except OperationInvalid:
        return
    assert row.keys() <= set(table.names)


@quickly
@given(NASTY_TEXT)
def test_only_an_entitys_own_name_finds_a_table(name: str) -> None:
    if name in TABLES:
        assert CATALOGUE.get(name).entity == name
        return
    with pytest.raises(OperationInvalid, match="no entity"):
        CATALOGUE.get(name)


@pytest.mark.parametrize("depth", [10, 500, 100_000])
def test_a_deep_document_is_read_or_refused(depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    value = b'{"type": "CREATE", "entity": "User", "data": ' + nested + b"}"
    operation = read(value)
    if isinstance(operation, OperationInvalid):
        assert operation.code == "undecodable"
        assert depth > 10
    else:
        assert operation.data == json.loads(nested)
