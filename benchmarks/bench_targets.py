"""``wheel`` for several targets at once: against a command for each, one after another.

Takes minutes and fetches from the index and the archive; run by name: ``nox -s bench -- targets``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.ratios import Ratio

FOUR = (
    "linux/x86_64/glibc2.28/cp311",
    "linux/aarch64/glibc2.28/cp311",
    "linux/aarch64/musl/cp311",
    "darwin/arm64/macos11/cp311",
)


def measure() -> list[Ratio]:
    """The one row, with caches of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        return [_at_once(Path(scratch).resolve())]


def _at_once(folder: Path) -> Ratio:
    """pysqlite3 for four targets: four commands of one target each, then one command of four.

    Each side begins with an empty cache, which its commands share as a user's do: compiler, headers
    and SQLite's source are had once on either side. Nothing else is told to either.
    """
    words = ["pysqlite3", "--backend", "zig", "--proof", "static"]
    apart, together = folder / "apart", folder / "together"
    for place in (apart, together):
        place.mkdir()
    one = sum(make(apart, apart / "cache", *words, "--target", target) for target in FOUR)
    all_four = [word for target in FOUR for word in ("--target", target)]
    many = make(together, together / "cache", *words, *all_four)
    for place in (apart, together):
        made = sorted((place / "cache/buildtools/libraries").glob("sqlite-*"))
        if len(made) != len(FOUR):
            raise SystemExit(f"a library was not compiled once for each target: {made}")
    return Ratio(
        work=f"pysqlite3 for {len(FOUR)} targets, one command, empty cache",
        ours=many,
        peer="a command for each, one after another, empty cache before the first",
        theirs=one,
        at_most=0.6,
    )


def make(folder: Path, cache: Path, *words: str) -> float:
    """Seconds that ``buildtools wheel`` takes; it must fill every cell."""
    command = [sys.executable, "-m", "buildtools", "wheel", *words, "--json", "--wheelhouse"]
    started = time.perf_counter()
    done = subprocess.run(
        [*command, str(folder / "house")],
        cwd=folder,
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{words}\n{done.stdout}\n{done.stderr}")
    for one in json.loads(done.stdout)["wheels"]:
        print(f"  {one['target']}: {one['verified']}, {one['seconds']} s", file=sys.stderr)
    return seconds
