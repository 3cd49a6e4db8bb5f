"""``/etc/ld.so.cache`` as glibc's loader reads it, in both of its formats."""

from __future__ import annotations

import struct
from collections.abc import Mapping

_OLD_MAGIC = b"ld.so-1.7.0"
_NEW_MAGIC = b"glibc-ld.so.cache1.1"
_OLD_HEADER = 16
_NEW_HEADER = 48
_OLD_ENTRY = struct.Struct("=iII")
_NEW_ENTRY = struct.Struct("=iIIIQ")
_LIBC6 = 3
_KIND = 0xFF
_MOST_ENTRIES = 200_000


def parse_cache(data: bytes) -> Mapping[str, tuple[str, ...]]:
    """The cache's paths by soname, in its order; empty for what is no cache, or damaged.

    Entries that want a certain processor (``glibc-hwcaps``) are left out: the plain entry of the
    same name is always beside them. Machines are not told apart here: the reader of a candidate
    sees its machine and skips it, as the loader does.

    Source: glibc's ``sysdeps/generic/dl-cache.h``. The old format is ``ld.so-1.7.0``, a count and
    entries of flags, key and value; the new one, alone or behind the old, aligned to 8, is
    ``glibc-ld.so.cache1.1`` with a 48-byte header and entries of 24 bytes.
    """
    if data.startswith(_NEW_MAGIC):
        return _new(data, 0)
    if not data.startswith(_OLD_MAGIC) or len(data) < _OLD_HEADER:
        return {}
    count = min(int.from_bytes(data[12:16], "little"), _MOST_ENTRIES)
    end = _OLD_HEADER + count * _OLD_ENTRY.size
    new_at = (end + 7) & ~7
    if data.startswith(_NEW_MAGIC, new_at):
        return _new(data, new_at)
    return _old(data, end)


def _new(data: bytes, base: int) -> Mapping[str, tuple[str, ...]]:
    if len(data) < base + _NEW_HEADER:
        return {}
    count = int.from_bytes(data[base + 20 : base + 24], "little")
    start = base + _NEW_HEADER
    end = start + min(count, _MOST_ENTRIES) * _NEW_ENTRY.size
    if end > len(data):
        return {}
    found: dict[str, list[str]] = {}
    for flags, key, value, _, hwcap in _NEW_ENTRY.iter_unpack(data[start:end]):
        if flags & _KIND == _LIBC6 and hwcap == 0:
            found.setdefault(_text(data, base + key), []).append(_text(data, base + value))
    return {name: tuple(paths) for name, paths in found.items() if name}


def _old(data: bytes, strings: int) -> Mapping[str, tuple[str, ...]]:
    if strings > len(data):
        return {}
    found: dict[str, list[str]] = {}
    for flags, key, value in _OLD_ENTRY.iter_unpack(data[_OLD_HEADER:strings]):
        if flags & _KIND == _LIBC6:
            found.setdefault(_text(data, strings + key), []).append(_text(data, strings + value))
    return {name: tuple(paths) for name, paths in found.items() if name}


def _text(data: bytes, at: int) -> str:
    end = data.find(b"\0", at)
    return data[at:end].decode("utf-8", "surrogateescape") if end > at else ""
