"""Readers for ELF, Mach-O and PE: a stream in, facts out, nothing executed."""

from buildtools.binaries.bytesource import SizedFile
from buildtools.binaries.facts import (
    Binary,
    BinaryFacts,
    BinaryFormat,
    BinaryInvalid,
    BinaryKind,
    VersionNeed,
)
from buildtools.binaries.modulenames import ModuleKind, ModuleName, module_name
from buildtools.binaries.reading import read_binary

__all__ = [
    "Binary",
    "BinaryFacts",
    "BinaryFormat",
    "BinaryInvalid",
    "BinaryKind",
    "ModuleKind",
    "ModuleName",
    "SizedFile",
    "VersionNeed",
    "module_name",
    "read_binary",
]
