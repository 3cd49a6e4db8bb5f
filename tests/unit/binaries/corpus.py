"""The committed binaries, for the tests of this folder."""

import io
import struct
from pathlib import Path

from buildtools.binaries import Binary, BinaryFacts, read_binary

CORPUS = Path(__file__).resolve().parents[2] / "corpus" / "binaries"
NAMES = tuple(sorted(path.name for path in CORPUS.iterdir()))


def corpus_bytes(name: str) -> bytes:
    return (CORPUS / name).read_bytes()


def read(data: bytes, *, symbols: bool = False) -> Binary:
    return read_binary(io.BytesIO(data), symbols=symbols)


def facts_of(name: str, *, symbols: bool = False) -> BinaryFacts:
    (facts,) = read(corpus_bytes(name), symbols=symbols).slices
    return facts


def patched(data: bytes, layout: str, offset: int, *values: int) -> bytes:
    """The bytes with numbers written over them."""
    changed = bytearray(data)
    struct.pack_into(layout, changed, offset, *values)
    return bytes(changed)
