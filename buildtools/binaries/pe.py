"""PE: what Windows' loader would look for.

Windows is no target of this project; its files are read so that a wheel or a checkout that carries
them can be told apart and named. Source: Microsoft's "PE Format" specification.
"""

from __future__ import annotations

from struct import Struct

from buildtools.binaries.bytesource import NAME_BYTES, ByteSource
from buildtools.binaries.facts import Binary, BinaryFacts, BinaryFormat, BinaryInvalid, BinaryKind

MAGIC = b"MZ"

_MACHINES = {
    0x014C: ("i686", 32),
    0x8664: ("x86_64", 64),
    0xAA64: ("aarch64", 64),
    0x01C4: ("armv7l", 32),
}
_FILE_HEADER = Struct("<HHIIIHH")
_SECTION = Struct("<8sIIIIIIHHI")
_IMPORT = Struct("<5I")
_DELAY_IMPORT = Struct("<8I")
_EXPORT = Struct("<IIHHIIIIIII")
_DIRECTORY = Struct("<II")
_WORD = Struct("<I")
_WIDE = 64
_PE32, _PE32_PLUS = 0x10B, 0x20B
_IMAGE_FILE_EXECUTABLE, _IMAGE_FILE_DLL = 0x0002, 0x2000
_EXPORTS, _IMPORTS, _CERTIFICATES, _DELAY_IMPORTS = 0, 1, 4, 13

_MOST_IMPORTS = 1024
_MOST_SECTIONS = 96
"""The loader of Windows takes no more."""
_MOST_SYMBOLS = 4096


class _Image:
    """The headers, and addresses turned into offsets."""

    def __init__(self, source: ByteSource) -> None:
        self.source = source
        source.require(64, "the DOS header")
        start = int.from_bytes(source.at(60, 4), "little")
        source.require(start + 24, "the PE header")
        if source.at(start, 4) != b"PE\0\0":
            raise BinaryInvalid("a DOS program, not a Windows one")
        header = _FILE_HEADER.unpack(source.at(start + 4, _FILE_HEADER.size))
        self.machine, sections, _, symbols_at, symbols, optional_size, self.flags = header
        if sections > _MOST_SECTIONS:
            raise BinaryInvalid(f"{sections} sections")
        optional = source.at(start + 24, optional_size)
        magic = int.from_bytes(optional[:2], "little")
        if magic not in (_PE32, _PE32_PLUS):
            raise BinaryInvalid("a PE file without the header that makes it an image")
        self.bits = _WIDE if magic == _PE32_PLUS else 32
        self._optional = optional
        table = source.at(start + 24 + optional_size, _SECTION.size * sections)
        self.sections = []
        for row in _SECTION.iter_unpack(table):
            _, virtual_size, address, size, offset = row[:5]
            if size:
                source.require(offset + size, "a section")
            self.sections.append((address, min(size, virtual_size or size), offset))
        self._check_tail(symbols_at, symbols)

    def _check_tail(self, symbols_at: int, symbols: int) -> None:
        """What may stand behind the sections: GNU's symbol table and the signatures."""
        if symbols_at and symbols:
            strings_at = symbols_at + 18 * symbols
            self.source.require(strings_at + 4, "the symbol table")
            size = int.from_bytes(self.source.at(strings_at, 4), "little")
            self.source.require(strings_at + size, "the string table")
        offset, size = self.directory(_CERTIFICATES)
        self.source.require(offset + size, "the signature")

    def directory(self, number: int) -> tuple[int, int]:
        """Address and size of a data directory; zeros when it is not there."""
        start = 112 if self.bits == _WIDE else 96
        count = int.from_bytes(self._optional[start - 4 : start], "little")
        at = start + 8 * number
        if number >= count or at + 8 > len(self._optional):
            return 0, 0
        address, size = _DIRECTORY.unpack_from(self._optional, at)
        return address, size

    def bytes_at(self, address: int, length: int) -> bytes:
        """At most ``length`` bytes from an address on, fewer where its section ends."""
        for start, size, offset in self.sections:
            if start <= address < start + size:
                inside = address - start
                return self.source.upto(offset + inside, min(length, size - inside))
        raise BinaryInvalid(f"address {address:#x} lies in no section")

    def name(self, address: int) -> str:
        """The text at an address; :class:`BinaryInvalid` when it has no end."""
        data = self.bytes_at(address, NAME_BYTES)
        end = data.find(b"\0")
        if end < 0:
            raise BinaryInvalid("a name has no end")
        return data[:end].decode("utf-8", "backslashreplace")


