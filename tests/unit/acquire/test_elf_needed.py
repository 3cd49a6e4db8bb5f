"""A needed library taken out in place: nothing else of the file changes."""

from dataclasses import replace
from pathlib import Path

import pytest

from buildtools.acquire.elfneeded import drop_needed
from buildtools.binaries import BinaryInvalid, read_binary
from tests.corpus.variants import corpus_bytes, dynamic_entry, patched
from tests.unit.binaries.corpus import facts_of, read
from tests.unit.binaries.test_elf import MACHINES

DT_NEEDED, DT_RUNPATH = 1, 29


def copied(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(corpus_bytes(name))
    return path


@pytest.mark.parametrize("name", [row[0] for row in MACHINES])
def test_one_goes_in_every_class_and_byte_order(name: str, tmp_path: Path) -> None:
    path = copied(tmp_path, name)
    assert drop_needed(path, "libc.so.6")
    with path.open("rb") as stream:
        (facts,) = read_binary(stream, symbols=True).slices
    assert facts == replace(facts_of(name, symbols=True), needed=())
    assert path.stat().st_size == len(corpus_bytes(name))


def test_the_others_stay_in_their_order(tmp_path: Path) -> None:
    """A module whose search path has been made its second needed library."""
    data = corpus_bytes("elf-needs-libsample-runpath.so")
    data = patched(data, "<Q", dynamic_entry(data, DT_RUNPATH) - 8, DT_NEEDED)
    (before,) = read(data).slices
    assert len(before.needed) == 2
    for gone in before.needed:
        path = tmp_path / "module.so"
        path.write_bytes(data)
        assert drop_needed(path, gone)
        (facts,) = read(path.read_bytes()).slices
        assert facts == replace(before, needed=tuple(n for n in before.needed if n != gone))


@pytest.mark.parametrize("gone", ["libc.so", "libc", ""])
def test_a_name_that_is_not_there_changes_nothing(gone: str, tmp_path: Path) -> None:
    path = copied(tmp_path, "elf-x86_64-glibc2.17.so")
    assert not drop_needed(path, gone)
    assert path.read_bytes() == corpus_bytes("elf-x86_64-glibc2.17.so")


def test_what_is_no_elf_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.so"
    path.write_bytes(b"not a library at all, only words")
    with pytest.raises(BinaryInvalid):
        drop_needed(path, "libc.so")
