"""The same facts by other readers' hands: pyelftools, readelf, LIEF, macholib and pefile."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from buildtools.processes import run


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an oracle says of one file or slice; the words are those of ``BinaryFacts``."""

    arch: str
    bits: int = 64
    soname: str | None = None
    interpreter: str | None = None
    needed: tuple[str, ...] = ()
    weak_needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    versions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    definitions: tuple[str, ...] = ()
    min_os: tuple[int, int] | None = None
    signed: bool | None = None
    undefined: frozenset[str] = frozenset()
    defined: frozenset[str] = frozenset()


_ELF_MACHINES = {
    "EM_X86_64": "x86_64",
    "EM_AARCH64": "aarch64",
    "EM_386": "i686",
    "EM_ARM": "armv7l",
    "EM_S390": "s390x",
    "EM_RISCV": "riscv64",
    "EM_PPC64": "ppc64le",
}


def by_pyelftools(data: bytes) -> Expected:
    """Needs, versions and symbols of an ELF library."""
    from elftools.elf.dynamic import DynamicSegment
    from elftools.elf.elffile import ELFFile
    from elftools.elf.gnuversions import GNUVerDefSection, GNUVerNeedSection

    elf = ELFFile(io.BytesIO(data))
    tags: dict[str, list[str]] = {"needed": [], "rpath": [], "runpath": [], "soname": []}
    interpreter = None
    for segment in elf.iter_segments():
        if segment["p_type"] == "PT_INTERP":
            interpreter = segment.get_interp_name()
        if not isinstance(segment, DynamicSegment):
            continue
        for tag in segment.iter_tags():
            word = tag.entry.d_tag.removeprefix("DT_").lower()
            if word in tags:
                tags[word].append(getattr(tag, word))
    undefined, defined = _elf_symbols(elf)
    versions: list[tuple[str, tuple[str, ...]]] = []
    definitions: list[str] = []
    for section in elf.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            versions += [
                (need.name, tuple(aux.name for aux in wanted if not aux["vna_flags"] & 2))
                for need, wanted in section.iter_versions()
            ]
        if isinstance(section, GNUVerDefSection):
            definitions += [
                next(iter(names)).name
                for definition, names in section.iter_versions()
                if not definition["vd_flags"] & 1
            ]
    return Expected(
        arch=_ELF_MACHINES[elf["e_machine"]],
        bits=elf.elfclass,
        soname=tags["soname"][0] if tags["soname"] else None,
        interpreter=interpreter,
        needed=tuple(tags["needed"]),
        rpath=_split(tags["rpath"]),
        runpath=_split(tags["runpath"]),
        versions=tuple(versions),
        definitions=tuple(definitions),
        undefined=undefined,
        defined=defined,
    )


def _elf_symbols(elf: Any) -> tuple[frozenset[str], frozenset[str]]:
    undefined: set[str] = set()
    defined: set[str] = set()
    for symbol in elf.get_section_by_name(".dynsym").iter_symbols():
        if symbol.name and symbol["st_shndx"] != "SHN_UNDEF":
            defined.add(symbol.name)
        elif symbol.name and symbol["st_info"]["bind"] != "STB_WEAK":
            undefined.add(symbol.name)
    return frozenset(undefined), frozenset(defined)


def _split(paths: list[str]) -> tuple[str, ...]:
    return tuple(entry for path in paths for entry in path.split(":") if entry)


