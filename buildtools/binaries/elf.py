"""ELF: the dynamic linker's view of a file, from a few kilobytes of it.

Source of the numbers: the System V gABI, glibc's ``elf/elf.h``, and the registry of ``e_machine``.
"""

from __future__ import annotations

from buildtools.binaries.bytesource import ByteSource
from buildtools.binaries.elfimage import WIDE, Image, StringTable, read_image
from buildtools.binaries.elfsymbols import Symbols, read_symbols
from buildtools.binaries.elfversions import read_definitions, read_needs
from buildtools.binaries.facts import Binary, BinaryFacts, BinaryFormat, BinaryInvalid, BinaryKind

MAGIC = b"\x7fELF"

_KINDS = {1: BinaryKind.OBJECT, 2: BinaryKind.EXECUTABLE, 3: BinaryKind.LIBRARY}

_DT_STRTAB, _DT_STRSZ, _DT_SONAME, _DT_RPATH, _DT_DEBUG, _DT_RUNPATH = 5, 10, 14, 15, 21, 29
_DT_FLAGS_1, _DF_1_PIE = 0x6FFFFFFB, 0x08000000
_DT_VERDEF, _DT_VERNEED = 0x6FFFFFFC, 0x6FFFFFFE

_MACHINES = {3: "i686", 40: "armv7l", 62: "x86_64", 183: "aarch64"}
_PPC64, _S390, _RISCV, _LOONGARCH = 21, 22, 243, 258


def architecture(machine: int, bits: int, *, little_endian: bool) -> str:
    """The word for an ``e_machine``, as ``uname -m`` says it."""
    if machine == _PPC64:
        return "ppc64le" if little_endian else "ppc64"
    if machine == _S390:
        return "s390x" if bits == WIDE else "s390"
    if machine == _RISCV:
        return f"riscv{bits}"
    if machine == _LOONGARCH:
        return f"loongarch{bits}"
    return _MACHINES.get(machine, f"machine-{machine}")


def read_elf(source: ByteSource, *, symbols: bool = False) -> Binary:
    """The facts of an ELF file; raises :class:`BinaryInvalid`."""
    image = read_image(source)
    facts = _dynamic_facts if _DT_STRTAB in image.dynamic else _static_facts
    return Binary(format=BinaryFormat.ELF, slices=(facts(image, symbols=symbols),))


def _kind(image: Image) -> BinaryKind:
    """What the loader would take it for.

    A position-independent executable is of the libraries' type; glibc refuses to load it by
    DF_1_PIE (2.30 and newer). Older linkers set no such flag, but give DT_DEBUG to programs only.
    """
    kind = _KINDS.get(image.type, BinaryKind.OTHER)
    if kind is not BinaryKind.LIBRARY:
        return kind
    if image.dynamic.get(_DT_FLAGS_1, 0) & _DF_1_PIE:
        return BinaryKind.EXECUTABLE
    if image.interpreter and _DT_DEBUG in image.dynamic:
        return BinaryKind.EXECUTABLE
    return kind if image.dynamic else BinaryKind.OTHER


def _static_facts(image: Image, *, symbols: bool) -> BinaryFacts:
    """Facts of a file with no dynamic section: an object, a static program, separate debug data."""
    if image.dynamic or image.needed:
        raise BinaryInvalid("a dynamic section without a string table")
    layout = image.layout
    return BinaryFacts(
        format=BinaryFormat.ELF,
        arch=architecture(image.machine, layout.bits, little_endian=layout.little_endian),
        bits=layout.bits,
        little_endian=layout.little_endian,
        kind=_kind(image),
        interpreter=image.interpreter,
        undefined=frozenset() if symbols else None,
        unversioned=frozenset() if symbols else None,
        defined=frozenset() if symbols else None,
    )


def _dynamic_facts(image: Image, *, symbols: bool) -> BinaryFacts:
    layout, dynamic = image.layout, image.dynamic
    strings = StringTable(
        image.source, image.offset(dynamic[_DT_STRTAB]), dynamic.get(_DT_STRSZ, 0)
    )
    names = read_symbols(image, strings) if symbols else Symbols()
    return BinaryFacts(
        format=BinaryFormat.ELF,
        arch=architecture(image.machine, layout.bits, little_endian=layout.little_endian),
        bits=layout.bits,
        little_endian=layout.little_endian,
        kind=_kind(image),
        soname=strings.get(dynamic[_DT_SONAME]) if _DT_SONAME in dynamic else None,
        interpreter=image.interpreter,
        needed=tuple([strings.get(offset) for offset in image.needed]),
        rpath=_search_path(strings, dynamic.get(_DT_RPATH)),
        runpath=_search_path(strings, dynamic.get(_DT_RUNPATH)),
        version_needs=read_needs(image, strings) if _DT_VERNEED in dynamic else (),
        version_definitions=read_definitions(image, strings) if _DT_VERDEF in dynamic else (),
        undefined=names.undefined,
        unversioned=names.unversioned,
        defined=names.defined,
    )


def _search_path(strings: StringTable, offset: int | None) -> tuple[str, ...]:
    if offset is None:
        return ()
    return tuple(entry for entry in strings.long(offset).split(":") if entry)
