"""Reading the committed binaries, for the tests of this folder."""

import io

from buildtools.binaries import Binary, BinaryFacts, read_binary
from tests.corpus.variants import CORPUS, corpus_bytes

NAMES = tuple(sorted(path.name for path in CORPUS.iterdir()))


def read(data: bytes, *, symbols: bool = False) -> Binary:
    return read_binary(io.BytesIO(data), symbols=symbols)


def facts_of(name: str, *, symbols: bool = False) -> BinaryFacts:
    (facts,) = read(corpus_bytes(name), symbols=symbols).slices
    return facts
