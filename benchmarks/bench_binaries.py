"""Reading native modules against pyelftools, for the same facts: what is needed, which versions.

``python -m benchmarks.bench_binaries [FOLDER]`` prints a table over the modules of a folder, by
default those of the environment that it runs in.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.ratios import Ratio, paired
from buildtools.binaries import BinaryInvalid, module_name, read_binary

SAMPLE = 60
"""Modules that both read; pyelftools takes milliseconds for each."""

Facts = tuple[tuple[str, ...], tuple[tuple[str, tuple[str, ...]], ...]]


def native_files(folder: Path) -> list[Path]:
    """The ELF modules below a folder, links left out."""
    found = []
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if module_name(name) is not None and not path.is_symlink():
                with path.open("rb") as stream:
                    if stream.read(4) == b"\x7fELF":
                        found.append(path)
    return sorted(found)


def by_ours(path: Path) -> Facts:
    """Needs and versions, as doctor reads them."""
    with path.open("rb", buffering=0) as stream:
        (facts,) = read_binary(stream).slices
    return facts.needed, tuple((need.library, need.versions) for need in facts.version_needs)


def by_pyelftools(path: Path) -> Facts:
    """The same facts, the way its own examples read them."""
    from elftools.elf.elffile import ELFFile

    needed: tuple[str, ...] = ()
    versions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    with path.open("rb") as stream:
        elf: Any = ELFFile(stream)
        segment: Any
        for segment in elf.iter_segments():
            if segment["p_type"] == "PT_DYNAMIC":
                needed = tuple(tag.needed for tag in segment.iter_tags("DT_NEEDED"))
        section: Any = elf.get_section_by_name(".gnu.version_r")
        if section is not None:
            versions = tuple(
                (need.name, tuple(wanted.name for wanted in names))
                for need, names in section.iter_versions()
            )
    return needed, versions


def each(read: Callable[[Path], Facts], paths: Sequence[Path]) -> Callable[[], object]:
    """Reading every file once, as something to time."""

    def run() -> None:
        for path in paths:
            read(path)

    return run


def measure(folder: Path | None = None) -> list[Ratio]:
    """Seconds a module; raises ``ValueError`` when the two do not read the same facts."""
    paths = []
    for path in native_files(folder or Path(sysconfig.get_path("platlib"))):
        try:
            by_ours(path)
        except BinaryInvalid:
            continue
        paths.append(path)
    if not paths:
        raise ValueError(f"no native module in {folder}")
    sample = paths[:: max(1, len(paths) // SAMPLE)]
    for path in sample:
        if by_ours(path) != by_pyelftools(path):
            raise ValueError(f"pyelftools reads {path} differently")
    ours, theirs = paired(each(by_ours, sample), each(by_pyelftools, sample), runs=3)
    return [
        Ratio(
            work=f"read needs and versions, a module ({len(sample)} of {len(paths)})",
            ours=ours / len(sample),
            peer="pyelftools",
            theirs=theirs / len(sample),
            at_least=10.0,
        )
    ]


def main() -> None:
    """Print the row."""
    for ratio in measure(Path(sys.argv[1]) if len(sys.argv) > 1 else None):
        print(" | ".join(ratio.cells()))


if __name__ == "__main__":
    main()
