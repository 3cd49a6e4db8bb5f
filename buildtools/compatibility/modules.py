"""Whether one file would load on a target, as far as the file itself tells."""

from __future__ import annotations

from collections.abc import Collection

from buildtools.binaries import (
    Binary,
    BinaryFacts,
    BinaryFormat,
    BinaryKind,
    ModuleKind,
    ModuleName,
)
from buildtools.compatibility.interface import judge_interface
from buildtools.compatibility.judgements import Judgement
from buildtools.compatibility.pythons import judge_python, judge_suffix
from buildtools.compatibility.runtimes import (
    PRIVATE,
    Numbers,
    glibc_floor,
    libc_family,
    libstdcxx_floor,
    version_number,
)
from buildtools.findings import Cause, Severity
from buildtools.targets import LibCFamily, OperatingSystem, Target, Version

_FORMATS = {
    OperatingSystem.LINUX: BinaryFormat.ELF,
    OperatingSystem.DARWIN: BinaryFormat.MACHO,
}
_WORDS = {
    BinaryFormat.ELF: "an ELF file (Linux)",
    BinaryFormat.MACHO: "a Mach-O file (macOS)",
    BinaryFormat.PE: "a PE file (Windows)",
}
_NARROW = frozenset({"i686", "armv7l"})
_BIG_ENDIAN = frozenset({"s390x", "ppc64"})
_MACOS = frozenset({None, "macos", "maccatalyst"})
_KINDS = {
    BinaryKind.EXECUTABLE: "a program",
    BinaryKind.OBJECT: "an object file that was never linked",
    BinaryKind.OTHER: "neither a library nor a program",
}


def judge(
    binary: Binary,
    name: ModuleName | None,
    target: Target,
    *,
    resolved: Collection[str] = (),
) -> tuple[Judgement, ...]:
    """Everything that keeps a file from loading on the target; empty when nothing does.

    ``resolved`` names needed libraries whose real file is known and judged by
    :func:`buildtools.compatibility.judge_libraries`: the tables of what comes with a glibc are not
    asked about them. Node addons are judged for format, architecture and C library.

    A file for another platform is an error when it is a module, but only ``info`` when it cannot be
    one: a plain library's name, or symbols that were read and hold no ``PyInit_…``. Packages do
    carry such files for other platforms on purpose, and what really needs them says so itself.
    Where symbols were read, a module that every release of CPython takes is held against what the
    target's release exports.
    """
    if binary.format is not _FORMATS[target.os]:
        return (_foreign_format(binary, name, target),)
    facts = next((part for part in binary.slices if _fits(part, target)), None)
    if facts is None:
        return (_foreign_arch(binary, name, target),)
    if name is not None and facts.kind is not BinaryKind.LIBRARY:
        return (
            Judgement(
                cause=Cause.CORRUPT_BINARY,
                severity=Severity.ERROR,
                evidence=f"found {_KINDS[facts.kind]}; a module must be a shared library",
                remedy=f"Install the build for {target.spec} in its place.",
            ),
        )
    if target.os is OperatingSystem.DARWIN:
        found = _judge_macos(facts, target)
    else:
        found = _judge_libc(facts, target, resolved)
    if name is not None:
        found = (*judge_python(facts, name, target), *found)
        if not found:
            found = judge_suffix(name, target)
        if not found and _is_started(facts, name):
            found = judge_interface(facts, name, target)
    return found


def _fits(facts: BinaryFacts, target: Target) -> bool:
    return (
        facts.arch == target.arch
        and facts.bits == (32 if target.arch in _NARROW else 64)
        and facts.little_endian == (target.arch not in _BIG_ENDIAN)
    )


def _foreign_severity(binary: Binary, name: ModuleName | None) -> Severity:
    """``info`` for a file that no import and no ``require`` would load."""
    if name is None or name.kind is ModuleKind.LIBRARY:
        return Severity.INFO
    if name.kind is ModuleKind.EXTENSION and name.python is None and not name.abi3:
        known = [facts.defined for facts in binary.slices if facts.defined is not None]
        if known and not any(module_entries(name.stem) & defined for defined in known):
            return Severity.INFO
    return Severity.ERROR


