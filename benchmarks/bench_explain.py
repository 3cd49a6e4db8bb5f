"""How long ``explain`` takes over a log of 50 MB, and how much memory: four kinds of log.

Each kind runs in a process of its own; the peak of memory is that of the largest so far. Times
include starting Python and reading the rules.
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.ratios import Ratio

CAUSE = b"ImportError: libmariadb.so.3: cannot open shared object file: No such file or directory\n"
_MEASURE = """
import sys
from buildtools.explain import explain
with open(sys.argv[1], "rb") as stream:
    print(explain(stream).cause)
"""


def repeating() -> Iterator[bytes]:
    """A service's log: the same few sentences, other numbers."""
    for count in range(10**9):
        yield b"2026-11-22T04:36:%02d INFO [worker-%d] processed batch of %d records\n" % (
            count % 60,
            count % 7,
            count,
        )


def failing() -> Iterator[bytes]:
    """Every line says "error", none says why."""
    for count in range(10**9):
        yield b"[%d] ERROR request failed: upstream returned an error for id %x\n" % (count, count)


def unlike() -> Iterator[bytes]:
    """No two lines alike, and each with a word of failure."""
    pick = random.Random(7)  # noqa: S311 - words for a log, no secret
    letters = "ghijklmnopqrstuvwxyz"
    while True:
        yield f"{''.join(pick.choices(letters, k=60))} error {pick.choice(letters)}\n".encode()


def naming() -> Iterator[bytes]:
    """No two lines alike, and each names a failure in the words of real ones."""
    pick = random.Random(8)  # noqa: S311 - words for a log, no secret
    letters = "ghijklmnopqrstuvwxyz"
    said = ("could not reach", "not found:", "connection refused by", "failed: No route to")
    while True:
        first, last = ("".join(pick.choices(letters, k=count)) for count in (40, 9))
        yield f"{first} {pick.choice(said)} {last}\n".encode()


def write_log(path: Path, lines: Iterator[bytes], size: int) -> None:
    """A log of ``size`` bytes with the cause once, in its middle."""
    with path.open("wb") as stream:
        while stream.tell() < size // 2:
            stream.write(next(lines))
        stream.write(CAUSE)
        while stream.tell() < size:
            stream.write(next(lines))


def measure(megabytes: int = 50) -> list[Ratio]:
    """One row for each kind of log; the peak of memory stands in the row's name."""
    size = megabytes << 20
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for lines in (repeating, failing, unlike, naming):
            path = Path(folder) / f"{lines.__name__}.log"
            write_log(path, lines(), size)
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, "-c", _MEASURE, str(path)], check=True, capture_output=True
            )
            seconds = time.perf_counter() - started
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            work = f"explain, {megabytes} MB {lines.__name__}, {peak:.0f} MB of memory"
            rows.append(Ratio(work=work, ours=seconds, at_most=2.0))
    return rows
