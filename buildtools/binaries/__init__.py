"""Readers for ELF, Mach-O and PE: a stream in, facts out, nothing executed."""

from buildtools.binaries.facts import (
    Binary,
    BinaryFacts,
    BinaryFormat,
    BinaryInvalid,
    BinaryKind,
    VersionNeed,
)

__all__ = [
    "Binary",
    "BinaryFacts",
    "BinaryFormat",
    "BinaryInvalid",
    "BinaryKind",
    "VersionNeed",
]
