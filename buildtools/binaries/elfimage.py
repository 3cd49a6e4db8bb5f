"""ELF headers: where the segments lie and what the dynamic section holds.

Source of the layouts: the System V gABI, chapters 4 and 5, and glibc's ``elf/elf.h``.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from buildtools.binaries.bytesource import NAME_BYTES, ByteSource, ended_text
from buildtools.binaries.facts import BinaryInvalid

WIDE = 64
"""The bits of a class whose addresses take eight bytes."""

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_SHT_NULL, _SHT_NOBITS = 0, 8
_DT_NULL, _DT_NEEDED = 0, 1

_PROGRAM_HEADER_BYTES = 65536
"""The kernel takes no more than this (``load_elf_phdrs`` in fs/binfmt_elf.c)."""
_DYNAMIC_BYTES = 65536
_MOST_NEEDED = 1024
_SEARCH_PATH_BYTES = 16384
_SECTION_HEADER_BYTES = 1 << 19
_STRING_PAGE = 2048
_NAMES_BYTES = 1 << 20

Ranges = tuple[tuple[int, int, int], ...]
"""Of each PT_LOAD: virtual address, file offset, bytes in the file."""


class Layout(NamedTuple):
    """The records of one class and byte order."""

    bits: int
    little_endian: bool
    header: Struct
    segment: Struct
    dynamic: Struct
    section: Struct
    symbol: Struct
    word: Struct


def _layout(bits: int, order: str) -> Layout:
    wide = bits == WIDE
    return Layout(
        bits=bits,
        little_endian=order == "<",
        header=Struct(order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH")),
        segment=Struct(order + ("IIQQQQQQ" if wide else "IIIIIIII")),
        dynamic=Struct(order + ("QQ" if wide else "II")),
        section=Struct(order + ("IIQQQQIIQQ" if wide else "IIIIIIIIII")),
        symbol=Struct(order + ("IBBHQQ" if wide else "IIIBBH")),
        word=Struct(order + "I"),
    )


_LAYOUTS = {
    b"\1\1": _layout(32, "<"),
    b"\1\2": _layout(32, ">"),
    b"\2\1": _layout(64, "<"),
    b"\2\2": _layout(64, ">"),
}


class Image(NamedTuple):
    """What the headers say.

    ``dynamic`` holds of each tag but DT_NEEDED the (last) value; ``needed`` the offsets of the
    needed names in the string table; ``table`` is where the dynamic section lies, offset and
    bytes; ``sections`` is e_shoff, e_shentsize and the number of headers.
    """

    source: ByteSource
    layout: Layout
    type: int
    machine: int
    loads: Ranges
    interpreter: str | None
    needed: list[int]
    dynamic: dict[int, int]
    table: tuple[int, int] | None
    sections: tuple[int, int, int]

    def offset(self, address: int) -> int:
        """The file offset of a virtual address; :class:`BinaryInvalid` if nothing is there."""
        for start, offset, size in self.loads:
            if start <= address < start + size:
                return offset + address - start
        raise BinaryInvalid(f"the dynamic section points at {address:#x}, where nothing is loaded")

    def address_bytes(self, address: int, length: int) -> bytes:
        """At most ``length`` bytes from a virtual address on, fewer where its segment ends."""
        for start, offset, size in self.loads:
            if start <= address < start + size:
                inside = address - start
                return self.source.upto(offset + inside, min(length, size - inside))
        raise BinaryInvalid(f"the dynamic section points at {address:#x}, where nothing is loaded")


class StringTable:
    """DT_STRTAB, read in pages as names are asked for.

    The names asked for may share bytes, so that a small file can promise endless text: together
    they may not be longer than any real file's.
    """

    __slots__ = ("_left", "_pages", "_size", "_source", "start")

    def __init__(self, source: ByteSource, start: int, size: int) -> None:
        source.require(start + size, "the dynamic string table")
        self._source, self.start, self._size = source, start, size
        self._left = _NAMES_BYTES
        self._pages: dict[int, bytes] = {}

    def get(self, offset: int) -> str:
        """The name at an offset; :class:`BinaryInvalid` when it is outside or has no end."""
        number, inside = divmod(offset, _STRING_PAGE)
        page = self._pages.get(number)
        if page is None:
            if offset >= self._size:
                raise BinaryInvalid(f"a name lies outside the dynamic string table, at {offset}")
            begin = number * _STRING_PAGE
            page = self._source.at(self.start + begin, min(_STRING_PAGE, self._size - begin))
            self._pages[number] = page
        end = page.find(b"\0", inside)
        if end >= 0:
            self._spend(end - inside)
            return page[inside:end].decode("utf-8", "backslashreplace")
        return self.long(offset)

    def long(self, offset: int) -> str:
        """A name that may be as long as a search path."""
        if offset >= self._size:
            raise BinaryInvalid(f"a name lies outside the dynamic string table, at {offset}")
        length = min(_SEARCH_PATH_BYTES, self._size - offset)
        text = ended_text(self._source.at(self.start + offset, length), 0)
        self._spend(len(text))
        return text

    def _spend(self, length: int) -> None:
        self._left -= length
        if self._left < 0:
            raise BinaryInvalid("names that add up to more than a file can need")


def read_image(source: ByteSource) -> Image:
    """The headers of an ELF file; everything that they promise is in the file.

    Raises :class:`BinaryInvalid`, as ``truncated`` when a segment, a section or a table ends past
    the end of the file.
    """
    layout = _LAYOUTS.get(source.head[4:6])
    if layout is None:
        source.require(16, "the ELF header")
        raise BinaryInvalid("an ELF header with an unknown class or byte order")
    source.require(16 + layout.header.size, "the ELF header")
    header = layout.header.unpack_from(source.head, 16)
    sections = _sections(source, layout, header[5], header[10], header[11])
    loads, dynamic_at, interpreter = _segments(source, layout, header[4], header[8], header[9])
    needed, dynamic = _dynamic(source, layout, dynamic_at)
    kind, machine = header[:2]
    return Image(
        source, layout, kind, machine, loads, interpreter, needed, dynamic, dynamic_at, sections
    )


def _sections(
    source: ByteSource, layout: Layout, start: int, size: int, count: int
) -> tuple[int, int, int]:
    """The section headers' place and number, once everything that they promise is in the file.

    Most linkers and strippers put this table last, and then its end is proof enough. The loader
    never looks at it: a file cut within it still loads (glibc 2.36), but is not what was built.
    """
    if start == 0:
        return (0, size, 0)
    if size != layout.section.size:
        raise BinaryInvalid(f"section headers of {size} bytes")
    source.require(start + size * max(count, 1), "the section header table")
    if count == 0:
        count = layout.section.unpack(source.at(start, size))[5]
        source.require(start + size * count, "the section header table")
    if size * count > _SECTION_HEADER_BYTES:
        raise BinaryInvalid(f"{count} section headers")
    if start + size * count + layout.word.size < source.size:
        for section in layout.section.iter_unpack(source.at(start, size * count)):
            if section[1] not in (_SHT_NULL, _SHT_NOBITS):
                source.require(section[4] + section[5], "a section")
    return (start, size, count)


def _segments(
    source: ByteSource, layout: Layout, start: int, size: int, count: int
) -> tuple[Ranges, tuple[int, int] | None, str | None]:
    """What is loaded, where the dynamic section is, and PT_INTERP; each proven to be there."""
    if count == 0:
        return (), None, None
    if size != layout.segment.size:
        raise BinaryInvalid(f"program headers of {size} bytes")
    source.require(start + size * count, "the program header table")
    if size * count > _PROGRAM_HEADER_BYTES:
        raise BinaryInvalid(f"{count} program headers")
    loads: list[tuple[int, int, int]] = []
    dynamic: tuple[int, int] | None = None
    interpreter: str | None = None
    at, address_at, length_at = (2, 3, 5) if layout.bits == WIDE else (1, 2, 4)
    end = source.size
    for row in layout.segment.iter_unpack(source.at(start, size * count)):
        kind, offset, length = row[0], row[at], row[length_at]
        if offset + length > end and length and kind:
            source.require(offset + length, "a segment")
        if kind == _PT_LOAD:
            if length:
                loads.append((row[address_at], offset, length))
        elif kind == _PT_DYNAMIC:
            dynamic = (offset, length)
        elif kind == _PT_INTERP and length:
            interpreter = source.name(offset, min(length, NAME_BYTES))
    return tuple(loads), dynamic, interpreter


def _dynamic(
    source: ByteSource, layout: Layout, place: tuple[int, int] | None
) -> tuple[list[int], dict[int, int]]:
    """The offsets of the needed names, and every other tag's value."""
    needed: list[int] = []
    values: dict[int, int] = {}
    if place is None:
        return needed, values
    offset, length = place
    if length > _DYNAMIC_BYTES:
        raise BinaryInvalid(f"a dynamic section of {length} bytes")
    length -= length % layout.dynamic.size
    for tag, value in layout.dynamic.iter_unpack(source.at(offset, length)):
        if tag == _DT_NEEDED:
            needed.append(value)
        elif tag == _DT_NULL:
            break
        else:
            values[tag] = value
    if len(needed) > _MOST_NEEDED:
        raise BinaryInvalid(f"{len(needed)} needed libraries")
    return needed, values
