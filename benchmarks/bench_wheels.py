"""``wheel`` for other targets: against the same build emulated, and several targets at once.

Takes minutes and fetches from the index and the archive; run by name: ``nox -s bench -- wheels``.
Root; Debian packages: debootstrap, qemu-user-static.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks import bench_targets
from benchmarks.bench_targets import make
from benchmarks.emulated import make_tree
from benchmarks.ratios import Ratio

TARGET = "linux/aarch64/glibc2.36/cp311"
_INSTALL = "gcc libc6-dev python3-dev python3-pip pkg-config libmariadb-dev"
_IMPORT = "import MySQLdb; print(MySQLdb.get_client_info())"


def measure() -> list[Ratio]:
    """All rows, each with caches of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch).resolve()
        return [*_foreign(folder / "foreign"), *bench_targets.measure()]


def _foreign(folder: Path) -> list[Ratio]:
    """mysqlclient by the packages way, from an empty cache; mariadb after it, on its sysroot."""
    folder.mkdir()
    first = make(folder, folder / "cache", "mysqlclient", "--target", TARGET)
    before = _sysroots(folder / "cache")
    second = make(folder, folder / "cache", "mariadb", "--target", TARGET)
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
