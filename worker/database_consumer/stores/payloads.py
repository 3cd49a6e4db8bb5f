"""Messages in the ledger: headers as text, and large values in parts that fit into a statement."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import msgspec

PART_BYTES = 512 << 10
"""Bytes of one part; a quarter of the smallest usual max_allowed_packet, escaped."""

Headers = tuple[tuple[str, bytes], ...]


def encode_headers(headers: Headers) -> bytes:
    """JSON pairs of name and base64."""
    return msgspec.json.encode(
        [(name, base64.b64encode(value).decode()) for name, value in headers]
    )


def decode_headers(encoded: bytes | str) -> Headers:
    """The headers again."""
    pairs = msgspec.json.decode(encoded, type=list[tuple[str, str]])
    return tuple((name, base64.b64decode(value)) for name, value in pairs)


def parts(value: bytes) -> Iterator[bytes]:
    """The value in pieces, in order; at least one."""
    for start in range(0, max(len(value), 1), PART_BYTES):
        yield value[start : start + PART_BYTES]
