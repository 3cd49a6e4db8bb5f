"""Files made to cost more than they weigh: each field honest in itself, the whole a trap."""

from __future__ import annotations

import struct
from collections.abc import Iterator


def _elf(tables: bytes, dynamic: list[tuple[int, int]], *, extra: int = 0) -> bytes:
    """A 64-bit ELF library: one segment over the whole file, the tables at 0x1000, then DYNAMIC."""
    at = 0x1000 + len(tables)
    entries = b"".join(struct.pack("<QQ", *entry) for entry in [*dynamic, (0, 0)])
    size = at + len(entries) + extra
    header = b"\x7fELF\2\1\1" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    header += struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, size, size, 4096)
    header += struct.pack("<IIQQQQQQ", 2, 6, at, at, at, len(entries), len(entries), 8)
    return header.ljust(0x1000, b"\0") + tables + entries + bytes(extra)


def elf_files() -> Iterator[tuple[str, bytes]]:
    """Names that share their bytes, versions that lead in circles, symbols without end."""
    text = b"\0" + b"n" * 16_000 + b"\0"
    strings = [(5, 0x1000), (10, len(text))]
    yield "elf-needs-long-names", _elf(text, [*strings, *[(1, 1 + n) for n in range(1000)]])
    yield "elf-needs-too-many", _elf(text, [*strings, *[(1, 15_990)] * 4000])
    path = b"\0" + b":a" * 8000 + b"\0"
    both = [(5, 0x1000), (10, len(path)), (15, 1), (29, 1)]
    yield "elf-long-search-path", _elf(path, both)

    circle = struct.pack("<HHIII", 1, 0xFFFF, 1, 16, 0) + struct.pack("<IHHII", 0, 0, 0, 1, 16)
    many = circle[:16] + circle[16:] * 6000
    at = 0x1000 + len(text)
    needs = [*strings, (0x6FFFFFFE, at), (0x6FFFFFFF, 0xFFFFFFFF)]
    yield "elf-endless-versions", _elf(text + many, needs)
    few = struct.pack("<HHIII", 1, 1, 1, 16, 32) + struct.pack("<IHHII", 0, 0, 0, 1, 0)
    yield "elf-versions-of-many", _elf(text + few * 4000, needs)
    definitions = struct.pack("<HHHHIII", 1, 0, 2, 1, 0, 20, 28) + struct.pack("<II", 1, 0)
    defs = [*strings, (0x6FFFFFFC, at), (0x6FFFFFFD, 0xFFFFFFFF)]
    yield "elf-endless-definitions", _elf(text + definitions * 4000, defs)

    rows = b"".join(
        struct.pack("<IBBHQQ", 1 + n % 15_000, 0x12, 0, n % 2, 0, 0) for n in range(65_536)
    )
    table = text + rows
    table += bytes(-len(table) % 8)
    hashed = 0x1000 + len(table)
    table += struct.pack("<II", 1, 65_536)
    symbols = [*strings, (6, at), (4, hashed)]
    yield "elf-symbols-share-names", _elf(table, symbols)
    names = b"".join(b"%06d\0" % n for n in range(65_536))
    rows = b"".join(struct.pack("<IBBHQQ", 7 * n, 0x12, 0, n % 2, 0, 0) for n in range(65_536))
    table = names + rows
    hashed = 0x1000 + len(table)
    own = [(5, 0x1000), (10, len(names)), (6, 0x1000 + len(names)), (4, hashed)]
    yield "elf-most-symbols", _elf(table + struct.pack("<IIQ", 1, 16_384, 0), own)
    gnu = struct.pack("<4I", 65_536, 1, 1, 0) + bytes(8) + b"\1\0\0\0" * 65_536 + bytes(1 << 18)
    chained = [(5, 0x1000), (10, len(names)), (6, 0x1000 + len(names)), (0x6FFFFEF5, hashed)]
    yield "elf-endless-hash-chain", _elf(table + gnu, chained)


def _macho(commands: list[bytes], tail: bytes = b"") -> bytes:
    body = b"".join(commands)
    header = struct.pack("<8I", 0xFEEDFACF, 0x0100000C, 0, 6, len(commands), len(body), 0, 0)
    return header + body + tail


def _full_trie(size: int) -> bytes:
    """A chain of nodes that each export a name of one letter more, up to the size."""
    trie = bytearray()
    while len(trie) + 9 <= size:
        following = len(trie) + 9
        uleb = bytes((following & 0x7F | 0x80, following >> 7 & 0x7F | 0x80, following >> 14))
        trie += b"\1\0\1a\0" + uleb + b"\0"
    return bytes(trie).ljust(size, b"\0")


