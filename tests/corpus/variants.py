"""Binaries that no compiler at hand makes, made out of those that it does make.

Apple's linker writes chained fixups and export tries, GNU's a symbol table into PE files, and old
linkers leave things out: each function gives a whole file with one such thing in it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

CORPUS = Path(__file__).parent / "binaries"

UNKNOWN_TAG = 0x6FFFFEF8
"""A tag of a dynamic section that no reader looks at."""
DT_HASH, DT_FLAGS_1, DT_DEBUG = 4, 0x6FFFFFFB, 21
LC_SYMTAB, LC_LOAD_DYLIB, LC_LOAD_WEAK_DYLIB, LC_REEXPORT_DYLIB = 2, 0xC, 0x80000018, 0x8000001F
LC_BUILD_VERSION, LC_VERSION_MIN_MACOSX = 0x32, 0x24
_LC_EXPORTS_TRIE, _LC_CHAINED_FIXUPS = 0x80000033, 0x80000034
_PT_DYNAMIC = 2
_DELAY_IMPORTS = 13


def corpus_bytes(name: str) -> bytes:
    return (CORPUS / name).read_bytes()


def patched(data: bytes, layout: str, offset: int, *values: int) -> bytes:
    """The bytes with numbers written over them."""
    changed = bytearray(data)
    struct.pack_into(layout, changed, offset, *values)
    return bytes(changed)


def dynamic_entry(data: bytes, tag: int) -> int:
    """Where in a 64-bit little-endian ELF file a tag's value stands."""
    for number in range(struct.unpack_from("<H", data, 56)[0]):
        kind, _, offset, _, _, size, _, _ = struct.unpack_from("<IIQQQQQQ", data, 64 + 56 * number)
        if kind == _PT_DYNAMIC:
            for at in range(offset, offset + size, 16):
                if struct.unpack_from("<Q", data, at)[0] == tag:
                    return int(at) + 8
    raise AssertionError(tag)


def without_tag(data: bytes, tag: int) -> bytes:
    """An ELF file with one entry of its dynamic section turned into one that nobody knows."""
    return patched(data, "<Q", dynamic_entry(data, tag) - 8, UNKNOWN_TAG)


def without_section_headers(data: bytes) -> bytes:
    """A 64-bit ELF file whose header says that there is no section."""
    return patched(patched(data, "<Q", 40, 0), "<H", 60, 0)


def load_commands(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Of each load command of a 64-bit Mach-O file: where it stands, its number, its size."""
    at = 32
    for _ in range(struct.unpack_from("<I", data, 16)[0]):
        number, size = struct.unpack_from("<II", data, at)
        yield at, number, size
        at += size


def command_at(data: bytes, wanted: int) -> int:
    """Where the first load command of that number stands."""
    return next(at for at, number, _ in load_commands(data) if number == wanted)


def _instead_of_symbols(command: int, blob: bytes) -> bytes:
    """The arm64 module, its symbol table's command turned into one about data at the end."""
    data = bytearray(corpus_bytes("macho-arm64-macos11.so"))
    at = command_at(bytes(data), LC_SYMTAB)
    struct.pack_into("<4I8x", data, at, command, 24, len(data), len(blob))
    return bytes(data) + blob


def with_chained_fixups(kind: int, *, weak: bool = False) -> bytes:
    """Imports ``_first`` (weakly, if so asked) and ``_second``, in one of the three formats."""
    rows = {
        1: struct.pack("<II", 1 << 9 | weak << 8, 8 << 9),
        2: struct.pack("<IiIi", 1 << 9 | weak << 8, 0, 8 << 9, 0),
        3: struct.pack("<QQQQ", 1 << 32 | weak << 16, 0, 8 << 32, 0),
    }[kind]
    header = struct.pack("<7I", 0, 0, 28, 28 + len(rows), 2, kind, 0)
    return _instead_of_symbols(_LC_CHAINED_FIXUPS, header + rows + b"\0_first\0_second\0")


EXPORTS = b"\0\1_s\0\6" + b"\0\2ample\0\x16econd\0\x1a" + b"\2\0\0\0" + b"\2\0\0\0"
"""A trie: an edge ``_s`` from the root, from there ``ample`` and ``econd``, each to an end."""


def with_exports(trie: bytes) -> bytes:
    return _instead_of_symbols(_LC_EXPORTS_TRIE, trie)


def pe_headers(data: bytes) -> int:
    return int.from_bytes(data[60:64], "little")


def pe_sections(data: bytes) -> list[tuple[int, int, int, int, int]]:
    """Of each section: where its header stands, and its size, address, size in the file, offset."""
    start = pe_headers(data)
    count = int.from_bytes(data[start + 6 : start + 8], "little")
    table = start + 24 + int.from_bytes(data[start + 20 : start + 22], "little")
    return [
        (at, *struct.unpack_from("<4I", data, at + 8))
        for at in range(table, table + 40 * count, 40)
    ]


def pe_offset(data: bytes, address: int) -> int:
    for _, _, virtual, raw, offset in pe_sections(data):
        if virtual <= address < virtual + raw:
            return offset + address - virtual
    raise AssertionError(address)


def with_delayed_import(data: bytes, library: bytes) -> bytes:
    """A PE file with a delay-import directory in the padding behind a section's data."""
    roomy = (row for row in pe_sections(data) if row[3] - row[1] >= 64 + len(library))
    at, size, virtual, raw, offset = next(roomy)
    changed = bytearray(patched(data, "<I", at + 8, raw))
    changed[offset + size : offset + size + 64 + len(library)] = (
        struct.pack("<8I", 1, virtual + size + 64, 0, 0, 0, 0, 0, 0) + bytes(32) + library
    )
    directory = pe_headers(data) + 24 + 112 + 8 * _DELAY_IMPORTS
    return patched(bytes(changed), "<II", directory, virtual + size, 64)


def with_gnu_symbols(data: bytes) -> bytes:
    """A PE file with the symbol table and the strings that GNU's linker puts at the end."""
    placed = patched(data, "<II", pe_headers(data) + 12, len(data), 2)
    return placed + bytes(36) + (12).to_bytes(4, "little") + b"symbols\0"


def variants() -> Iterator[tuple[str, bytes]]:
    """Every one of them by name."""
    library = corpus_bytes("elf-libsample-1.1.so.1")
    yield "elf-gnu-hash-alone", without_section_headers(without_tag(library, DT_HASH))
    yield "elf-sysv-hash-alone", without_section_headers(without_tag(library, 0x6FFFFEF5))
    for kind in (1, 2, 3):
        yield f"macho-chained-fixups-{kind}", with_chained_fixups(kind)
    yield "macho-exports", with_exports(EXPORTS)
    module = corpus_bytes("macho-x86_64-macos10.13.so")
    at = command_at(module, LC_LOAD_DYLIB)
    yield "macho-weak-library", patched(module, "<I", at, LC_LOAD_WEAK_DYLIB)
    windows = corpus_bytes("pe-x86_64.pyd")
    yield "pe-delayed-import", with_delayed_import(windows, b"late.dll\0")
    yield "pe-gnu-symbols", with_gnu_symbols(windows)
