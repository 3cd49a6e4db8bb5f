"""Mach-O symbols: from the symbol table, the chained fixups and the export trie.

Names keep the underscore that C puts before them. Source: Apple's ``mach-o/nlist.h``,
``mach-o/fixup-chains.h``, and the export trie as dyld reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from buildtools.binaries.bytesource import ByteSource, ended_text
from buildtools.binaries.facts import BinaryInvalid

_N_STAB, _N_TYPE, _N_EXT = 0xE0, 0x0E, 0x01
_N_UNDF, _N_WEAK_REF = 0x0, 0x40

_MOST_SYMBOLS = 100_000
_NAME_BYTES = 8 << 20
_MOST_TRIE_NODES = 100_000
_TRIE_BYTES = 4 << 20

Symbols = tuple[frozenset[str] | None, frozenset[str] | None]


@dataclass(slots=True, kw_only=True)
class SymbolPlaces:
    """Where a file keeps its symbols: file offsets and sizes (of symbols, the count), or empty."""

    symbols: tuple[int, ...] = ()
    exports: tuple[int, ...] = ()
    fixups: tuple[int, ...] = ()


def read_symbols(source: ByteSource, places: SymbolPlaces, *, wide: bool, order: str) -> Symbols:
    """Undefined (but not weak) and defined names; ``(None, None)`` when there are too many to read.

    Raises :class:`BinaryInvalid`.
    """
    undefined: set[str] = set()
    defined: set[str] = set()
    if places.symbols:
        if places.symbols[1] > _MOST_SYMBOLS or places.symbols[3] > _NAME_BYTES:
            return None, None
        if not _read_table(source, places.symbols, undefined, defined, wide=wide, order=order):
            return None, None
    if places.fixups and not undefined:
        undefined.update(_imports(source, places.fixups, order))
    if places.exports and not defined:
        defined.update(_exports(source, places.exports))
    return frozenset(undefined), frozenset(defined)


def _read_table(
    source: ByteSource,
    place: tuple[int, ...],
    undefined: set[str],
    defined: set[str],
    *,
    wide: bool,
    order: str,
) -> bool:
    """Sort the table's names into the two sets; False when the names grow beyond reason."""
    start, count, strings_at, strings_size = place
    layout = Struct(order + ("IBBHQ" if wide else "IBBHI"))
    names = source.at(strings_at, strings_size)
    taken = 0
    for at, kind, _, description, value in layout.iter_unpack(
        source.at(start, layout.size * count)
    ):
        if kind & _N_STAB or not kind & _N_EXT or at == 0:
            continue
        end = names.find(b"\0", at)
        if end < 0:
            raise BinaryInvalid("a symbol's name has no end")
        taken += end - at
        if taken > _NAME_BYTES:
            return False
        name = names[at:end].decode("utf-8", "backslashreplace")
        if kind & _N_TYPE != _N_UNDF or value:
            defined.add(name)
        elif not description & _N_WEAK_REF:
            undefined.add(name)
    return True


def _imports(source: ByteSource, place: tuple[int, ...], order: str) -> set[str]:
    """The names that the chained fixups bind; weak imports are left out."""
    offset, size = place
    header = Struct(order + "7I")
    data = source.at(offset, min(size, _TRIE_BYTES))
    if len(data) < header.size:
        raise BinaryInvalid("chained fixups that are too short")
    _, _, imports_at, symbols_at, count, kind, compressed = header.unpack_from(data)
    record = {1: Struct(order + "I"), 2: Struct(order + "Ii"), 3: Struct(order + "QQ")}.get(kind)
    if record is None or compressed or imports_at + record.size * count > len(data):
        raise BinaryInvalid("chained fixups of an unknown kind")
    weak_bit, shift = (1 << 16, 32) if kind == 3 else (1 << 8, 9)  # noqa: PLR2004
    names: set[str] = set()
    taken = 0
    for row in record.iter_unpack(data[imports_at : imports_at + record.size * count]):
        if row[0] & weak_bit:
            continue
        name = ended_text(data, symbols_at + (row[0] >> shift))
        taken += len(name)
        if taken > _NAME_BYTES:
            raise BinaryInvalid("chained fixups with more names than they can hold")
        names.add(name)
    return names


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A ULEB128 number and where it ends."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:  # noqa: PLR2004
            raise BinaryInvalid("the export trie ends early")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if not byte & 0x80:
            return value, at
        shift += 7


def _exports(source: ByteSource, place: tuple[int, ...]) -> set[str]:
    """The names in the export trie."""
    offset, size = place
    data = source.at(offset, min(size, _TRIE_BYTES))
    names: set[str] = set()
    seen: set[int] = set()
    todo: list[tuple[int, bytes]] = [(0, b"")] if data else []
    taken = 0
    while todo:
        node, prefix = todo.pop()
        if node in seen or len(seen) > _MOST_TRIE_NODES:
            raise BinaryInvalid("the export trie is no tree")
        seen.add(node)
        terminal, at = _number(data, node)
        if terminal:
            names.add(prefix.decode("utf-8", "backslashreplace"))
        at += terminal
        if at >= len(data):
            raise BinaryInvalid("the export trie ends early")
        children = data[at]
        at += 1
        for _ in range(children):
            end = data.find(b"\0", at)
            if end < 0:
                raise BinaryInvalid("the export trie ends early")
            name = prefix + data[at:end]
            taken += len(name)
            if taken > _NAME_BYTES:
                raise BinaryInvalid("the export trie has more names than it can hold")
            child, at = _number(data, end + 1)
            todo.append((child, name))
    return names
