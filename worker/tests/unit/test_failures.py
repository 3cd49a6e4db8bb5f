from __future__ import annotations

import pytest

from database_consumer.failures import FailureKind, of_mysql, of_sqlite


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (1062, FailureKind.PERMANENT),
        (1406, FailureKind.PERMANENT),
        (4025, FailureKind.PERMANENT),
        (1452, FailureKind.MAY_MEND),
        (1451, FailureKind.MAY_MEND),
        (1213, FailureKind.TRANSIENT),
        (1205, FailureKind.TRANSIENT),
        (1146, FailureKind.SYSTEMIC),  # no such table
        (1054, FailureKind.SYSTEMIC),  # no such column
        (1114, FailureKind.SYSTEMIC),  # table is full
        (1290, FailureKind.SYSTEMIC),  # read-only
        (1045, FailureKind.SYSTEMIC),  # access denied
        (1040, FailureKind.SYSTEMIC),  # too many connections
        (1153, FailureKind.SYSTEMIC),
        (2013, FailureKind.SYSTEMIC),
        (99999, FailureKind.SYSTEMIC),
    ],
)
def test_each_error_of_mysql_has_its_kind(number: int, kind: FailureKind) -> None:
    assert of_mysql(number).kind is kind


def test_an_unknown_integrity_error_is_the_records_but_not_for_sure() -> None:
    verdict = of_mysql(99999, "23000")
    assert (verdict.kind, verdict.certain) == (FailureKind.PERMANENT, False)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SQLITE_CONSTRAINT_PRIMARYKEY", FailureKind.PERMANENT),
        ("SQLITE_CONSTRAINT_CHECK", FailureKind.PERMANENT),
        ("SQLITE_CONSTRAINT_FOREIGNKEY", FailureKind.MAY_MEND),
        ("SQLITE_CONSTRAINT_VTAB", FailureKind.PERMANENT),
        ("SQLITE_BUSY", FailureKind.SYSTEMIC),
        ("SQLITE_FULL", FailureKind.SYSTEMIC),
        ("SQLITE_READONLY", FailureKind.SYSTEMIC),
        ("SQLITE_IOERR_FSYNC", FailureKind.SYSTEMIC),
        ("", FailureKind.SYSTEMIC),
    ],
)
def test_each_error_of_sqlite_has_its_kind(name: str, kind: FailureKind) -> None:
    assert of_sqlite(name).kind is kind