def _is_started(facts: BinaryFacts, name: ModuleName) -> bool:
    """Whether an import can start the file; a library that others load misses nothing by itself."""
    return facts.defined is not None and not module_entries(name.stem).isdisjoint(facts.defined)


def module_entries(stem: str) -> frozenset[str]:
    """The symbols by one of which CPython starts a module of that name (PEP 489, PEP 793).

    Mach-O writes each with one more underscore.
    """
    names = (f"PyInit_{stem}", f"PyModExport_{stem}")
    return frozenset((*names, *(f"_{name}" for name in names)))


def _foreign_format(binary: Binary, name: ModuleName | None, target: Target) -> Judgement:
    arches = ", ".join(dict.fromkeys(facts.arch for facts in binary.slices))
    return Judgement(
        cause=Cause.FOREIGN_FORMAT,
        severity=_foreign_severity(binary, name),
        evidence=(
            f"found {_WORDS[binary.format]} for {arches}; "
            f"{target.spec} loads {_WORDS[_FORMATS[target.os]]}"
            f"{_says('invalid ELF header', target)}"
        ),
        remedy=f"Install the build for {target.spec} in its place.",
    )


def _foreign_arch(binary: Binary, name: ModuleName | None, target: Target) -> Judgement:
    found = ", ".join(dict.fromkeys(_architecture(facts) for facts in binary.slices))
    return Judgement(
        cause=Cause.FOREIGN_ARCH,
        severity=_foreign_severity(binary, name),
        evidence=(
            f"found machine code for {found}; {target.spec} runs {target.arch}"
            f"{_says(_about_the_machine(binary, target), target)}"
        ),
        remedy=f"Install the build for {target.spec} in its place.",
    )


def _says(words: str, target: Target) -> str:
    """The import's own words, by which the trouble is known where it happens (glibc 2.36)."""
    if target.libc is None or target.libc.family is not LibCFamily.GLIBC:
        return ""
    return f": the import says “{words}”"


def _about_the_machine(binary: Binary, target: Target) -> str:
    """What glibc says of a foreign machine; of one as wide as its own, as if the file were gone."""
    bits = binary.slices[0].bits
    if bits != (32 if target.arch in _NARROW else 64):
        return f"wrong ELF class: ELFCLASS{bits}"
    return "cannot open shared object file: No such file or directory"


def _architecture(facts: BinaryFacts) -> str:
    """The machine, with class and byte order where they are not the usual ones."""
    words = [facts.arch]
    if facts.bits != (32 if facts.arch in {*_NARROW, "ppc", "s390"} else 64):
        words.append(f"({facts.bits} bit)")
    if not facts.little_endian and facts.arch not in {*_BIG_ENDIAN, "ppc", "s390"}:
        words.append("(big-endian)")
    return " ".join(words)


def _judge_macos(facts: BinaryFacts, target: Target) -> tuple[Judgement, ...]:
    found: list[Judgement] = []
    if facts.apple_platform not in _MACOS:
        return (
            Judgement(
                cause=Cause.FOREIGN_FORMAT,
                severity=Severity.ERROR,
                evidence=f"found a Mach-O file for {facts.apple_platform}; {target.spec} is macOS",
                remedy=f"Install the build for {target.spec} in its place.",
            ),
        )
    if facts.min_os is not None and target.min_os is not None:
        wanted = Version(major=facts.min_os[0], minor=facts.min_os[1])
        if wanted > target.min_os and facts.apple_platform != "maccatalyst":
            found.append(
                Judgement(
                    cause=Cause.MACOS_TOO_OLD,
                    severity=Severity.ERROR,
                    evidence=f"it needs macOS {wanted}, the target has macOS {target.min_os}",
                    remedy=(
                        f"Install a build for macOS {target.min_os}, or raise the target's macOS."
                    ),
                )
            )
    if facts.arch == "arm64" and facts.signed is False:
        found.append(
            Judgement(
                cause=Cause.CORRUPT_BINARY,
                severity=Severity.ERROR,
                evidence="it carries no code signature; macOS on arm64 loads signed code only",
                remedy="Sign it (codesign --sign - FILE), or install a build that is signed.",
            )
        )
    return tuple(found)


