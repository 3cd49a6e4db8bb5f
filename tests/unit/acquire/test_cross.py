"""zig's targets, and the floor that bundled libraries allow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from buildtools.acquire.cross import build_floor, glibc_need, triple
from buildtools.acquire.request import AcquireError
from buildtools.findings import Cause
from buildtools.targets import LibC, LibCFamily, Version, parse_target
from tests.unit.acquire.values import HOME

CORPUS = Path(__file__).parents[2] / "corpus" / "binaries"


@pytest.mark.parametrize(
    ("target", "floor", "expected"),
    [
        ("linux/x86_64/glibc2.28", Version(major=2, minor=28), "x86_64-linux-gnu.2.28"),
        ("linux/aarch64/glibc2.17", Version(major=2, minor=17), "aarch64-linux-gnu.2.17"),
        ("linux/x86_64/musl", None, "x86_64-linux-musl"),
        ("linux/armv7l/musl", None, "arm-linux-musleabihf"),
        ("linux/i686/glibc2.28", Version(major=2, minor=28), "x86-linux-gnu.2.28"),
        ("darwin/arm64/macos11", None, "aarch64-macos.11.0"),
        ("darwin/x86_64/macos12.3", None, "x86_64-macos.12.3"),
    ],
)
def test_zigs_words_for_a_target(target: str, floor: Version | None, expected: str) -> None:
    assert triple(parse_target(target, {}), floor) == expected


def test_without_libraries_the_floor_is_old() -> None:
    assert build_floor(HOME, ()) == Version(major=2, minor=28)
    assert build_floor(parse_target("linux/x86_64/glibc2.17", {}), ()) == Version(major=2, minor=17)
    assert build_floor(parse_target("linux/x86_64/musl", {}), ()) is None
    assert build_floor(parse_target("darwin/arm64", {}), ()) is None


def newest() -> tuple[Version, Path]:
    """The corpus's module that needs the newest glibc."""
    found = glibc_need(sorted(path for path in CORPUS.rglob("*") if path.is_file()))
    assert found is not None
    return found


def test_a_library_raises_the_floor_to_what_it_needs() -> None:
    version, library = newest()
    assert version > Version(major=2, minor=28)
    libc = LibC(family=LibCFamily.GLIBC, version=Version(major=2, minor=99))
    high = replace(parse_target("linux/x86_64", {}), libc=libc)
    assert build_floor(high, (library,)) == version


def test_a_library_above_the_target_is_named_with_the_floor_that_can_be_had() -> None:
    version, library = newest()
    with pytest.raises(AcquireError) as caught:
        build_floor(parse_target("linux/x86_64/glibc2.28", {}), (library,))
    assert caught.value.cause is Cause.LIBC_TOO_OLD
    assert library.name in caught.value.why
    assert caught.value.floor == version


def test_every_library_above_the_target_is_named_the_first_first() -> None:
    _, library = newest()
    fits = CORPUS / "elf-x86_64-glibc2.17.so"
    assert fits.is_file()
    with pytest.raises(AcquireError) as caught:
        build_floor(parse_target("linux/x86_64/glibc2.28", {}), (fits, library, library))
    assert caught.value.why.count(library.name) == 2
    assert fits.name not in caught.value.why