def read_pe(source: ByteSource, *, symbols: bool = False) -> Binary:
    """The facts of a PE file; delayed imports count as weak. Raises :class:`BinaryInvalid`."""
    image = _Image(source)
    if image.flags & _IMAGE_FILE_DLL:
        kind = BinaryKind.LIBRARY
    elif image.flags & _IMAGE_FILE_EXECUTABLE:
        kind = BinaryKind.EXECUTABLE
    else:
        kind = BinaryKind.OTHER
    arch, _ = _MACHINES.get(image.machine, (f"machine-{image.machine}", 0))
    imports = _rows(image, _IMPORTS, _IMPORT)
    delayed = _rows(image, _DELAY_IMPORTS, _DELAY_IMPORT)
    soname, exported = _exports(image, symbols=symbols)
    facts = BinaryFacts(
        format=BinaryFormat.PE,
        arch=arch,
        bits=image.bits,
        little_endian=True,
        kind=kind,
        soname=soname,
        needed=tuple([image.name(row[3]) for row in imports]),
        weak_needed=tuple([image.name(row[1]) for row in delayed]),
        signed=image.directory(_CERTIFICATES)[1] > 0,
        undefined=_imported(image, imports) if symbols else None,
        defined=exported if symbols else None,
    )
    return Binary(format=BinaryFormat.PE, slices=(facts,))


def _rows(image: _Image, number: int, layout: Struct) -> list[tuple[int, ...]]:
    """The records of an import directory, up to the empty one that ends it."""
    address, _ = image.directory(number)
    if not address:
        return []
    data = image.bytes_at(address, layout.size * (_MOST_IMPORTS + 1))
    rows: list[tuple[int, ...]] = []
    for row in layout.iter_unpack(data[: len(data) // layout.size * layout.size]):
        if not any(row):
            return rows
        rows.append(row)
    raise BinaryInvalid("an import directory without an end")


def _exports(image: _Image, *, symbols: bool) -> tuple[str | None, frozenset[str] | None]:
    """The name that the file gives itself, and the names that it exports."""
    address, _ = image.directory(_EXPORTS)
    if not address:
        return None, frozenset()
    data = image.bytes_at(address, _EXPORT.size)
    if len(data) < _EXPORT.size:
        raise BinaryInvalid("an export directory that is too short")
    row = _EXPORT.unpack(data)
    soname = image.name(row[4]) if row[4] else None
    count = row[7]
    if not symbols or count > _MOST_SYMBOLS:
        return soname, None
    if not count:
        return soname, frozenset()
    table = image.bytes_at(row[9], 4 * count)
    if len(table) < 4 * count:
        raise BinaryInvalid("an export directory that is too short")
    return soname, frozenset(image.name(at) for (at,) in _WORD.iter_unpack(table))


def _imported(image: _Image, rows: list[tuple[int, ...]]) -> frozenset[str] | None:
    """The functions imported by name, not those by number; None when there are too many."""
    layout = Struct("<Q" if image.bits == _WIDE else "<I")
    by_number = 1 << (image.bits - 1)
    names: set[str] = set()
    taken = 0
    for row in rows:
        data = image.bytes_at(row[0] or row[4], layout.size * _MOST_SYMBOLS)
        for (value,) in layout.iter_unpack(data[: len(data) // layout.size * layout.size]):
            if value == 0:
                break
            taken += 1
            if taken > _MOST_SYMBOLS:
                return None
            if not value & by_number:
                names.add(image.name((value & 0x7FFFFFFF) + 2))
    return frozenset(names)
