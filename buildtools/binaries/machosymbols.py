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

_MOST_SYMBOLS = 16_384
_STRINGS_BYTES = 8 << 20
_NAME_BYTES = 3 << 20
_MOST_STEPS = 24_576
"""Symbols and nodes of the trie together."""
_FIXUP_BYTES = 4 << 20

Symbols = tuple[frozenset[str] | None, frozenset[str] | None]


@dataclass(slots=True, kw_only=True)
class SymbolPlaces:
    """Where a file keeps its symbols: file offsets and sizes, or empty where it has none.

    ``symbols`` is the table's offset and count, the strings' offset and size; ``ranges`` are pairs
    of first index and count for the local, the defined and the undefined symbols.
    """

    symbols: tuple[int, ...] = ()
    ranges: tuple[int, ...] = ()
    exports: tuple[int, ...] = ()
    fixups: tuple[int, ...] = ()


class _TooMany(Exception):  # noqa: N818 - caught in this module
    """There are more names than are worth reading."""


class _Allowance:
    """What may be spent on the names of one slice; beyond it they are left unread."""

    def __init__(self, share: int) -> None:
        self.symbols = _MOST_SYMBOLS // share
        self._steps = _MOST_STEPS // share
        self._bytes = _NAME_BYTES // share

    def take(self, steps: int) -> None:
        """Count so many symbols or nodes as read."""
        self._steps -= steps
        if self._steps < 0:
            raise _TooMany

    def spend(self, length: int) -> None:
        """Count a name of that many bytes."""
        self._bytes -= length
        if self._bytes < 0:
            raise _TooMany


def read_symbols(
    source: ByteSource, places: SymbolPlaces, share: int, *, wide: bool, order: str
) -> Symbols:
    """Undefined (but not weak) and defined names; None for those that are too many to read.

    ``share`` is the number of slices in the file. Raises :class:`BinaryInvalid`.
    """
    allowance = _Allowance(share)
    undefined: set[str] = set()
    defined: set[str] = set()
    layout = Struct(order + ("IBBHQ" if wide else "IBBHI"))
    try:
        if places.symbols:
            undefined, defined = _read_table(source, places, layout, allowance)
        if places.fixups and not undefined:
            undefined = _imports(source, places.fixups, order, allowance)
    except _TooMany:
        return None, None
    try:
        if places.exports and not defined:
            defined = _exports(source, places.exports, allowance)
    except _TooMany:
        return frozenset(undefined), None
    return frozenset(undefined), frozenset(defined)


def _read_table(
    source: ByteSource,
    places: SymbolPlaces,
    layout: Struct,
    allowance: _Allowance,
) -> tuple[set[str], set[str]]:
    """The names of the symbol table: the undefined ones and the defined ones, no local ones."""
    undefined: set[str] = set()
    defined: set[str] = set()
    start, count, strings_at, strings_size = places.symbols
    if places.ranges:
        _, _, first, _, undefined_at, undefined_count = places.ranges
        if first <= undefined_at and undefined_at + undefined_count <= count:
            start += layout.size * first
            count = undefined_at + undefined_count - first
    if count > allowance.symbols or strings_size > _STRINGS_BYTES:
        raise _TooMany
    allowance.take(count)
    names = source.at(strings_at, strings_size)
    table = source.at(start, layout.size * count)
    for at, kind, _, description, value in layout.iter_unpack(table):
        if kind & _N_STAB or not kind & _N_EXT or at == 0:
            continue
        end = names.find(b"\0", at)
        if end < 0:
            raise BinaryInvalid("a symbol's name has no end")
        allowance.spend(end - at)
        name = names[at:end].decode("utf-8", "backslashreplace")
        if kind & _N_TYPE != _N_UNDF or value:
            defined.add(name)
        elif not description & _N_WEAK_REF:
            undefined.add(name)
    return undefined, defined


def _imports(
    source: ByteSource, place: tuple[int, ...], order: str, allowance: _Allowance
) -> set[str]:
    """The names that the chained fixups bind; weak imports are left out."""
    offset, size = place
    header = Struct(order + "7I")
    if size > _FIXUP_BYTES:
        raise _TooMany
    data = source.at(offset, size)
    if len(data) < header.size:
        raise BinaryInvalid("chained fixups that are too short")
    _, _, imports_at, symbols_at, count, kind, compressed = header.unpack_from(data)
    record = {1: Struct(order + "I"), 2: Struct(order + "Ii"), 3: Struct(order + "QQ")}.get(kind)
    if record is None or compressed or imports_at + record.size * count > len(data):
        raise BinaryInvalid("chained fixups of an unknown kind")
    if count > allowance.symbols:
        raise _TooMany
    weak_bit, shift = (1 << 16, 32) if kind == 3 else (1 << 8, 9)  # noqa: PLR2004
    names: set[str] = set()
    for row in record.iter_unpack(data[imports_at : imports_at + record.size * count]):
        if not row[0] & weak_bit:
            name = ended_text(data, symbols_at + (row[0] >> shift))
            allowance.spend(len(name))
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


def _exports(source: ByteSource, place: tuple[int, ...], allowance: _Allowance) -> set[str]:
    """The names in the export trie."""
    offset, size = place
    if size > _FIXUP_BYTES:
        raise _TooMany
    data = source.at(offset, size)
    names: set[str] = set()
    seen: set[int] = set()
    todo: list[tuple[int, bytes]] = [(0, b"")] if data else []
    while todo:
        node, prefix = todo.pop()
        if node in seen:
            raise BinaryInvalid("the export trie is no tree")
        seen.add(node)
        allowance.take(1)
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
            allowance.spend(len(name))
            child, at = _number(data, end + 1)
            todo.append((child, name))
    return names
