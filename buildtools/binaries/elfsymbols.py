"""ELF dynamic symbols: what a file wants from others and what it gives.

The number of symbols comes from DT_HASH, from the section headers, or, where those are stripped,
from the chains of DT_GNU_HASH. Source: the gABI, "Hash Table"; binutils' ``bfd/elflink.c``.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from struct import Struct
from typing import NamedTuple

from buildtools.binaries.elfimage import WIDE, Image, StringTable
from buildtools.binaries.facts import BinaryInvalid

_DT_HASH, _DT_STRSZ, _DT_STRTAB, _DT_SYMTAB, _DT_GNU_HASH = 4, 10, 5, 6, 0x6FFFFEF5
_SHT_DYNSYM = 11
_EM_S390 = 22
_STB_WEAK = 2
_SHN_UNDEF = 0
_DT_VERSYM = 0x6FFFFFF0
_VERSIONED = range(2, 0x8000)

_MOST_SYMBOLS = 16_384
_NAME_BYTES = 8 << 20
_MOST_BUCKETS = 1 << 16


class Symbols(NamedTuple):
    """Names without their versions; all None for a file with too many of them."""

    undefined: frozenset[str] | None = None
    unversioned: frozenset[str] | None = None
    defined: frozenset[str] | None = None


_NONE = Symbols(frozenset(), frozenset(), frozenset())


def read_symbols(image: Image, strings: StringTable) -> Symbols:
    """Undefined (but not weak) and defined names.

    Those of a file with more than it is worth reading (16,384 symbols, or 8 MiB of names) are not
    read. Raises :class:`BinaryInvalid`.
    """
    if _DT_SYMTAB not in image.dynamic:
        return _NONE
    count = _count(image)
    size = min(image.dynamic.get(_DT_STRSZ, 0), image.source.size)
    if count > _MOST_SYMBOLS or size > _NAME_BYTES:
        return Symbols()
    layout = image.layout.symbol
    table = image.source.at(image.offset(image.dynamic[_DT_SYMTAB]), count * layout.size)
    names = image.source.at(strings.start, size)
    undefined: set[str] = set()
    unversioned: set[str] = set()
    defined: set[str] = set()
    taken = 0
    wide = image.layout.bits == WIDE
    for row, version in zip(layout.iter_unpack(table), _versions(image, count), strict=True):
        info, section = (row[1], row[3]) if wide else (row[3], row[5])
        if row[0] == 0:
            continue
        end = names.find(b"\0", row[0])
        if end < 0:
            raise BinaryInvalid("a symbol's name has no end")
        taken += end - row[0]
        if taken > _NAME_BYTES:
            return Symbols()
        name = names[row[0] : end].decode("utf-8", "backslashreplace")
        if section != _SHN_UNDEF:
            defined.add(name)
        elif info >> 4 != _STB_WEAK:
            undefined.add(name)
            if version not in _VERSIONED:
                unversioned.add(name)
    return Symbols(frozenset(undefined), frozenset(unversioned), frozenset(defined))


def _versions(image: Image, count: int) -> Iterable[int]:
    """Of each symbol the index of its version; 0 and 1 stand for none."""
    if _DT_VERSYM not in image.dynamic:
        return repeat(0, count)
    order = "<" if image.layout.little_endian else ">"
    data = image.source.at(image.offset(image.dynamic[_DT_VERSYM]), 2 * count)
    return Struct(f"{order}{count}H").unpack(data)


def _count(image: Image) -> int:
    """The number of dynamic symbols, the null one counted."""
    count = _count_by_hash(image) if _DT_HASH in image.dynamic else None
    if count is None:
        count = _count_by_sections(image)
    if count is None and _DT_GNU_HASH in image.dynamic:
        count = _count_by_gnu_hash(image)
    return count or 0


def _count_by_hash(image: Image) -> int | None:
    """As many as DT_HASH has chains.

    On s390x GNU's linker writes words of eight bytes there and LLVM's of four: in a word of eight
    the upper half, which comes first, is zero.
    """
    order = "<" if image.layout.little_endian else ">"
    data = image.address_bytes(image.dynamic[_DT_HASH], 16)
    if len(data) < 16:  # noqa: PLR2004 - the header of the wider kind
        return None
    wide = image.machine == _EM_S390 and image.layout.bits == WIDE and data[:4] == b"\0\0\0\0"
    return int(Struct(order + ("QQ" if wide else "II8x")).unpack(data)[1])


def _count_by_sections(image: Image) -> int | None:
    start, size, number = image.sections
    if not number:
        return None
    layout = image.layout.section
    for row in layout.iter_unpack(image.source.at(start, size * number)):
        if row[1] == _SHT_DYNSYM and row[3] == image.dynamic[_DT_SYMTAB]:
            return int(row[5]) // image.layout.symbol.size
    return None


def _count_by_gnu_hash(image: Image) -> int:
    """The highest symbol that a bucket names, and on to the end of its chain."""
    order = "<" if image.layout.little_endian else ">"
    address = image.dynamic[_DT_GNU_HASH]
    header = Struct(order + "4I")
    data = image.address_bytes(address, header.size)
    if len(data) < header.size:
        raise BinaryInvalid("a hash table outside its segment")
    buckets, first, bloom_words, _ = (int(number) for number in header.unpack(data))
    if buckets > _MOST_BUCKETS or bloom_words > _MOST_BUCKETS:
        raise BinaryInvalid(f"a hash table of {buckets} buckets")
    at = address + header.size + bloom_words * (image.layout.bits // 8)
    word = Struct(order + "I")
    table = image.address_bytes(at, 4 * buckets)
    last: int = max(Struct(f"{order}{len(table) // 4}I").unpack_from(table), default=0)
    if last < first:
        return first
    chains = at + 4 * buckets
    chain = image.address_bytes(chains + 4 * (last - first), 4 * _MOST_BUCKETS)
    for row in word.iter_unpack(chain[: len(chain) // 4 * 4]):
        last += 1
        if row[0] & 1:
            break
    return int(last)
