"""Bad messages, generated: what a sender, a bug or an attacker may put into the topic."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

NASTY_TEXT = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "'; DROP TABLE users; --",
            '" OR 1=1 --',
            "\\' OR 1=1 #",
            "%s %d %(x)s {} {0}",
            "?",
            ":name",
            "`users`",
            "\x00",
            "\u202e\u0000",
            "😀" * 20,
            "users` WHERE 1=1; --",
            "x" * 300,
            "1e5",
            "NaN",
            "null",
        ]
    ),
)
NUMBERS = st.one_of(
    st.integers(),
    st.integers(min_value=10**18, max_value=10**60),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, -1, 2**31, 2**63, 2**64, -(2**63) - 1, 1e308]),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, NASTY_TEXT),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(NASTY_TEXT, inner, max_size=4)
    ),
    max_leaves=4,
)
FIELDS = st.one_of(
    st.sampled_from(
        [
            "id",
            "name",
            "email",
            "phone",
            "role",
            "active",
            "birthDate",
            "birth_date",
            "avatar",
            "attributes",
            "createdAt",
            "businessId",
            "amount",
            "year",
            "row_version",
            "rowVersion",
        ]
    ),
    NASTY_TEXT,
)
DATA = st.one_of(
    VALUES,
    st.dictionaries(FIELDS, VALUES, max_size=6),
    st.lists(st.dictionaries(FIELDS, VALUES, max_size=4), max_size=4),
    st.fixed_dictionaries({"id": VALUES, "name": NASTY_TEXT, "email": NASTY_TEXT}),
    st.fixed_dictionaries(
        {"id": st.integers(0, 20), "name": NASTY_TEXT, "email": NASTY_TEXT},
        optional={"attributes": VALUES, "active": VALUES, "avatar": NASTY_TEXT, "phone": VALUES},
    ),
)
KINDS = st.one_of(
    st.sampled_from(
        ["CREATE", "UPDATE", "DELETE", "BULK_CREATE", "BULK_UPDATE", "create", "UPSERT"]
    ),
    NASTY_TEXT,
)
ENTITIES = st.one_of(
    st.sampled_from(
        ["User", "User", "User", "Finance", "Business", "Rating", "users", "sqlite_master", "inbox"]
    ),
    NASTY_TEXT,
)
METADATA = st.one_of(
    st.none(),
    VALUES,
    st.fixed_dictionaries(
        {"operationId": st.one_of(NASTY_TEXT, VALUES)}, optional={"timestamp": VALUES}
    ),
)


@st.composite
def messages(draw: st.DrawFn) -> bytes:  # noqa: PLR0911 - one for each kind of damage
    """One message; seldom a good one, often nearly."""
    envelope = {
        "type": draw(KINDS),
        "entity": draw(ENTITIES),
        "data": draw(DATA),
        "metadata": draw(METADATA),
    }
    encoded = json.dumps(envelope, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass")
    turn = draw(st.integers(0, 19))
    if turn == 0:
        return draw(st.binary(max_size=40))
    if turn == 1:
        place = draw(st.integers(0, len(encoded)))
        return encoded[:place] + draw(st.binary(min_size=1, max_size=3)) + encoded[place:]
    if turn == 2:
        return encoded[: draw(st.integers(0, len(encoded)))]
    if turn == 3:
        word = draw(
            st.sampled_from([b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 400, b"01"])
        )
        return encoded.replace(b"null", word, 1)
    if turn == 4:
        depth = draw(st.sampled_from([20, 40, 200, 5_000]))
        nested = b'[{"a":' * depth + b"1" + b"}]" * depth
        return encoded.replace(b'"data": ', b'"data": ' + nested + b', "data": ', 1)
    if turn == 5:
        return encoded.replace(b'"id"', b'"id": 7, "id"', 1)
    if turn == 6:
        nested = b"[" * 60 + b"]" * 60
        return (
            b'{"type":"CREATE","entity":"User","data":{"id":1,"name":"n","email":"e","attributes":'
            + nested
            + b"}}"
        )
    return encoded
