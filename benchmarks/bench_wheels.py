"""``wheel`` for other targets: against the same build emulated, and several targets at once.

Takes minutes and fetches from the index and the archive; run by name: ``nox -s bench -- wheels``.
Root; Debian packages: debootstrap, qemu-user-static.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.emulated import make_tree
from benchmarks.ratios import Ratio

TARGET = "linux/aarch64/glibc2.36/cp311"
FOUR = (
    "linux/x86_64/glibc2.28/cp311",
    "linux/aarch64/glibc2.28/cp311",
    "linux/aarch64/musl/cp311",
    "darwin/arm64/macos11/cp311",
)
_INSTALL = "gcc libc6-dev python3-dev python3-pip pkg-config libmariadb-dev"
_IMPORT = "import MySQLdb; print(MySQLdb.get_client_info())"


def measure() -> list[Ratio]:
    """All rows, each with caches of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch).resolve()
        return [*_foreign(folder / "foreign"), _at_once(folder / "four")]


def _foreign(folder: Path) -> list[Ratio]:
    """mysqlclient by the packages way, from an empty cache; mariadb after it, on its sysroot."""
    folder.mkdir()
    first = _wheel(folder, folder / "cache", "mysqlclient", "--target", TARGET)
    before = _sysroots(folder / "cache")
    second = _wheel(folder, folder / "cache", "mariadb", "--target", TARGET)
    if _sysroots(folder / "cache") != before:
        raise SystemExit("the second driver made a sysroot of its own")
    theirs, built = _emulated(folder)
    return [
        Ratio(work="mysqlclient for aarch64, empty cache, proven", ours=first, at_most=60),
        Ratio(
            work="the same",
            ours=first,
            peer="apt-get install, pip wheel, import in an emulated tree",
            theirs=theirs,
            at_least=5,
        ),
        Ratio(
            work="the same, its downloads and proof too",
            ours=first,
            peer="pip wheel alone there, compiler and headers installed before",
            theirs=built,
        ),
        Ratio(
            work="mariadb for the same target, on the same sysroot",
            ours=second,
            peer="mysqlclient, which made it",
            theirs=first,
            at_most=1.0,
        ),
    ]


def _at_once(folder: Path) -> Ratio:
    """pysqlite3 for four targets: four commands of one target each, then one command of four.

    Each side begins with an empty cache, which its commands share as a user's do: compiler, headers
    and SQLite's source are had once on either side. Nothing else is told to either.
    """
    words = ["pysqlite3", "--backend", "zig", "--proof", "static"]
    apart, together = folder / "apart", folder / "together"
    for place in (apart, together):
        place.mkdir(parents=True)
    one = sum(_wheel(apart, apart / "cache", *words, "--target", target) for target in FOUR)
    all_four = [word for target in FOUR for word in ("--target", target)]
    many = _wheel(together, together / "cache", *words, *all_four)
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


def _wheel(folder: Path, cache: Path, *words: str) -> float:
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


def _sysroots(cache: Path) -> list[str]:
    """The sysroots with a client library in them."""
    found = (cache / "buildtools/sysroots").glob("*/usr/include/mariadb")
    return sorted(path.parents[2].name for path in found)


def _emulated(folder: Path) -> tuple[float, float]:
    """Seconds of the same build in an emulated tree, and of its ``pip wheel`` alone.

    The tree is there before, as an image is once it is pulled. From it the whole is timed that its
    users run from an empty cache: compiler, headers and library, the build, and a proof by import.
    """
    tree = make_tree(folder / "tree")
    pip = ["pip", "--no-cache-dir"]
    seconds = tree.run(["apt-get", "update", "-q"])
    install = ["apt-get", "install", "-q", "--yes", "--no-install-recommends"]
    seconds += tree.run([*install, *_INSTALL.split()])
    build = tree.run([*pip, "wheel", "--no-deps", "--wheel-dir", "/srv", "mysqlclient"])
    wheel = next((tree.root / "srv").glob("mysqlclient-*.whl"))
    proof = [*pip, "install", "--break-system-packages", "--no-deps", f"/srv/{wheel.name}"]
    seconds += build + tree.run(proof) + tree.run(["python3", "-c", _IMPORT])
    return seconds, build
