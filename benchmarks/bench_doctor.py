"""How fast ``doctor`` is: a module against pyelftools, a command over 1,000 modules, a target.

``python -m benchmarks.bench_doctor`` makes an environment of its own from wheels that bring more
than 250 native modules, and prints a table.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.bench_binaries import by_pyelftools
from benchmarks.ratios import Ratio, as_installed, paired

PACKAGES = (
    "numpy", "scipy", "pandas", "scikit-learn", "scikit-image", "statsmodels",
    "asyncmy", "apsw", "msgspec", "hiredis",
)  # fmt: skip
MANY = 1000
"""Modules in the environment that the whole command is timed over."""


def make_environment(folder: Path) -> Path:
    """A venv with more than 250 native modules; its root."""
    root = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root], check=True)
    subprocess.run(
        [
            sys.executable, "-m", "pip", "--python", root / "bin" / "python", "install",
            "--quiet", "--no-deps", "--no-input", "--no-compile", "--only-binary=:all:", *PACKAGES,
        ],
        check=True,
    )  # fmt: skip
    return root


def grow(root: Path, wanted: int) -> None:
    """Copy packages of the venv under other names until it has ``wanted`` native modules."""
    site = next((root / "lib").glob("python3.*/site-packages"))
    have = len(natives(root))
    packages = [
        (path, len(list(path.rglob("*.so"))))
        for path in sorted(site.iterdir())
        if path.is_dir() and not path.name.endswith(("-info", ".libs"))
    ]
    number = 0
    while have < wanted:
        number += 1
        for path, count in packages:
            if have < wanted and count:
                shutil.copytree(path, site / f"{path.name}_copy{number}", symlinks=True)
                have += count


def natives(root: Path) -> list[Path]:
    """The native modules of a venv."""
    return sorted((root / "lib").rglob("*.so"))


def seconds(work: Callable[[], object], times: int) -> float:
    """The median wall time of some runs, after one that warms up."""
    work()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def by_peer(paths: list[Path]) -> Callable[[], object]:
    """Needed libraries and version requirements of every file, through pyelftools."""

    def work() -> None:
        for path in paths:
            by_pyelftools(path)

    return work


def doctor_in_process(root: Path) -> Callable[[], object]:
    """The whole examination of a venv for this machine, without Python's start."""
    from buildtools.doctor import examine
    from buildtools.environment import scan
    from buildtools.host import interpreter_facts
    from buildtools.recipes import load_recipes

    host, recipes = interpreter_facts(), load_recipes()

    def work() -> object:
        tree = scan(root, outside=False)
        return examine(tree, host.target, recipes, host=host)

    return work


def command(*words: str | Path) -> Callable[[], object]:
    """``buildtools doctor`` as a user starts it, its own modules compiled as an install does."""
    environment = as_installed()

    def work() -> object:
        return subprocess.run(
            [sys.executable, "-m", "buildtools", "doctor", "--json", *words],
            check=False,
            stdout=subprocess.DEVNULL,
            env=environment,
        )

    return work


def measure(root: Path | None = None, *, runs: int = 5) -> list[Ratio]:
    """Every figure; ``root`` is a venv that may be changed, by default one is made."""
    with tempfile.TemporaryDirectory() as scratch:
        root = make_environment(Path(scratch)) if root is None else root
        modules = natives(root)
        ours, theirs = paired(doctor_in_process(root), by_peer(modules), runs=runs)
        rows = [
            Ratio(
                work=f"doctor, whole, a module (of {len(modules)})",
                ours=ours / len(modules),
                peer="pyelftools, facts alone",
                theirs=theirs / len(modules),
                at_least=10,
            )
        ]
        grow(root, MANY)
        count = len(natives(root))
        for work, words in (
            (f"buildtools doctor over {count} modules", (root,)),
            (f"buildtools doctor --target render over {count}", (root, "--target", "render")),
        ):
            rows.append(Ratio(work=work, ours=seconds(command(*words), runs), at_most=1.0))
        return rows


def main() -> int:
    """Print the table."""
    for row in measure():
        print("  ".join(row.cells()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
