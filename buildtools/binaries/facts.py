"""What a compiled file says of itself: values only, whatever the format."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class BinaryFormat(StrEnum):
    """The three object formats that Python and Node load native code from."""

    ELF = "elf"
    MACHO = "mach-o"
    PE = "pe"


class BinaryKind(StrEnum):
    """What the file is for; only ``LIBRARY`` can be loaded into a running interpreter."""

    LIBRARY = "library"
    EXECUTABLE = "executable"
    OBJECT = "object"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionNeed:
    """Symbol versions wanted of one library: ``libc.so.6`` wants ``GLIBC_2.17``, ``GLIBC_2.34``."""

    library: str
    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryFacts:
    """The facts of one ELF or PE file, or of one slice of a Mach-O file.

    ``arch`` is the field's own word: ``x86_64``, ``aarch64`` (on ELF and PE), ``arm64`` (on
    Mach-O, ``arm64e`` too), ``i686``, ``armv7l``, ``ppc64le``, ``s390x``, ``riscv64``,
    ``loongarch64``, else ``machine-<number>``. ``needed`` keeps the file's order; for Mach-O the
    install names as they stand (``@rpath/libfoo.dylib``), with weak and lazy ones (PE: delayed
    ones) in ``weak_needed``. ``rpath`` and ``runpath`` are split at ``:`` with ``$ORIGIN`` and
    ``@loader_path`` unexpanded. ``soname`` is the soname, the install name or the export name.
    ``interpreter`` is PT_INTERP. ``min_os`` is (major, minor) of the least macOS. ``undefined``
    (without weak ones) and ``defined`` are filled only when symbols were asked for; Mach-O's keep
    their leading underscore. ``unversioned`` is the part of ``undefined`` (ELF) that names no
    symbol version: only unversioned libraries or the program itself can give it.
    """

    format: BinaryFormat
    arch: str
    bits: int
    little_endian: bool
    kind: BinaryKind
    soname: str | None = None
    interpreter: str | None = None
    needed: tuple[str, ...] = ()
    weak_needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    version_needs: tuple[VersionNeed, ...] = ()
    version_definitions: tuple[str, ...] = ()
    min_os: tuple[int, int] | None = None
    apple_platform: str | None = None
    signed: bool | None = None
    undefined: frozenset[str] | None = None
    unversioned: frozenset[str] | None = None
    defined: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """One file: its format and its slices (one, but for a fat Mach-O)."""

    format: BinaryFormat
    slices: tuple[BinaryFacts, ...]


class BinaryInvalid(Exception):  # noqa: N818 - the name that the house's layout gives it
    """The bytes are no binary that a loader would take.

    ``reason`` is a sentence; ``looks_like`` names what they are instead when that is known:
    ``empty``, ``truncated``, ``git-lfs-pointer``, ``html``, ``text``, ``zip``, ``gzip``,
    ``archive`` (a static ``.a``), ``unknown``.
    """

    def __init__(self, reason: str, *, looks_like: str = "unknown") -> None:
        super().__init__(reason)
        self.reason = reason
        self.looks_like = looks_like
