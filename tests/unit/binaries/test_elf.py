import struct

import pytest

from buildtools.binaries import BinaryFormat, BinaryInvalid, BinaryKind, VersionNeed
from tests.corpus.variants import (
    DT_DEBUG,
    DT_FLAGS_1,
    DT_HASH,
    corpus_bytes,
    dynamic_entry,
    patched,
    without_section_headers,
    without_tag,
)
from tests.unit.binaries.corpus import facts_of, read

MACHINES = [
    ("elf-x86_64-glibc2.17.so", "x86_64", 64, True, "GLIBC_2.2.5"),
    ("elf-aarch64-glibc2.28.so", "aarch64", 64, True, "GLIBC_2.17"),
    ("elf-i686-glibc2.17.so", "i686", 32, True, "GLIBC_2.0"),
    ("elf-armv7l-glibc2.28.so", "armv7l", 32, True, "GLIBC_2.4"),
    ("elf-s390x-glibc2.28.so", "s390x", 64, False, "GLIBC_2.2"),
    ("elf-riscv64-glibc2.35.so", "riscv64", 64, True, "GLIBC_2.27"),
]


@pytest.mark.parametrize(("name", "arch", "bits", "little_endian", "version"), MACHINES)
def test_every_class_and_byte_order_gives_its_facts(
    name: str,
    arch: str,
    bits: int,
    little_endian: bool,  # noqa: FBT001
    version: str,
) -> None:
    facts = facts_of(name)
    assert facts.format is BinaryFormat.ELF
    assert (facts.arch, facts.bits, facts.little_endian) == (arch, bits, little_endian)
    assert facts.kind is BinaryKind.LIBRARY
    assert facts.needed == ("libc.so.6",)
    assert facts.version_needs == (VersionNeed(library="libc.so.6", versions=(version,)),)
    assert facts.undefined is None
    assert facts.defined is None


@pytest.mark.parametrize("name", [row[0] for row in MACHINES])
def test_symbols_are_read_in_every_class_and_byte_order(name: str) -> None:
    facts = facts_of(name, symbols=True)
    assert facts.undefined == frozenset({"PyModule_Create2", "getenv"})
    assert facts.unversioned == frozenset({"PyModule_Create2"})
    assert facts.defined == frozenset({"PyInit__sample"})


def test_a_musl_module_has_needs_but_no_versions() -> None:
    facts = facts_of("elf-x86_64-musl.so", symbols=True)
    assert facts.needed == ("libc.so",)
    assert facts.version_needs == ()
    assert facts.unversioned == frozenset({"PyModule_Create2", "getenv"})


def test_rpath_and_runpath_are_told_apart_and_split() -> None:
    folders = ("$ORIGIN/../sample.libs", "/opt/sample/lib")
    old, new = facts_of("elf-needs-libsample-rpath.so"), facts_of("elf-needs-libsample-runpath.so")
    assert (old.rpath, old.runpath) == (folders, ())
    assert (new.rpath, new.runpath) == ((), folders)


def test_a_library_says_its_soname_and_what_it_defines() -> None:
    facts = facts_of("elf-libsample-1.1.so.1", symbols=True)
    assert facts.soname == "libsample.so.1"
    assert facts.version_definitions == ("SAMPLE_1.0", "SAMPLE_1.1")
    assert facts.defined == frozenset({"sample_old", "sample_new"})
    assert facts_of("elf-libsample-1.0.so.1").version_definitions == ("SAMPLE_1.0",)


@pytest.mark.parametrize(
    "name",
    [
        "elf-libsample-unversioned.so.1",  # DT_HASH alone
        "elf-libsample-unversioned-old.so.1",  # DT_GNU_HASH alone
        "elf-libsample-1.1.so.1",  # both
    ],
)
def test_symbols_are_counted_without_section_headers(name: str) -> None:
    whole = corpus_bytes(name)
    assert read(without_section_headers(whole), symbols=True) == read(whole, symbols=True)
    assert facts_of(name, symbols=True).defined


def test_symbols_are_counted_along_the_chains_of_the_gnu_hash() -> None:
    whole = corpus_bytes("elf-libsample-1.1.so.1")
    bare = without_section_headers(without_tag(whole, DT_HASH))
    assert read(bare, symbols=True) == read(whole, symbols=True)


def test_a_module_without_section_headers_has_the_same_facts() -> None:
    stripped = facts_of("elf-no-section-headers.so", symbols=True)
    assert stripped == facts_of("elf-x86_64-glibc2.17.so", symbols=True)


def test_a_position_independent_program_is_no_library() -> None:
    facts = facts_of("elf-program.so")
    assert facts.kind is BinaryKind.EXECUTABLE
    assert facts.interpreter == "/lib64/ld-linux-x86-64.so.2"


