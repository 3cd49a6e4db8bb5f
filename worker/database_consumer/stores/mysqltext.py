"""SQL as text: values written down, and what a server can read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_ESCAPES = str.maketrans(
    {"\0": "\\0", "\n": "\\n", "\r": "\\r", "\x1a": "\\Z", "'": "\\'", '"': '\\"', "\\": "\\\\"}
)
"""As mysql_real_escape_string does; the session's sql_mode is set without NO_BACKSLASH_ESCAPES and
its character set is utf8mb4, in which no character holds the byte of a quote or a backslash."""

_SPECIAL = re.compile("[\0\n\r\x1a'\"\\\\]")


def literal(value: Any) -> str:
    """A stored value in SQL; drivers do the same, but take much longer."""
    kind = type(value)
    if kind is str:
        escaped: str = value.translate(_ESCAPES)
        return f"'{escaped}'"
    if kind is int:
        return str(value)
    if value is None:
        return "NULL"
    if kind is bytes:
        return f"x'{value.hex()}'"
    if kind is float:
        return repr(value) if "e" in repr(value) else repr(value) + "e0"
    raise TypeError(f"{kind.__name__} is no stored value")


def row_literal(row: Sequence[Any], end: str = ")") -> str:
    """A row of an INSERT."""
    return "(" + ",".join([literal(one) for one in row]) + end


def column_literals(values: Sequence[Any]) -> list[str]:
    """The values of one column over many rows; a column of plain text is looked at only once."""
    kinds = set(map(type, values))
    if kinds == {int}:
        return list(map(str, values))
    if kinds == {str} and _SPECIAL.search("".join(values)) is None:
        return [f"'{one}'" for one in values]
    return [literal(one) for one in values]


def lists_values(version: str) -> bool:
    """Whether a server of this ``@@version`` takes ``VALUES (…), (…)`` as a query.

    MariaDB does since 10.3 ("Table Value Constructors"); MySQL has another form of it.
    """
    found = re.match(r"(\d+)\.(\d+).*MariaDB", version)
    return found is not None and (int(found[1]), int(found[2])) >= (10, 3)
