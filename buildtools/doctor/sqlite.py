"""The version of a SQLite library, read from its bytes."""

from __future__ import annotations

import re
from typing import BinaryIO

OLDEST = (3, 35, 0)
"""Older ones lack ``RETURNING`` and ``DROP COLUMN`` (SQLite 3.35.0's release notes), without which
current frameworks and vector stores refuse to start."""

_SOURCE_ID = re.compile(rb"\0(20\d\d-\d\d-\d\d \d\d:\d\d:\d\d [0-9a-f]{60}[0-9a-z]{4})")
_VERSION = re.compile(rb"(?<![0-9.])(3\.\d{1,2}\.\d{1,2})\0")
_READ = 64 << 20


def sqlite_version(stream: BinaryIO) -> tuple[int, int, int] | None:
    """The ``SQLITE_VERSION`` compiled into a library; None when the file holds no SQLite.

    A SQLite carries its source id, a date and a hash, beside its version (``sqlite3.c``).
    """
    data = stream.read(_READ)
    if data.find(b"SQLite format 3\0") < 0 or _SOURCE_ID.search(data) is None:
        return None
    match = _VERSION.search(data)
    if match is None:
        return None
    major, minor, patch = match[1].split(b".")
    return int(major), int(minor), int(patch)
