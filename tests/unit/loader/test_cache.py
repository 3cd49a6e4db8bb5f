"""The loader's cache is read in both of its formats, and damage gives nothing."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from buildtools.loader import parse_cache

Entries = list[tuple[int, str, str, int]]


def new_format(entries: Entries) -> bytes:
    """``glibc-ld.so.cache1.1`` with string offsets from its own start."""
    strings_at = 48 + 24 * len(entries)
    rows, strings = b"", b""
    for flags, name, path, hwcap in entries:
        key = strings_at + len(strings)
        strings += name.encode() + b"\0"
        value = strings_at + len(strings)
        strings += path.encode() + b"\0"
        rows += struct.pack("=iIIIQ", flags, key, value, 0, hwcap)
    head = b"glibc-ld.so.cache1.1" + struct.pack("=II", len(entries), len(strings)) + bytes(20)
    return head + rows + strings


def old_format(entries: Entries) -> bytes:
    """``ld.so-1.7.0`` with string offsets from behind its entries."""
    rows, strings = b"", b""
    for flags, name, path, _ in entries:
        key = len(strings)
        strings += name.encode() + b"\0"
        rows += struct.pack("=iII", flags, key, len(strings))
        strings += path.encode() + b"\0"
    return b"ld.so-1.7.0\0" + struct.pack("=I", len(entries)) + rows + strings


ENTRIES: Entries = [
    (0x0303, "libz.so.1", "/lib/x86_64-linux-gnu/libz.so.1", 0),
    (0x0003, "libz.so.1", "/lib/i386-linux-gnu/libz.so.1", 0),
    (0x0303, "libssl.so.3", "/usr/lib/libssl.so.3", 0),
]
BY_NAME = {
    "libz.so.1": ("/lib/x86_64-linux-gnu/libz.so.1", "/lib/i386-linux-gnu/libz.so.1"),
    "libssl.so.3": ("/usr/lib/libssl.so.3",),
}


def test_the_new_format() -> None:
    assert parse_cache(new_format(ENTRIES)) == BY_NAME


def test_the_old_format() -> None:
    assert parse_cache(old_format(ENTRIES)) == BY_NAME


def test_the_new_format_behind_the_old_one_is_taken() -> None:
    old = old_format([])
    old += bytes(-len(old) % 8)
    assert parse_cache(old + new_format(ENTRIES)) == BY_NAME


def test_entries_for_certain_processors_and_other_kinds_of_library_are_left_out() -> None:
    special = [(0x0303, "libz.so.1", "/lib/glibc-hwcaps/x86-64-v3/libz.so.1", 1 << 62), *ENTRIES]
    assert parse_cache(new_format(special)) == BY_NAME
    assert parse_cache(new_format([(0x0301, "libc.so.5", "/lib/libc.so.5", 0)])) == {}


def test_a_cut_cache_gives_nothing_and_raises_nothing() -> None:
    whole = new_format(ENTRIES)
    for length in range(48 + 24 * len(ENTRIES)):
        assert parse_cache(whole[:length]) == {}


@given(
    data=st.binary(max_size=400),
    magic=st.sampled_from([b"", b"ld.so-1.7.0\0", b"glibc-ld.so.cache1.1"]),
)
def test_any_bytes_are_read_or_give_nothing(data: bytes, magic: bytes) -> None:
    assert isinstance(parse_cache(magic + data), dict)
