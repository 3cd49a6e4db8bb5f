"""``wheel`` for other targets: against the same build emulated, and several targets at once.

Takes minutes and fetches from the index and the archive; run by name: ``nox -s bench -- wheels``.
Debian packages: qemu-user-static.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.ratios import Ratio
from buildtools.acquire import Tools
from buildtools.acquire.apt import open_apt
from buildtools.processes import clean_environment
from buildtools.proving.emulators import emulator
from buildtools.proving.trees import packages_tree

TARGET = "linux/aarch64/glibc2.36/cp311"
FOUR = (
    "linux/x86_64/glibc2.28/cp311",
    "linux/aarch64/glibc2.28/cp311",
    "linux/aarch64/musl/cp311",
    "darwin/arm64/macos11/cp311",
)
_EMULATED = (
    "python3.11-minimal", "libpython3.11-stdlib", "libpython3.11-dev", "gcc-12", "libc6-dev",
    "libmariadb-dev",
)  # fmt: skip
_WRAPPED = (
    "usr/bin/python3.11",
    "usr/bin/aarch64-linux-gnu-gcc-12",
    "usr/bin/aarch64-linux-gnu-as",
    "usr/bin/aarch64-linux-gnu-ld.bfd",
    "usr/lib/gcc/aarch64-linux-gnu/12/cc1",
    "usr/lib/gcc/aarch64-linux-gnu/12/collect2",
)


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
    theirs = _emulated(folder)
    return [
        Ratio(work="mysqlclient for aarch64, empty cache, proven", ours=first, at_most=60),
        Ratio(
            work="the same",
            ours=first,
            peer="pip wheel in an emulated aarch64 tree, ready made",
            theirs=theirs,
            at_least=5,
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
    """pysqlite3 for four targets: with one hand, then with as many as there are processors."""
    targets = [word for target in FOUR for word in ("--target", target)]
    words = ["pysqlite3", *targets, "--backend", "zig", "--proof", "static"]
    seconds = {}
    for jobs in ("1", str(os.cpu_count() or 1)):
        place = folder / jobs
        place.mkdir(parents=True)
        # Compiler, headers and SQLite's source are had once; what is compiled is made anew.
        # The warming target's floor is older than the others', so its library is none of theirs.
        warm = ["pysqlite3", "--target", "linux/x86_64/glibc2.17/cp311", "--backend", "zig"]
        _wheel(place, place / "cache", *warm, "--proof", "static")
        seconds[jobs] = _wheel(place, place / "cache", *words, "--jobs", jobs)
        made = sorted((place / "cache/buildtools/libraries").glob("sqlite-*"))
        if len(made) != len(FOUR) + 1:
            raise SystemExit(f"a library was not compiled once for each target: {made}")
    one, many = seconds["1"], seconds[str(os.cpu_count() or 1)]
    return Ratio(
        work=f"pysqlite3 for {len(FOUR)} targets at once",
        ours=many,
        peer="one after another",
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


def _emulated(folder: Path) -> float:
    """Seconds of ``pip wheel mysqlclient`` by the target's own Python and gcc, all emulated.

    The tree with both is unpacked before: what is timed is the build. A kernel without binfmt
    starts no aarch64 program by itself, so each that another one starts is a small script here.
    """
    tools = Tools(cache=folder / "tree")
    apt = open_apt(tools.cache, "aarch64")
    if apt is None:
        raise SystemExit("the emulated tree is made of Debian's packages")
    root = packages_tree(tools, apt, _EMULATED)
    qemu = emulator(tools, "aarch64")
    for name in _WRAPPED:
        _wrap(root / name, qemu, root)
    for short in ("as", "ld"):
        (root / "usr/bin" / short).unlink(missing_ok=True)
        long = {"as": "aarch64-linux-gnu-as", "ld": "aarch64-linux-gnu-ld.bfd"}[short]
        (root / "usr/bin" / short).symlink_to(long)
    include, lib = root / "usr/include/mariadb", root / "usr/lib/aarch64-linux-gnu"
    compiler = root / "usr/bin/aarch64-linux-gnu-gcc-12"
    gcc = f"{compiler} --sysroot={root} -B{root}/usr/bin -B{root}/usr/lib/gcc/aarch64-linux-gnu/12"
    variables = {
        "CC": gcc,
        "LDSHARED": f"{gcc} -shared",
        "CFLAGS": f"-I{root}/usr/include/python3.11 -I{root}/usr/include",
        "MYSQLCLIENT_CFLAGS": f"-I{include}",
        "MYSQLCLIENT_LDFLAGS": f"-L{lib} -lmariadb",
    }
    words = ["wheel", "--no-deps", "--no-cache-dir", "--no-binary=mysqlclient", "-w"]
    words += [str(folder / "theirs"), "mysqlclient"]
    return _pip(root, words, variables, folder)


def _wrap(program: Path, qemu: Path, root: Path) -> None:
    real = program.with_name(f"{program.name}.real")
    program.resolve().rename(real)
    program.unlink(missing_ok=True)
    program.write_text(f'#!/bin/sh\nexec {qemu} -L {root} -0 "$0" {real} "$@"\n')
    program.chmod(0o755)


def _pip(root: Path, words: Sequence[str], variables: Mapping[str, str], folder: Path) -> float:
    import pip

    # pip is pure Python and runs where it lies; the emulated Python has none of its own.
    command = [str(root / "usr/bin/python3.11"), str(Path(pip.__file__).parent), *words]
    environment = clean_environment({**variables, "PATH": os.defpath})
    started = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"the emulated build failed\n{done.stdout}\n{done.stderr}")
    return time.perf_counter() - started
