"""Tries the standard library's sqlite3."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import Any

import sqlite_checks


def connect(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def probe(report: Any) -> None:
    sqlite_checks.run(report, connect)
    with contextlib.closing(connect(":memory:")) as connection:
        sqlite_checks.extensions(report, connection)
