"""The three kinds of failure, and which kind each error of a database is.

Sources of the numbers: MySQL 8.4 and MariaDB 10.11 server error references; sqlite3's result codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FailureKind(StrEnum):
    """What is to be done about a failure."""

    SYSTEMIC = "systemic"
    """Not the record's fault: pause and come again with the same batch."""
    TRANSIENT = "transient"
    """A deadlock or a lock timeout: roll back and do the same again at once."""
    MAY_MEND = "may-mend"
    """Of the record, but time may mend it: park it."""
    PERMANENT = "permanent"
    """Of the record for good: a dead letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A failure's kind and a short code for its reason.

    ``certain`` is False for a failure that only looks as if it were the record's: many of them
    together are taken for systemic.
    """

    kind: FailureKind
    code: str
    certain: bool = True


class RecordFailure(Exception):
    """The database refused what one or several records ask for, for a reason of theirs."""

    def __init__(self, verdict: Verdict, message: str) -> None:
        super().__init__(message)
        self.verdict = verdict


class TransientFailure(Exception):
    """The transaction lost against another one and was rolled back: do it again."""


def _verdict(kind: FailureKind, code: str, *, certain: bool = True) -> Verdict:
    return Verdict(kind=kind, code=code, certain=certain)


_DUPLICATE = _verdict(FailureKind.PERMANENT, "duplicate-key")
_TOO_LONG = _verdict(FailureKind.PERMANENT, "too-long", certain=False)
_RANGE = _verdict(FailureKind.PERMANENT, "out-of-range", certain=False)
_NULL = _verdict(FailureKind.PERMANENT, "not-null", certain=False)
_CHECK = _verdict(FailureKind.PERMANENT, "check", certain=False)
_VALUE = _verdict(FailureKind.PERMANENT, "wrong-type", certain=False)
_UNKNOWN = _verdict(FailureKind.PERMANENT, "refused", certain=False)
_PARENT = _verdict(FailureKind.MAY_MEND, "parent-missing")
_CHILDREN = _verdict(FailureKind.MAY_MEND, "has-children")
_TRANSIENT = _verdict(FailureKind.TRANSIENT, "lock")
_SYSTEMIC = _verdict(FailureKind.SYSTEMIC, "systemic")

_MYSQL: dict[int, Verdict] = {
    1022: _DUPLICATE,
    1062: _DUPLICATE,
    1586: _DUPLICATE,
    1048: _NULL,
    1364: _NULL,
    1406: _TOO_LONG,
    1118: _TOO_LONG,
    1301: _TOO_LONG,
    1264: _RANGE,
    1690: _RANGE,
    1365: _RANGE,
    1265: _VALUE,
    1292: _VALUE,
    1366: _VALUE,
    1411: _VALUE,
    1367: _VALUE,
    1441: _VALUE,
    1267: _VALUE,  # a key that the column's character set does not have, compared with it
    1270: _VALUE,
    1271: _VALUE,
    1300: _VALUE,
    3854: _VALUE,
    3988: _VALUE,
    3140: _VALUE,
    3141: _VALUE,
    3156: _VALUE,
    3157: _TOO_LONG,
    3819: _CHECK,
    4025: _CHECK,
    1644: _verdict(FailureKind.PERMANENT, "refused-by-trigger", certain=False),
    1452: _PARENT,
    1216: _PARENT,
    1451: _CHILDREN,
    1217: _CHILDREN,
    1205: _TRANSIENT,
    1213: _TRANSIENT,
    1020: _TRANSIENT,
    1412: _TRANSIENT,
}
"""Error numbers of the server that are of the record or transient; all others are systemic."""

_MYSQL_RECORD_STATES = frozenset({"22", "23"})
"""SQLSTATE classes 'data exception' and 'integrity constraint violation' (ISO/IEC 9075)."""


def of_mysql(number: int, sqlstate: str = "") -> Verdict:
    """The verdict on a server's error number; unknown ones go by the class of their SQLSTATE."""
    known = _MYSQL.get(number)
    if known is not None:
        return known
    return _UNKNOWN if sqlstate[:2] in _MYSQL_RECORD_STATES else _SYSTEMIC


_SQLITE: dict[str, Verdict] = {
    "SQLITE_CONSTRAINT_PRIMARYKEY": _DUPLICATE,
    "SQLITE_CONSTRAINT_UNIQUE": _DUPLICATE,
    "SQLITE_CONSTRAINT_ROWID": _DUPLICATE,
    "SQLITE_CONSTRAINT_NOTNULL": _NULL,
    "SQLITE_CONSTRAINT_CHECK": _CHECK,
    "SQLITE_CONSTRAINT_DATATYPE": _VALUE,
    "SQLITE_CONSTRAINT_TRIGGER": _verdict(
        FailureKind.PERMANENT, "refused-by-trigger", certain=False
    ),
    "SQLITE_CONSTRAINT_FOREIGNKEY": _PARENT,
    "SQLITE_CONSTRAINT": _UNKNOWN,
    "SQLITE_TOOBIG": _TOO_LONG,
    "SQLITE_MISMATCH": _VALUE,
    "SQLITE_RANGE": _VALUE,
}


def of_sqlite(name: str) -> Verdict:
    """The verdict on sqlite3's ``sqlite_errorname``; a busy or full database is systemic."""
    if name in _SQLITE:
        return _SQLITE[name]
    if name.startswith("SQLITE_CONSTRAINT"):
        return _UNKNOWN
    return _SYSTEMIC
