import pytest

from buildtools.binaries import BinaryFormat, BinaryInvalid, BinaryKind
from tests.corpus.variants import (
    EXPORTS,
    LC_BUILD_VERSION,
    LC_LOAD_DYLIB,
    LC_LOAD_WEAK_DYLIB,
    LC_REEXPORT_DYLIB,
    LC_VERSION_MIN_MACOSX,
    command_at,
    corpus_bytes,
    patched,
    with_chained_fixups,
    with_exports,
)
from tests.unit.binaries.corpus import facts_of, read


@pytest.mark.parametrize(
    ("name", "arch", "min_os", "signed"),
    [
        ("macho-arm64-macos11.so", "arm64", (11, 0), True),
        ("macho-arm64-macos14.so", "arm64", (14, 0), True),
        ("macho-x86_64-macos10.13.so", "x86_64", (10, 13), False),
        ("macho-unsigned.so", "arm64", (11, 0), False),
    ],
)
def test_a_thin_file_gives_its_facts(
    name: str,
    arch: str,
    min_os: tuple[int, int],
    signed: bool,  # noqa: FBT001
) -> None:
    facts = facts_of(name)
    assert facts.format is BinaryFormat.MACHO
    assert (facts.arch, facts.bits, facts.little_endian) == (arch, 64, True)
    assert facts.kind is BinaryKind.LIBRARY
    assert (facts.min_os, facts.apple_platform, facts.signed) == (min_os, "macos", signed)
    assert facts.needed == ("/usr/lib/libSystem.B.dylib",)
    assert facts.rpath == ("@loader_path/../sample.libs",)


@pytest.mark.parametrize("name", ["macho-fat.so", "macho-fat64.so"])
def test_a_fat_file_gives_the_facts_of_each_slice(name: str) -> None:
    binary = read(corpus_bytes(name), symbols=True)
    assert binary.slices == (
        facts_of("macho-x86_64-macos10.13.so", symbols=True),
        facts_of("macho-arm64-macos11.so", symbols=True),
    )


def test_a_library_says_its_install_name() -> None:
    facts = facts_of("macho-libsample.1.dylib", symbols=True)
    assert facts.soname == "@rpath/libsample.1.dylib"
    assert facts.defined is not None
    assert {"_sample_old", "_sample_new"} <= facts.defined


def test_needs_stand_as_they_are_written() -> None:
    facts = facts_of("macho-needs-libsample.so", symbols=True)
    assert facts.needed == ("/usr/lib/libSystem.B.dylib", "@rpath/libsample.1.dylib")
    assert facts.undefined is not None
    assert {"_sample_new", "_PyModule_Create2"} <= facts.undefined


@pytest.mark.parametrize(
    ("name", "kind"),
    [("macho-program.so", BinaryKind.EXECUTABLE), ("macho-object.so", BinaryKind.OBJECT)],
)
def test_programs_and_objects_are_no_libraries(name: str, kind: BinaryKind) -> None:
    assert facts_of(name).kind is kind


def test_weak_and_reexported_libraries_are_told_apart() -> None:
    data = corpus_bytes("macho-arm64-macos11.so")
    at = command_at(data, LC_LOAD_DYLIB)
    (weak,) = read(patched(data, "<I", at, LC_LOAD_WEAK_DYLIB)).slices
    assert (weak.needed, weak.weak_needed) == ((), ("/usr/lib/libSystem.B.dylib",))
    (reexported,) = read(patched(data, "<I", at, LC_REEXPORT_DYLIB)).slices
    assert reexported.needed == ("/usr/lib/libSystem.B.dylib",)


def test_the_older_command_for_the_minimum_is_read_too() -> None:
    data = corpus_bytes("macho-arm64-macos11.so")
    at = command_at(data, LC_BUILD_VERSION)
    older = patched(data, "<I", at, LC_VERSION_MIN_MACOSX)
    (facts,) = read(patched(older, "<I", at + 8, 10 << 16 | 9 << 8)).slices
    assert (facts.min_os, facts.apple_platform) == ((10, 9), "macos")


def test_a_file_for_telephones_says_so() -> None:
    data = corpus_bytes("macho-arm64-macos11.so")
    (facts,) = read(patched(data, "<I", command_at(data, LC_BUILD_VERSION) + 8, 2)).slices
    assert facts.apple_platform == "ios"


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_chained_fixups_name_what_is_undefined(kind: int) -> None:
    (facts,) = read(with_chained_fixups(kind), symbols=True).slices
    assert facts.undefined == frozenset({"_first", "_second"})


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_weak_imports_may_be_missing(kind: int) -> None:
    (facts,) = read(with_chained_fixups(kind, weak=True), symbols=True).slices
    assert facts.undefined == frozenset({"_second"})


def test_the_export_trie_names_what_is_defined() -> None:
    (facts,) = read(with_exports(EXPORTS), symbols=True).slices
    assert facts.defined == frozenset({"_sample", "_second"})


def test_an_export_trie_that_bites_its_tail_is_invalid() -> None:
    with pytest.raises(BinaryInvalid, match="no tree"):
        read(with_exports(b"\0\1_s\0\0"), symbols=True)


def test_a_java_class_is_no_fat_file() -> None:
    with pytest.raises(BinaryInvalid, match="Java"):
        read(b"\xca\xfe\xba\xbe\0\0\0\x34" + bytes(200))


def test_a_slice_past_the_end_is_truncated() -> None:
    data = corpus_bytes("macho-fat.so")
    with pytest.raises(BinaryInvalid) as caught:
        read(patched(data, ">I", 8 + 12, len(data)))
    assert caught.value.looks_like == "truncated"


@pytest.mark.parametrize("size", [0, 4, 7, 1 << 20])
def test_a_load_command_of_an_impossible_size_is_invalid(size: int) -> None:
    data = corpus_bytes("macho-arm64-macos11.so")
    with pytest.raises(BinaryInvalid):
        read(patched(data, "<I", 32 + 4, size))