@pytest.mark.parametrize("tag", [DT_FLAGS_1, DT_DEBUG])
def test_a_program_is_known_by_either_of_its_marks(tag: int) -> None:
    (facts,) = read(without_tag(corpus_bytes("elf-program.so"), tag)).slices
    assert facts.kind is BinaryKind.EXECUTABLE


def test_a_library_may_name_a_loader() -> None:
    """glibc's own libraries do: they can be run."""
    data = corpus_bytes("elf-program.so")
    for tag in (DT_FLAGS_1, DT_DEBUG):
        data = without_tag(data, tag)
    (facts,) = read(data).slices
    assert facts.kind is BinaryKind.LIBRARY


def test_an_object_file_is_one() -> None:
    facts = facts_of("elf-object.so")
    assert facts.kind is BinaryKind.OBJECT
    assert facts.needed == ()


def test_a_file_of_the_kind_that_debuggers_read_is_neither() -> None:
    dumped = patched(corpus_bytes("elf-x86_64-glibc2.17.so"), "<H", 16, 4)  # ET_CORE
    (facts,) = read(dumped).slices
    assert facts.kind is BinaryKind.OTHER


@pytest.mark.parametrize(
    ("machine", "bits", "word"),
    [(21, "<", "ppc64le"), (258, "<", "loongarch64"), (9999, "<", "machine-9999")],
)
def test_other_machines_have_their_words(machine: int, bits: str, word: str) -> None:
    data = patched(corpus_bytes("elf-x86_64-glibc2.17.so"), bits + "H", 18, machine)
    (facts,) = read(data).slices
    assert facts.arch == word


def test_x32_is_x86_64_with_32_bits() -> None:
    data = patched(corpus_bytes("elf-i686-glibc2.17.so"), "<H", 18, 62)
    (facts,) = read(data).slices
    assert (facts.arch, facts.bits) == ("x86_64", 32)


@pytest.mark.parametrize(
    ("tag", "value", "words"),
    [
        (5, 0xDEAD0000, "nothing is loaded"),  # DT_STRTAB
        (1, 0xFFFF, "outside the dynamic string table"),  # DT_NEEDED
        (10, 1 << 40, "truncated"),  # DT_STRSZ
        (0x6FFFFFFE, 0xDEAD0000, "nothing is loaded"),  # DT_VERNEED
    ],
)
def test_a_dynamic_section_that_points_nowhere_is_invalid(tag: int, value: int, words: str) -> None:
    data = corpus_bytes("elf-x86_64-glibc2.17.so")
    with pytest.raises(BinaryInvalid, match=words):
        read(patched(data, "<Q", dynamic_entry(data, tag), value))


def test_version_records_that_lead_far_away_are_invalid() -> None:
    data = corpus_bytes("elf-x86_64-glibc2.17.so")
    at = struct.unpack_from("<Q", data, dynamic_entry(data, 0x6FFFFFFE))[0]
    with pytest.raises(BinaryInvalid, match="outside its table"):
        read(patched(data, "<I", at + 8, 0xFFFFFFF0))  # vn_aux


def test_a_weak_version_is_not_required() -> None:
    data = corpus_bytes("elf-x86_64-glibc2.17.so")
    at = struct.unpack_from("<Q", data, dynamic_entry(data, 0x6FFFFFFE))[0]
    (facts,) = read(patched(data, "<H", at + 16 + 4, 2)).slices  # VER_FLG_WEAK of vna_flags
    assert facts.version_needs == (VersionNeed(library="libc.so.6", versions=()),)


def test_a_weak_symbol_may_be_missing() -> None:
    data = corpus_bytes("elf-x86_64-glibc2.17.so")
    table = struct.unpack_from("<Q", data, dynamic_entry(data, 6))[0]  # DT_SYMTAB
    weak = 2 << 4 | 2  # STB_WEAK, STT_FUNC
    (facts,) = read(patched(data, "B", table + 24 + 4, weak), symbols=True).slices
    assert facts.undefined == frozenset({"PyModule_Create2"})


def test_an_unknown_class_is_invalid() -> None:
    with pytest.raises(BinaryInvalid, match="class or byte order"):
        read(patched(corpus_bytes("elf-x86_64-glibc2.17.so"), "B", 4, 7))


def test_absurd_counts_are_refused() -> None:
    data = corpus_bytes("elf-x86_64-glibc2.17.so")
    padded = data + bytes(1 << 20)
    with pytest.raises(BinaryInvalid, match="program headers"):
        read(patched(padded, "<H", 56, 2000))
