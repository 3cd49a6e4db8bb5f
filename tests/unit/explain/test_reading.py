"""Texts of any size and encoding: what is kept of them, and under which numbers."""

import codecs
import io
import tracemalloc
from typing import IO, cast

import pytest

from buildtools.explain import explain
from buildtools.explain.reading import CHUNK_BYTES, KEPT_BYTES, WHOLE_BYTES, read_lines
from buildtools.findings import Cause

CAUSE = b"ImportError: libmariadb.so.3: cannot open shared object file: No such file or directory\n"


class Log(io.RawIOBase):
    """A log that is made while it is read, so that it takes no memory itself."""

    def __init__(self, size: int, line: bytes, cause_at: int) -> None:
        self._left = size
        self._block = line * (CHUNK_BYTES // len(line))
        self._cause_at = cause_at
        self._given = 0

    def read(self, size: int = -1) -> bytes:
        del size
        if self._left <= 0:
            return b""
        self._left -= len(self._block)
        self._given += 1
        return self._block + (CAUSE if self._given == self._cause_at else b"")


def test_a_small_text_is_kept_whole() -> None:
    lines = read_lines(b"a\r\nb\nc")
    assert [(line.number, line.data) for line in lines] == [(1, b"a\r"), (2, b"b"), (3, b"c")]


@pytest.mark.parametrize("line", [b"INFO batch of 1234 records\n", b"ERROR: something failed\n"])
def test_a_cause_in_the_middle_of_a_long_log_is_found_in_little_memory(line: bytes) -> None:
    log = cast("IO[bytes]", Log(12 << 20, line, cause_at=6))
    explain("warm")
    tracemalloc.start()
    found = explain(log)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.cause is Cause.MISSING_LIBRARY
    assert found.evidence[0].line == 6 * (CHUNK_BYTES // len(line)) + 1
    assert peak < 40 << 20


def test_what_is_kept_of_a_long_text_is_bounded() -> None:
    noise = b"".join(b"error %s\n" % bytes([97 + at % 23] * (at % 300)) for at in range(20_000))
    kept = read_lines(noise)
    assert len(noise) > WHOLE_BYTES
    assert sum(len(line.data) for line in kept) <= 2 * KEPT_BYTES
    assert [line.number for line in kept] == sorted({line.number for line in kept})


def test_one_giant_line_does_not_stop_it() -> None:
    assert explain(b"x" * (5 << 20) + b"\n" + CAUSE).cause is Cause.MISSING_LIBRARY


def test_the_last_line_of_a_long_text_is_kept_under_its_number() -> None:
    text = b"all is well\n" * 100_000 + CAUSE
    assert explain(text).evidence[0].line == 100_001


def test_a_text_in_utf_16_is_read() -> None:
    text = codecs.BOM_UTF16_LE + ("caf\u00e9 " + CAUSE.decode()).encode("utf-16-le")
    found = explain(io.BytesIO(text))
    assert found.cause is Cause.MISSING_LIBRARY
    assert found.evidence[0].text.startswith("caf\u00e9 ImportError")


def test_text_streams_and_strings_are_read_alike() -> None:
    text = CAUSE.decode()
    assert explain(io.StringIO(text)) == explain(text) == explain(CAUSE)


def test_what_a_progress_bar_overwrote_does_not_hide_the_rest() -> None:
    found = explain(b"10%\r50%\r100%\r" + CAUSE)
    assert found.cause is Cause.MISSING_LIBRARY
    assert found.evidence[0].line == 1


def test_bytes_that_are_no_text_do_not_stop_it() -> None:
    assert explain(bytes(range(256)) * 50 + b"\n" + CAUSE).cause is Cause.MISSING_LIBRARY


def test_credentials_do_not_reach_the_evidence() -> None:
    found = explain("password=hunter2 redis://u:hunter2@h NOAUTH Authentication required.")
    assert found.cause is Cause.REDIS_AUTH
    assert "hunter2" not in found.evidence[0].text
