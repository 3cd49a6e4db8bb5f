"""Which C library a file was linked to, and how new its runtime libraries must be.

Source of the table: auditwheel's published manylinux policies (GLIBCXX, CXXABI and GCC by glibc
release), checked against the "ABI Policy and Guidelines" of libstdc++; of GLIBC_ABI_DT_RELR: the
NEWS of glibc 2.36.
"""

from __future__ import annotations

from functools import lru_cache

from buildtools.binaries import BinaryFacts
from buildtools.targets import LibCFamily, Target, Version

Numbers = tuple[int, ...]

LIBSTDCXX_BY_GLIBC: tuple[tuple[Version, dict[str, Numbers]], ...] = tuple(
    (
        Version.parse(glibc),
        {
            "GLIBCXX": (3, 4, glibcxx),
            "CXXABI": (1, 3, cxxabi),
            "GCC": tuple(map(int, gcc.split("."))),
        },
    )
    for glibc, glibcxx, cxxabi, gcc in (
        ("2.5", 8, 1, "4.2.0"),
        ("2.12", 13, 3, "4.3.0"),
        ("2.17", 19, 7, "4.8.0"),
        ("2.24", 22, 10, "4.8.0"),
        ("2.27", 24, 11, "7.0.0"),
        ("2.31", 28, 12, "7.0.0"),
        ("2.34", 29, 13, "11.0"),
        ("2.35", 30, 13, "12.0.0"),
        ("2.39", 33, 15, "14.0.0"),
    )
)
"""The newest versions of the compiler's runtime that come with each glibc, oldest first."""

PRIVATE = "GLIBC_PRIVATE"

_ABI_MARKS = {"GLIBC_ABI_DT_RELR": (2, 36)}
"""Versions without a number: what the loader itself must know."""

_GLIBC_LIBRARIES = ("libc.so.6", "ld-linux", "ld64.so")


def libc_family(facts: BinaryFacts) -> LibCFamily | None:
    """The C library that an ELF file was linked to; None when it needs none, or names none."""
    names = (facts.interpreter or "", *facts.needed)
    for name in names:
        base = name.rpartition("/")[2]
        if base.startswith(("libc.musl-", "ld-musl-")) or base == "libc.so":
            return LibCFamily.MUSL
    for name in names:
        if name.rpartition("/")[2].startswith(_GLIBC_LIBRARIES):
            return LibCFamily.GLIBC
    for need in facts.version_needs:
        for version in need.versions:
            if version.startswith("GLIBC_"):
                return LibCFamily.GLIBC
    return None


@lru_cache(maxsize=4096)
def version_number(version: str) -> tuple[str, Numbers] | None:
    """``GLIBC_2.17`` as ``("GLIBC", (2, 17))``; None for a version that is no number."""
    if version in _ABI_MARKS:
        return "GLIBC", _ABI_MARKS[version]
    family, _, number = version.rpartition("_")
    parts = number.split(".")
    if not family or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    if any(len(part) > 6 for part in parts):  # noqa: PLR2004 - no release counts that far
        return None
    return family, tuple(int(part) for part in parts)


def glibc_floor(target: Target) -> Numbers | None:
    """The newest glibc version that the target promises; None when nothing is known of it.

    CentOS 7 on AArch64, which manylinux2014 stands for, has the versions of 2.18 too.
    """
    if target.libc is None or target.libc.version is None:
        return None
    floor = (target.libc.version.major, target.libc.version.minor)
    return (2, 18) if floor == (2, 17) and target.arch == "aarch64" else floor


def libstdcxx_floor(target: Target) -> dict[str, Numbers] | None:
    """The newest GLIBCXX, CXXABI and GCC versions that come with the target's glibc."""
    if target.libc is None or target.libc.version is None:
        return None
    known = None
    for glibc, versions in LIBSTDCXX_BY_GLIBC:
        if glibc <= target.libc.version:
            known = versions
    return known
