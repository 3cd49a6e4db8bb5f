"""Mach-O, thin and fat: the load commands that dyld acts on.

Source of the layouts and numbers: Apple's ``mach-o/loader.h``, ``mach-o/fat.h`` and
``mach/machine.h``.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from buildtools.binaries.bytesource import ByteSource
from buildtools.binaries.facts import Binary, BinaryFacts, BinaryFormat, BinaryInvalid, BinaryKind
from buildtools.binaries.machosymbols import SymbolPlaces, read_symbols

_WIDE = 64

THIN_MAGICS = {
    b"\xce\xfa\xed\xfe": (32, "<"),
    b"\xcf\xfa\xed\xfe": (64, "<"),
    b"\xfe\xed\xfa\xce": (32, ">"),
    b"\xfe\xed\xfa\xcf": (64, ">"),
}
FAT_MAGICS = {b"\xca\xfe\xba\xbe": Struct(">5I"), b"\xca\xfe\xba\xbf": Struct(">IIQQII")}

_COMMAND_START, _NAME_START = 8, 12
_MOST_SLICES = 8
_JAVA_VERSIONS = 45
"""A Java class file has the magic of a fat file; its next number is a version, 45 and more."""
_COMMAND_BYTES = 1 << 18
_MOST_COMMANDS = 1024

_KINDS = {
    1: BinaryKind.OBJECT,
    2: BinaryKind.EXECUTABLE,
    6: BinaryKind.LIBRARY,
    8: BinaryKind.LIBRARY,
}
_MACHINES = {
    7: "i686",
    12: "armv7l",
    18: "ppc",
    0x01000007: "x86_64",
    0x0100000C: "arm64",
    0x01000012: "ppc64",
}
_PLATFORMS = {
    1: "macos",
    2: "ios",
    3: "tvos",
    4: "watchos",
    6: "maccatalyst",
    7: "ios-simulator",
    8: "tvos-simulator",
    9: "watchos-simulator",
    11: "visionos",
    12: "visionos-simulator",
}

_SEGMENT, _SYMTAB, _DYSYMTAB, _SEGMENT_64 = 0x1, 0x2, 0xB, 0x19
_CODE_SIGNATURE, _DYLD_INFO, _DYLD_INFO_ONLY = 0x1D, 0x22, 0x80000022
_ID_DYLIB, _LOAD_DYLIB, _LAZY_LOAD_DYLIB = 0xD, 0xC, 0x20
_LOAD_WEAK_DYLIB, _REEXPORT_DYLIB, _LOAD_UPWARD_DYLIB = 0x80000018, 0x8000001F, 0x80000023
_RPATH, _BUILD_VERSION = 0x8000001C, 0x32
_EXPORTS_TRIE, _CHAINED_FIXUPS = 0x80000033, 0x80000034
_MINIMUMS = {0x24: "macos", 0x25: "ios", 0x2F: "tvos", 0x30: "watchos"}
"""LC_VERSION_MIN_MACOSX and its kin, before LC_BUILD_VERSION."""
_NEEDED = frozenset({_LOAD_DYLIB, _REEXPORT_DYLIB, _LOAD_UPWARD_DYLIB})
_WEAK = frozenset({_LOAD_WEAK_DYLIB, _LAZY_LOAD_DYLIB})


class _Layout(NamedTuple):
    """The records of one class and byte order."""

    bits: int
    order: str
    header: Struct
    command: Struct
    words: Struct
    segment: Struct


_LAYOUTS = {
    magic: _Layout(
        bits=bits,
        order=order,
        header=Struct(order + "7I"),
        command=Struct(order + "II"),
        words=Struct(order + "4I"),
        segment=Struct(order + ("16x4Q" if bits == _WIDE else "16x4I")),
    )
    for magic, (bits, order) in THIN_MAGICS.items()
}


def read_macho(source: ByteSource, *, symbols: bool = False) -> Binary:
    """The facts of a thin file, or of every slice of a fat one; raises :class:`BinaryInvalid`."""
    parts = _slices(source) if source.head[:4] in FAT_MAGICS else (source,)
    return Binary(
        format=BinaryFormat.MACHO,
        slices=tuple([_Slice(part).facts(symbols=symbols, share=len(parts)) for part in parts]),
    )


def _slices(source: ByteSource) -> tuple[ByteSource, ...]:
    layout = FAT_MAGICS[source.head[:4]]
    count = int.from_bytes(source.at(4, 4), "big")
    if not 0 < count < _JAVA_VERSIONS or count > _MOST_SLICES:
        raise BinaryInvalid(f"a fat header with {count} slices, or a Java class")
    table = source.at(8, layout.size * count)
    parts = tuple(
        [source.part(row[2], row[3]) for row in layout.iter_unpack(table)],
    )
    for part in parts:
        if part.head[:4] not in THIN_MAGICS:
            raise BinaryInvalid("a slice of the fat file is no Mach-O file")
    return parts


class _Slice:
    """One thin file, gathered command by command."""

    def __init__(self, source: ByteSource) -> None:
        self.source = source
        layout = _LAYOUTS[source.head[:4]]
        self.layout = layout
        source.require(layout.header.size + (4 if layout.bits == _WIDE else 0), "the Mach-O header")
        _, self.machine, _, self.type, count, length, _ = layout.header.unpack_from(source.head)
        if length > _COMMAND_BYTES or count > _MOST_COMMANDS:
            raise BinaryInvalid(f"{count} load commands of {length} bytes")
        self.needed: list[str] = []
        self.weak_needed: list[str] = []
        self.rpath: list[str] = []
        self.soname: str | None = None
        self.min_os: tuple[int, int] | None = None
        self.platform: str | None = None
        self.signed = False
        self.places = SymbolPlaces()
        self._read_commands(count, length)

    def _read_commands(self, count: int, length: int) -> None:
        start = 32 if self.layout.bits == _WIDE else 28
        data = self.source.at(start, length)
        offset = 0
        for _ in range(count):
            if offset + 8 > length:
                raise BinaryInvalid("the load commands end early")
            command, size = self.layout.command.unpack_from(data, offset)
            if size < _COMMAND_START or offset + size > length:
                raise BinaryInvalid(f"a load command of {size} bytes")
            self._take(command, data[offset : offset + size])
            offset += size

    def _take(self, command: int, data: bytes) -> None:
        if command in (_SEGMENT_64, _SEGMENT):
            self._take_segment(data)
        elif command in _NEEDED:
            self.needed.append(self._name(data))
        elif command in _WEAK:
            self.weak_needed.append(self._name(data))
        elif command == _RPATH:
            self.rpath.append(self._name(data))
        elif command == _ID_DYLIB:
            self.soname = self._name(data)
        elif command == _BUILD_VERSION:
            _, _, platform, version = self._words(data)
            self._take_minimum(_PLATFORMS.get(platform, f"platform-{platform}"), version)
        elif command in _MINIMUMS:
            self._take_minimum(_MINIMUMS[command], self._words(data)[2])
        elif command == _CODE_SIGNATURE:
            _, _, offset, size = self._words(data)
            self.source.require(offset + size, "the code signature")
            self.signed = True
        else:
            self._take_places(command, data)

    def _take_segment(self, data: bytes) -> None:
        layout = self.layout.segment
        if len(data) < _COMMAND_START + layout.size:
            raise BinaryInvalid(f"a segment command of {len(data)} bytes")
        _, _, offset, size = layout.unpack_from(data, 8)
        if size:
            self.source.require(offset + size, "a segment")

    def _take_minimum(self, platform: str, version: int) -> None:
        """A zippered library has two: that of macOS is the one that counts here."""
        if self.platform == "macos" and platform != "macos":
            return
        self.platform = platform
        self.min_os = (version >> 16, version >> 8 & 0xFF)

    def _take_places(self, command: int, data: bytes) -> None:
        if command == _SYMTAB:
            self.places.symbols = self._numbers(data, "8x4I")
            _, _, start, size = self.places.symbols
            self.source.require(start + size, "the string table")
        elif command == _DYSYMTAB:
            self.places.ranges = self._numbers(data, "8x6I")
        elif command in (_DYLD_INFO, _DYLD_INFO_ONLY):
            self.places.exports = self._numbers(data, "40xII")
        elif command == _EXPORTS_TRIE:
            self.places.exports = self._words(data)[2:]
        elif command == _CHAINED_FIXUPS:
            self.places.fixups = self._words(data)[2:]

    def _numbers(self, data: bytes, layout: str) -> tuple[int, ...]:
        numbers = Struct(self.layout.order + layout)
        if len(data) < numbers.size:
            raise BinaryInvalid(f"a load command of {len(data)} bytes")
        return numbers.unpack_from(data)

    def _words(self, data: bytes) -> tuple[int, ...]:
        if len(data) < self.layout.words.size:
            raise BinaryInvalid(f"a load command of {len(data)} bytes")
        return self.layout.words.unpack_from(data)

    def _name(self, data: bytes) -> str:
        """The string that a command's third word points at, NUL-padded to the command's end."""
        start = self._words(data + b"\0\0\0\0")[2]
        if not _NAME_START <= start < len(data):
            raise BinaryInvalid("a load command's name lies outside it")
        return data[start:].split(b"\0", 1)[0].decode("utf-8", "backslashreplace")

    def facts(self, *, symbols: bool, share: int) -> BinaryFacts:
        """The facts of this slice, one of ``share`` that share what may be spent on symbols."""
        undefined, defined = None, None
        if symbols:
            undefined, defined = read_symbols(
                self.source,
                self.places,
                share,
                wide=self.layout.bits == _WIDE,
                order=self.layout.order,
            )
        return BinaryFacts(
            format=BinaryFormat.MACHO,
            arch=_MACHINES.get(self.machine, f"machine-{self.machine}"),
            bits=self.layout.bits,
            little_endian=self.layout.order == "<",
            kind=_KINDS.get(self.type, BinaryKind.OTHER),
            soname=self.soname,
            needed=tuple(self.needed),
            weak_needed=tuple(self.weak_needed),
            rpath=tuple(self.rpath),
            min_os=self.min_os,
            apple_platform=self.platform,
            signed=self.signed,
            undefined=undefined,
            defined=defined,
        )
