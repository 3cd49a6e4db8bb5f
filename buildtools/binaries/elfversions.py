"""ELF symbol versions: which ones a file wants of which library, and which it defines.

Source: the LSB core specification, "Symbol Versioning", and glibc's ``elf/dl-version.c``.
"""

from __future__ import annotations

from functools import cache
from struct import Struct

from buildtools.binaries.elfimage import Image, StringTable
from buildtools.binaries.facts import BinaryInvalid, VersionNeed

_DT_VERDEF, _DT_VERDEFNUM, _DT_VERNEED, _DT_VERNEEDNUM = (
    0x6FFFFFFC,
    0x6FFFFFFD,
    0x6FFFFFFE,
    0x6FFFFFFF,
)
_VER_FLG_BASE, _VER_FLG_WEAK = 1, 2

_MOST_RECORDS = 4096
"""libstdc++ defines about 80 versions, glibc's libc about 50."""
_FIRST_BYTES, _TABLE_BYTES = 2048, 1 << 17


class _Table:
    """The records from a virtual address on, read further only when they reach further."""

    __slots__ = ("_address", "_image", "data")

    def __init__(self, image: Image, address: int) -> None:
        self._image, self._address = image, address
        self.data = image.address_bytes(address, _FIRST_BYTES)

    def record(self, layout: Struct, offset: int) -> tuple[int, ...]:
        """One record; :class:`BinaryInvalid` when it lies outside its segment or absurdly far."""
        end = offset + layout.size
        if end > len(self.data):
            if len(self.data) == _FIRST_BYTES:
                self.data = self._image.address_bytes(self._address, _TABLE_BYTES)
            if end > len(self.data):
                raise BinaryInvalid("a symbol version record lies outside its table")
        return layout.unpack_from(self.data, offset)


@cache
def _layouts(order: str) -> tuple[Struct, Struct, Struct, Struct]:
    """verneed, vernaux, verdef, verdaux; the same in both classes."""
    return (
        Struct(order + "HHIII"),
        Struct(order + "IHHII"),
        Struct(order + "4H3I"),
        Struct(order + "II"),
    )


def read_needs(image: Image, strings: StringTable) -> tuple[VersionNeed, ...]:
    """The versions wanted of each library, in the file's order.

    Those marked weak are left out: the loader starts without them.
    """
    need, wanted, _, _ = _layouts("<" if image.layout.little_endian else ">")
    table = _Table(image, image.dynamic[_DT_VERNEED])
    needs: list[VersionNeed] = []
    records = offset = 0
    for _ in range(min(image.dynamic.get(_DT_VERNEEDNUM, 0), _MOST_RECORDS)):
        _, count, name, first, further = table.record(need, offset)
        records += count + 1
        if records > _MOST_RECORDS:
            raise BinaryInvalid("more symbol versions than a file can want")
        versions = []
        at = offset + first
        for _ in range(count):
            _, flags, _, version, next_one = table.record(wanted, at)
            if not flags & _VER_FLG_WEAK:
                versions.append(strings.get(version))
            if next_one == 0:
                break
            at += next_one
        needs.append(VersionNeed(library=strings.get(name), versions=tuple(versions)))
        if further == 0:
            break
        offset += further
    return tuple(needs)


def read_definitions(image: Image, strings: StringTable) -> tuple[str, ...]:
    """The versions that a library defines, without the base one, which is its own name."""
    _, _, definition, name = _layouts("<" if image.layout.little_endian else ">")
    table = _Table(image, image.dynamic[_DT_VERDEF])
    versions: list[str] = []
    offset = 0
    for _ in range(min(image.dynamic.get(_DT_VERDEFNUM, 0), _MOST_RECORDS)):
        _, flags, _, count, _, first, further = table.record(definition, offset)
        if count and not flags & _VER_FLG_BASE:
            versions.append(strings.get(table.record(name, offset + first)[0]))
        if further == 0:
            break
        offset += further
    return tuple(versions)