def _judge_libc(
    facts: BinaryFacts, target: Target, resolved: Collection[str]
) -> tuple[Judgement, ...]:
    if target.libc is None:
        return ()
    family = libc_family(facts)
    if family is not None and family is not target.libc.family:
        return (_libc_mismatch(facts, family, target),)
    if target.libc.family is LibCFamily.MUSL:
        return ()
    found: list[Judgement] = []
    newest, private = _newest_versions(facts, resolved)
    floor = glibc_floor(target)
    if floor is not None and newest.get("GLIBC", ((), ""))[0] > floor:
        found.append(
            Judgement(
                cause=Cause.LIBC_TOO_OLD,
                severity=Severity.ERROR,
                evidence=f"it needs {newest['GLIBC'][1]}, the target has {target.libc}",
                remedy=f"Install a build for {target.spec}: one made on an older glibc.",
            )
        )
    found.extend(_judge_libstdcxx(newest, target))
    if private:
        found.append(
            Judgement(
                cause=Cause.LIBC_TOO_OLD,
                severity=Severity.INFO,
                evidence=f"it uses {PRIVATE} of {private}, which every glibc is free to change",
                remedy="Nothing to do unless it fails: such a file belongs to one glibc release.",
            )
        )
    return tuple(found)


def _libc_mismatch(facts: BinaryFacts, family: LibCFamily, target: Target) -> Judgement:
    assert target.libc is not None  # noqa: S101 - the caller has looked
    if family is LibCFamily.MUSL:
        names = [n for n in facts.needed if n.startswith(("libc.musl-", "ld-musl-", "libc.so"))]
    else:
        names = [n for n in facts.needed if n.startswith(("libc.so.6", "ld-linux", "ld64"))]
    needs = names[0] if names else facts.interpreter or f"symbols of {family}"
    return Judgement(
        cause=Cause.LIBC_MISMATCH,
        severity=Severity.ERROR,
        evidence=f"it is linked to {family} (it needs {needs}), the target has {target.libc}",
        remedy=f"Install the {target.libc.family} build for {target.spec} in its place.",
    )


def _newest_versions(
    facts: BinaryFacts, resolved: Collection[str]
) -> tuple[dict[str, tuple[Numbers, str]], str]:
    """Of each family the newest version wanted, and the library whose private symbols are used."""
    newest: dict[str, tuple[Numbers, str]] = {}
    private = ""
    for need in facts.version_needs:
        if need.library in resolved:
            continue
        for version in need.versions:
            if version == PRIVATE:
                private = need.library
                continue
            parsed = version_number(version)
            if parsed is None or not _belongs(parsed[0], need.library):
                continue
            family, number = parsed
            if family not in newest or number > newest[family][0]:
                newest[family] = (number, version)
    return newest, private


def _belongs(family: str, library: str) -> bool:
    """Whether it is the system's library that is asked: a bundled one has a name of its own."""
    if family in {"GLIBCXX", "CXXABI"}:
        return library == "libstdc++.so.6"
    if family == "GCC":
        return library == "libgcc_s.so.1"
    return family == "GLIBC"


def _judge_libstdcxx(newest: dict[str, tuple[Numbers, str]], target: Target) -> list[Judgement]:
    floors = libstdcxx_floor(target)
    if floors is None:
        return []
    for family, library in (
        ("GLIBCXX", "libstdc++"),
        ("CXXABI", "libstdc++"),
        ("GCC", "libgcc_s"),
    ):
        number, version = newest.get(family, ((), ""))
        if number > floors[family]:
            has = f"{family}_{'.'.join(map(str, floors[family]))}"
            return [
                Judgement(
                    cause=Cause.LIBSTDCXX_TOO_OLD,
                    severity=Severity.ERROR,
                    evidence=(
                        f"it needs {version}; the {library} that comes with {target.libc} "
                        f"ends at {has}"
                    ),
                    remedy=f"Install a build for {target.spec}, or one that brings {library}.",
                )
            ]
    return []
