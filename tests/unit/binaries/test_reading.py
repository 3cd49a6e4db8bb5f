import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildtools.binaries import Binary, BinaryInvalid, read_binary
from tests.corpus.variants import CORPUS, corpus_bytes, variants
from tests.fuzz.mutations import Seed, mutate
from tests.unit.binaries.corpus import NAMES, read


@pytest.mark.parametrize("name", NAMES)
def test_a_file_cut_at_any_of_20_lengths_is_found(name: str) -> None:
    whole = corpus_bytes(name)
    for part in range(20):
        with pytest.raises(BinaryInvalid) as caught:
            read(whole[: len(whole) * part // 20])
        assert caught.value.looks_like == ("truncated" if part else "empty")


@pytest.mark.parametrize("name", NAMES)
def test_a_file_cut_by_one_byte_is_found(name: str) -> None:
    with pytest.raises(BinaryInvalid) as caught:
        read(corpus_bytes(name)[:-1])
    assert caught.value.looks_like == "truncated"


def test_sections_before_the_table_at_the_start_are_looked_at_too() -> None:
    """Tools that rewrite a file may put its section headers before the last section."""
    whole = bytearray(corpus_bytes("elf-x86_64-glibc2.17.so"))
    start, size, count = (
        int.from_bytes(whole[at : at + width], "little")
        for at, width in ((40, 8), (58, 2), (60, 2))
    )
    moved = bytes(whole) + bytes(64)
    (facts,) = read(moved).slices
    assert facts.needed == ("libc.so.6",)
    last = start + size * (count - 1)
    moved = moved[: last + 32] + (len(moved) + 1).to_bytes(8, "little") + moved[last + 40 :]
    with pytest.raises(BinaryInvalid, match="a section"):
        read(moved)


@pytest.mark.parametrize(
    ("data", "looks_like"),
    [
        (b"", "empty"),
        (b"\x7fE", "truncated"),
        (b"\x7fELF\x02\x01\x01", "truncated"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
            "git-lfs-pointer",
        ),
        (b"<!DOCTYPE html>\n<html><head><title>404</title>", "html"),
        (b"\xef\xbb\xbf\n  <HTML><body>Sign in", "html"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "html"),
        (b"/* GNU ld script */\nGROUP ( libm.so.6 )\n", "text"),
        (b"x" + "日本語".encode() * 4000, "text"),  # a letter stands across the first read's end
        (b"xx" + "日本語".encode() * 4000, "text"),
        ("größer\n".encode("latin-1") * 20, "unknown"),
        (b"MZ is how this note begins\n" * 5, "text"),
        (b"PK\x03\x04" + bytes(40), "zip"),
        (b"PK\x05\x06" + bytes(18), "zip"),
        (b"\x1f\x8b\x08\x00" + bytes(40), "gzip"),
        (b"!<arch>\n" + b"/               0   " * 4, "archive"),
        (b"!<thin>\nx", "archive"),
        (bytes(4096), "unknown"),
        (b"\x00\x01\x02\x03" * 30, "unknown"),
        (b"\xff\xfe\x00" * 30, "unknown"),
    ],
)
def test_what_is_no_binary_is_named(data: bytes, looks_like: str) -> None:
    with pytest.raises(BinaryInvalid) as caught:
        read(data)
    assert caught.value.looks_like == looks_like
    assert caught.value.reason


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("buffering", [0, -1])
def test_a_file_on_disk_and_one_in_memory_read_alike(name: str, buffering: int) -> None:
    with (CORPUS / name).open("rb", buffering=buffering) as stream:
        assert read_binary(stream, symbols=True) == read(corpus_bytes(name), symbols=True)


def test_a_stream_is_read_from_its_start_wherever_it_stands() -> None:
    stream = io.BytesIO(corpus_bytes("macho-fat.so"))
    stream.seek(1000)
    assert read_binary(stream) == read(corpus_bytes("macho-fat.so"))


class CountingStream(io.BytesIO):
    """Counts the bytes that are asked for."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith(("elf-", "macho-"))])
def test_only_the_bytes_of_the_verdict_are_read(name: str) -> None:
    stream = CountingStream(corpus_bytes(name) + bytes(5_000_000))
    read_binary(stream)
    assert stream.taken < 20_000


SEEDS = (
    *(Seed.of(name, corpus_bytes(name)) for name in NAMES),
    *(Seed.of(name, data) for name, data in variants()),
)


@given(number=st.integers(0, 1 << 32), symbols=st.booleans())
def test_a_damaged_binary_gives_facts_or_binary_invalid(
    number: int,
    symbols: bool,  # noqa: FBT001
) -> None:
    data = mutate(random.Random(number), SEEDS)  # noqa: S311 - repeatable, not secret
    try:
        binary = read(data, symbols=symbols)
    except BinaryInvalid:
        return
    assert isinstance(binary, Binary)
    assert binary.slices


@given(st.binary(max_size=400), st.sampled_from([b"\x7fELF\2\1", b"\xcf\xfa\xed\xfe", b"MZ", b""]))
def test_noise_behind_a_magic_gives_facts_or_binary_invalid(noise: bytes, magic: bytes) -> None:
    try:
        binary = read(magic + noise, symbols=True)
    except BinaryInvalid:
        return
    assert binary.slices
