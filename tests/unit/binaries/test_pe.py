import struct

import pytest

from buildtools.binaries import BinaryFormat, BinaryInvalid, BinaryKind
from tests.unit.binaries.corpus import corpus_bytes, facts_of, patched, read


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


def headers(data: bytes) -> int:
    return int.from_bytes(data[60:64], "little")


def test_a_program_of_windows_is_no_library() -> None:
    data = corpus_bytes("pe-x86_64.pyd")
    at = headers(data) + 4 + 18
    flags = int.from_bytes(data[at : at + 2], "little")
    (facts,) = read(patched(data, "<H", at, flags & ~0x2000)).slices
    assert facts.kind is BinaryKind.EXECUTABLE


def sections(data: bytes) -> list[tuple[int, int, int, int, int]]:
    """Of each section: where its header stands, and its size, address, size in the file, offset."""
    start = headers(data)
    count = int.from_bytes(data[start + 6 : start + 8], "little")
    table = start + 24 + int.from_bytes(data[start + 20 : start + 22], "little")
    return [
        (at, *struct.unpack_from("<4I", data, at + 8))
        for at in range(table, table + 40 * count, 40)
    ]


def offset_of(data: bytes, address: int) -> int:
    for _, _, virtual, raw, offset in sections(data):
        if virtual <= address < virtual + raw:
            return offset + address - virtual
    raise AssertionError(address)


def test_a_function_imported_by_its_number_has_no_name() -> None:
    data = corpus_bytes("pe-x86_64.pyd")
    imports = struct.unpack_from("<I", data, headers(data) + 24 + 112 + 8)[0]
    thunks = struct.unpack_from("<I", data, offset_of(data, imports))[0]
    (facts,) = read(patched(data, "<Q", offset_of(data, thunks), 1 << 63 | 7), symbols=True).slices
    assert facts.undefined == frozenset()


def with_delayed_import(data: bytes, library: bytes) -> bytes:
    """The file with a delay-import directory in the padding behind a section's data."""
    start = headers(data)
    roomy = (row for row in sections(data) if row[3] - row[1] >= 64 + len(library))
    at, size, virtual, raw, offset = next(roomy)
    changed = bytearray(patched(data, "<I", at + 8, raw))
    changed[offset + size : offset + size + 64 + len(library)] = (
        struct.pack("<8I", 1, virtual + size + 64, 0, 0, 0, 0, 0, 0) + bytes(32) + library
    )
    return patched(bytes(changed), "<II", start + 24 + 112 + 8 * 13, virtual + size, 64)


def test_delayed_imports_count_as_weak() -> None:
    data = corpus_bytes("pe-x86_64.pyd")
    (facts,) = read(with_delayed_import(data, b"late.dll\0")).slices
    assert facts.needed == ("python311.dll",)
    assert facts.weak_needed == ("late.dll",)


def test_a_signature_past_the_end_is_truncated() -> None:
    data = corpus_bytes("pe-x86_64.pyd")
    at = headers(data) + 24 + 112 + 8 * 4
    with pytest.raises(BinaryInvalid) as caught:
        read(patched(data, "<II", at, len(data), 8))
    assert caught.value.looks_like == "truncated"


def test_a_dos_program_is_not_taken() -> None:
    data = corpus_bytes("pe-x86_64.pyd")
    with pytest.raises(BinaryInvalid, match="DOS"):
        read(patched(data, "<I", headers(data), 0x454E))
