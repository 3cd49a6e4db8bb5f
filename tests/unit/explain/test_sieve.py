"""Of a long text the lines that may name a failure come through, however the others look."""

import random

import pytest

from buildtools.explain.sieve import Sieve

CAUSE = b"ImportError: libmariadb.so.3: cannot open shared object file: No such file or directory"


def unlike(count: int, said: bytes) -> list[bytes]:
    pick = random.Random(5)  # noqa: S311 - words for a log, no secret
    return [bytes(pick.choices(b"ghijklmpqrsuvwxyz", k=40)) + said for _ in range(count)]


@pytest.mark.parametrize("said", [b"", b" error here", b" failed: could not reach it"])
def test_one_line_among_lines_that_are_all_unlike(said: bytes) -> None:
    lines = unlike(9000, said)
    lines[4000] = CAUSE
    assert 4000 in Sieve().failures(b"\n".join(lines))


def test_one_line_among_lines_that_repeat() -> None:
    lines = [b"worker %d failed, error %d" % (at % 9, at) for at in range(9000)]
    lines[4000] = CAUSE
    scores = Sieve().failures(b"\n".join(lines))
    assert scores[4000] > 1
    assert len(scores) < 20


def test_a_line_is_brought_once_even_from_another_block() -> None:
    sieve = Sieve()
    block = b"\n".join([CAUSE, *unlike(50, b"")])
    assert 0 in sieve.failures(block)
    assert 0 not in sieve.failures(block)


def test_what_frequent_words_bring_is_bounded() -> None:
    sieve = Sieve()
    block = b"\n".join(unlike(9000, b" error: not found, connection failed"))
    brought = [len(sieve.failures(block + b"x%d" % at)) for at in range(40)]
    assert sum(brought) < 2000
    assert brought[-1] == 0
