"""Statements over many rows, as text."""

from __future__ import annotations

import pytest

from database_consumer.stores.mysqltext import lists_values
from database_consumer.stores.sqlite import of_many


def test_marks_are_numbered_behind_those_that_all_rows_share() -> None:
    assert of_many("INSERT VALUES ", "(?1,?,?2,?)", 2, " END", 2) == (
        "INSERT VALUES (?1,?3,?2,?4),(?1,?5,?2,?6) END"
    )


def test_without_anything_shared_marks_stay_as_they_are() -> None:
    assert of_many("INSERT VALUES ", "(?,?)", 2, "", 0) == "INSERT VALUES (?,?),(?,?)"


@pytest.mark.parametrize(
    ("version", "does"),
    [
        ("10.11.19-MariaDB-0+deb12u1", True),
        ("5.5.5-10.3.2-MariaDB-log", False),  # the number is a replica's fiction: the old way
        ("10.2.44-MariaDB", False),
        ("11.8.1-MariaDB-ubu2404", True),
        ("8.0.43", False),
        ("9.1.0-commercial", False),
        ("", False),
    ],
)
def test_servers_that_take_values_as_a_query(version: str, *, does: bool) -> None:
    assert lists_values(version) is does
