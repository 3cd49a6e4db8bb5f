"""Tries apsw; its connections commit each statement by themselves."""

from __future__ import annotations

import contextlib
from typing import Any

import apsw
import sqlite_checks


def connect(path: str) -> Any:
    return apsw.Connection(path)


def probe(report: Any) -> None:
    sqlite_checks.run(report, connect)
    with contextlib.closing(connect(":memory:")) as connection:
        sqlite_checks.extensions(report, connection)
