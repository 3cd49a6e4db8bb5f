import struct

import pytest

from buildtools.binaries import BinaryFormat, BinaryInvalid, BinaryKind
from tests.corpus.variants import (
    corpus_bytes,
    patched,
    pe_headers,
    pe_offset,
    with_delayed_import,
    with_gnu_symbols,
)
from tests.unit.binaries.corpus import facts_of, read


@pytest.mark.parametrize(
    ("name", "arch"), [("pe-x86_64.pyd", "x86_64"), ("pe-aarch64.pyd", "aarch64")]
)
def test_a_module_of_windows_gives_its_facts(name: str, arch: str) -> None:
    facts = facts_of(name, symbols=True)
    assert facts.format is BinaryFormat.PE
    assert (facts.arch, facts.bits, facts.kind) == (arch, 64, BinaryKind.LIBRARY)
    assert facts.soname == name
    assert facts.needed == ("python311.dll",)
    assert facts.undefined == frozenset({"PyModule_Create2"})
    assert facts.defined == frozenset({"PyInit__sample"})


def test_a_program_of_windows_is_no_library() -> None:
    data = corpus_bytes("pe-x86_64.pyd")
    at = pe_headers(data) + 4 + 18
    flags = int.from_bytes(data[at : at + 2], "little")
    (facts,) = read(patched(data, "<H", at, flags & ~0x2000)).slices
    assert facts.kind is BinaryKind.EXECUTABLE


def test_a_function_imported_by_its_number_has_no_name() -> None:
    data = corpus_bytes("pe-x86_64.pyd")
    imports = struct.unpack_from("<I", data, pe_headers(data) + 24 + 112 + 8)[0]
    thunks = struct.unpack_from("<I", data, pe_offset(data, imports))[0]
    (facts,) = read(patched(data, "<Q", pe_offset(data, thunks), 1 << 63 | 7), symbols=True).slices
    assert facts.undefined == frozenset()


def test_delayed_imports_count_as_weak() -> None:
    data = corpus_bytes("pe-x86_64.pyd")
    (facts,) = read(with_delayed_import(data, b"late.dll\0")).slices
    assert facts.needed == ("python311.dll",)
    assert facts.weak_needed == ("late.dll",)


def test_a_signature_past_the_end_is_truncated() -> None:
    data = corpus_bytes("pe-x86_64.pyd")
    at = pe_headers(data) + 24 + 112 + 8 * 4
    with pytest.raises(BinaryInvalid) as caught:
        read(patched(data, "<II", at, len(data), 8))
    assert caught.value.looks_like == "truncated"


def test_a_dos_program_is_not_taken() -> None:
    data = corpus_bytes("pe-x86_64.pyd")
    with pytest.raises(BinaryInvalid, match="DOS"):
        read(patched(data, "<I", pe_headers(data), 0x454E))


def test_the_symbols_of_gnus_linker_end_the_file() -> None:
    data = with_gnu_symbols(corpus_bytes("pe-x86_64.pyd"))
    assert read(data) == read(corpus_bytes("pe-x86_64.pyd"))
    with pytest.raises(BinaryInvalid) as caught:
        read(data[:-1])
    assert caught.value.looks_like == "truncated"