def macho_files() -> Iterator[tuple[str, bytes]]:
    """Slices over one another, commands by the thousand, tries that never end."""
    name = b"n" * 900 + bytes(100)
    load = struct.pack("<6I", 0xC, 24 + len(name), 24, 0, 0, 0) + name
    thin = _macho([load] * 250)
    yield "macho-many-names", thin
    small = _macho([struct.pack("<6I", 0xC, 32, 24, 0, 0, 0) + b"lib\0\0\0\0\0"] * 1024)
    names = b"".join(b"_%06d\0" % n for n in range(16_384))
    rows = b"".join(struct.pack("<IBBHQ", 8 * n, 1, 0, 0, n % 2) for n in range(16_384))
    start = 32 + 24
    symtab = struct.pack("<6I", 2, 24, start + len(names), 16_384, start, len(names))
    symbols = _macho([symtab], names + rows)
    yield "macho-most-symbols", symbols
    for what, data in (("commands", small), ("symbols", symbols), ("names", thin)):
        fat = bytearray(struct.pack(">II", 0xCAFEBABE, 8))
        for number in range(8):
            fat += struct.pack(">5I", 0x0100000C, number, 4096, len(data), 12)
        yield f"macho-8-slices-of-{what}", bytes(fat).ljust(4096, b"\0") + data
    node = b"\0\xff" + b"a\0\1" * 255
    at = 32 + 16
    trie = struct.pack("<4I", 0x80000033, 16, at, 3 << 20)
    yield "macho-wide-trie", _macho([trie], (node * 4096).ljust(3 << 20, b"\0"))
    chain = bytearray()
    while len(chain) < 1 << 20:  # each node one letter further
        following = len(chain) + 8
        uleb = bytes((following & 0x7F | 0x80, following >> 7 & 0x7F | 0x80, following >> 14))
        chain += b"\0\1a\0" + uleb + b"\0"
    deep = struct.pack("<4I", 0x80000033, 16, at, len(chain))
    yield "macho-deep-trie", _macho([deep], bytes(chain))
    rows = b"".join(struct.pack("<IBBHQ", 8 * n, 1, 0, 0, 0) for n in range(16_384))
    start = 32 + 24 + 16
    both = [
        struct.pack("<6I", 2, 24, start + len(names), 16_384, start, len(names)),
        struct.pack("<4I", 0x80000033, 16, start + len(names) + len(rows), 1 << 18),
    ]
    yield "macho-symbols-and-trie", _macho(both, names + rows + _full_trie(1 << 18))
    count = 900_000
    blob = struct.pack("<7I", 0, 0, 28, 28 + 4 * count, count, 1, 0)
    blob += b"\0\2\0\0" * count + b"\0" + b"n" * 10_000 + b"\0"
    fixups = struct.pack("<4I", 0x80000034, 16, at, len(blob))
    yield "macho-endless-imports", _macho([fixups], blob)


def pe_files() -> Iterator[tuple[str, bytes]]:
    """Imports without an end, functions by the thousand, names that share their bytes."""
    optional = bytearray(240)
    struct.pack_into("<H", optional, 0, 0x20B)
    struct.pack_into("<I", optional, 108, 16)
    struct.pack_into("<II", optional, 120, 0x1000, 40)  # imports
    section = struct.pack("<8sIIIIIIHHI", b".data", 1 << 23, 0x1000, 1 << 23, 0x400, 0, 0, 0, 0, 0)
    for what, dlls, functions in (("libraries", 1000, 1), ("functions", 1, 100_000)):
        head = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64)
        head += b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, 240, 0x2022)
        data = bytearray(1 << 23)
        thunks, names = 0x10_0000, 0x20_0000
        for number in range(dlls):
            row = (0x1000 + thunks, 0, 0, 0x1000 + names, 0x1000 + thunks)
            struct.pack_into("<5I", data, 20 * number, *row)
        for number in range(functions):
            struct.pack_into("<Q", data, thunks + 8 * number, 0x1000 + names + number % 500)
        data[names : names + 4000] = b"n" * 4000
        yield f"pe-many-{what}", (head + bytes(optional) + section).ljust(0x400, b"\0") + data


def hostile_files() -> Iterator[tuple[str, bytes]]:
    """Every trap by name."""
    yield from elf_files()
    yield from macho_files()
    yield from pe_files()
