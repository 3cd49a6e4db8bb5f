"""Tries pysqlite3."""

from __future__ import annotations

import contextlib
from typing import Any

import sqlite_checks
from pysqlite3 import dbapi2


def connect(path: str) -> Any:
    return dbapi2.connect(path, isolation_level=None)


def probe(report: Any) -> None:
    sqlite_checks.run(report, connect)
    with contextlib.closing(connect(":memory:")) as connection:
        sqlite_checks.extensions(report, connection)