def by_readelf(path: Path) -> Expected:
    """Needs and versions as binutils reads them."""
    done = run(["readelf", "-hdVW", path], timeout=60, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"})
    assert done.ok, done.tail()
    text = done.stdout
    machine = re.search(r"Machine:\s+(.+)", text)
    assert machine is not None
    words = {
        "Advanced Micro Devices X86-64": "x86_64",
        "AArch64": "aarch64",
        "Intel 80386": "i686",
        "ARM": "armv7l",
        "IBM S/390": "s390x",
        "RISC-V": "riscv64",
    }
    versions: list[tuple[str, tuple[str, ...]]] = []
    for line in text.partition("Version needs section")[2].splitlines():
        library = re.search(r"File: (\S+)", line)
        wanted = re.search(r"Name: (\S+)\s+Flags: (.+?)\s+Version", line)
        if library:
            versions.append((library[1], ()))
        elif wanted and "WEAK" not in wanted[2]:
            versions[-1] = (versions[-1][0], (*versions[-1][1], wanted[1]))

    def tagged(word: str) -> tuple[str, ...]:
        return tuple(re.findall(rf"\({word}\)[^\[]*\[(.*)\]", text))

    return Expected(
        arch=words[machine[1].strip()],
        bits=64 if "ELF64" in text else 32,
        soname=next(iter(tagged("SONAME")), None),
        needed=tagged("NEEDED"),
        rpath=_split(list(tagged("RPATH"))),
        runpath=_split(list(tagged("RUNPATH"))),
        versions=tuple(versions),
    )


_MACHO_MACHINES = {"X86_64": "x86_64", "ARM64": "arm64", "X86": "i686", "ARM": "armv7l"}


def by_lief_macho(path: Path) -> Iterator[Expected]:
    """Every slice of a Mach-O file."""
    import lief

    fat: Any = lief.MachO.parse(str(path))
    for binary in fat:
        needed: list[str] = []
        weak: list[str] = []
        for library in binary.libraries:
            kind = library.command.__name__ if hasattr(library.command, "__name__") else ""
            kind = kind or str(library.command).rpartition(".")[2]
            if kind == "ID_DYLIB":
                continue
            (weak if kind in {"LOAD_WEAK_DYLIB", "LAZY_LOAD_DYLIB"} else needed).append(
                library.name
            )
        minimum = None
        if binary.has_build_version:
            minimum = binary.build_version.minos
        elif binary.has_version_min:
            minimum = binary.version_min.version
        undefined: set[str] = set()
        defined: set[str] = set()
        for symbol in binary.symbols:
            if symbol.raw_type & 0xE0 or not symbol.raw_type & 1 or not symbol.name:
                continue
            if symbol.raw_type & 0x0E or symbol.value:
                defined.add(str(symbol.name))
            elif not symbol.description & 0x40:
                undefined.add(str(symbol.name))
        yield Expected(
            arch=_MACHO_MACHINES[str(binary.header.cpu_type).rpartition(".")[2]],
            soname=str(binary.get(lief.MachO.LoadCommand.TYPE.ID_DYLIB).name)
            if binary.has(lief.MachO.LoadCommand.TYPE.ID_DYLIB)
            else None,
            needed=tuple(needed),
            weak_needed=tuple(weak),
            rpath=tuple(rpath.path for rpath in binary.rpaths),
            min_os=(minimum[0], minimum[1]) if minimum else None,
            signed=binary.has_code_signature,
            undefined=frozenset(undefined),
            defined=frozenset(defined),
        )


def by_macholib(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Of every slice the file type and the libraries, weak and re-exported ones too, in order."""
    from macholib.MachO import MachO

    with contextlib.redirect_stderr(io.StringIO()):
        headers = MachO(str(path)).headers
    for header in headers:
        yield header.filetype, tuple(name for _, _, name in header.walkRelocatables())


def by_pefile(path: Path) -> Expected:
    """Imports, delayed imports and exports of a PE file."""
    import pefile

    with contextlib.closing(pefile.PE(str(path))) as image:
        machine = {0x8664: "x86_64", 0xAA64: "aarch64", 0x14C: "i686"}[image.FILE_HEADER.Machine]
        imports = getattr(image, "DIRECTORY_ENTRY_IMPORT", [])
        delayed = getattr(image, "DIRECTORY_ENTRY_DELAY_IMPORT", [])
        exports = getattr(image, "DIRECTORY_ENTRY_EXPORT", None)
        return Expected(
            arch=machine,
            bits=64 if image.OPTIONAL_HEADER.Magic == 0x20B else 32,
            soname=exports.name.decode() if exports and exports.name else None,
            needed=tuple(entry.dll.decode() for entry in imports),
            weak_needed=tuple(entry.dll.decode() for entry in delayed),
            undefined=frozenset(
                symbol.name.decode()
                for entry in imports
                for symbol in entry.imports
                if not symbol.import_by_ordinal
            ),
            defined=frozenset(symbol.name.decode() for symbol in exports.symbols if symbol.name)
            if exports
            else frozenset(),
        )
