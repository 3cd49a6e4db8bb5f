"""The version of a SQLite library, read from its bytes."""

from __future__ import annotations

import re
from typing import BinaryIO

OLDEST = (3, 35, 0)
"""Older ones lack ``RETURNING`` and ``DROP COLUMN`` (SQLite 3.35.0's release notes), without which
current frameworks and vector stores refuse to start."""

_VERSION = re.compile(rb"3\.\d{1,2}\.\d{1,2}\0")  # a literal start: a fast search
_PART_OF_A_NUMBER = tuple(b"%c" % char for char in b"0123456789.")
_READ = 64 << 20


def sqlite_version(stream: BinaryIO) -> tuple[int, int, int] | None:
    """The ``SQLITE_VERSION`` compiled into a library; None when the file holds no SQLite.

    A SQLite carries the first bytes of its database files beside its version (``sqlite3.c``).
    """
    data = stream.read(_READ)
    if b"SQLite format 3\0" not in data:
        return None
    for match in _VERSION.finditer(data):
        if data[match.start() - 1 : match.start()] not in _PART_OF_A_NUMBER:
            major, minor, patch = match[0].rstrip(b"\0").split(b".")
            return int(major), int(minor), int(patch)
    return None
