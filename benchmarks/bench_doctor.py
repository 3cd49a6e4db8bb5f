"""How fast ``doctor`` is: a module against pyelftools, a command over 1,000 modules, a target.

``python benchmarks/bench_doctor.py`` makes an environment of its own from wheels that bring more
than 250 native modules, and prints a table.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "asyncmy", "apsw", "msgspec", "hiredis")
MANY = 1000
"""Modules in the environment that the whole command is timed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row: what was measured, the figure, what it is to reach, and whether it does."""

    work: str
    measured: str
    wanted: str
    holds: bool


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


def pyelftools_facts(paths: list[Path]) -> None:
    """Needed libraries and version requirements of each file, through pyelftools."""
    from elftools.elf.dynamic import DynamicSection
    from elftools.elf.elffile import ELFFile
    from elftools.elf.gnuversions import GNUVerNeedSection

    for path in paths:
        with path.open("rb") as stream:
            for section in ELFFile(stream).iter_sections():
                if isinstance(section, DynamicSection):
                    _ = [tag.needed for tag in section.iter_tags("DT_NEEDED")]  # type: ignore[attr-defined]
                elif isinstance(section, GNUVerNeedSection):
                    _ = [
                        (need.name, [version.name for version in versions])
                        for need, versions in section.iter_versions()
                    ]


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
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def work() -> object:
        return subprocess.run(
            [sys.executable, "-m", "buildtools", "doctor", "--json", *words],
            check=False,
            stdout=subprocess.DEVNULL,
            env=environment,
        )

    return work


def measure(root: Path | None = None, *, times: int = 5) -> list[Figure]:
    """Every figure; ``root`` is a venv that may be changed, by default one is made."""
    with tempfile.TemporaryDirectory() as scratch:
        root = make_environment(Path(scratch)) if root is None else root
        modules = natives(root)
        theirs = seconds(lambda: pyelftools_facts(modules), max(1, times // 3)) / len(modules)
        ours = seconds(doctor_in_process(root), times) / len(modules)
        ratio = theirs / ours
        figures = [
            Figure(
                work=f"doctor, per module, over {len(modules)} modules, against pyelftools",
                measured=f"{ratio:.1f} times faster ({ours * 1e6:.0f} µs, {theirs * 1e6:.0f} µs)",
                wanted="10 times faster",
                holds=ratio >= 10,  # noqa: PLR2004 - the brief's figure
            )
        ]
        grow(root, MANY)
        count = len(natives(root))
        for work, words in (
            (f"buildtools doctor over {count} modules, Python's start included", (root,)),
            (f"the same for a foreign target ({count} modules)", (root, "--target", "render")),
        ):
            taken = seconds(command(*words), times)
            figures.append(
                Figure(work=work, measured=f"{taken:.2f} s", wanted="1 s", holds=taken <= 1)
            )
        return figures


def main() -> int:
    """Print the table; 1 when a figure does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="runs per figure (default: 5)")
    figures = measure(times=parser.parse_args().times)
    width = max(len(figure.work) for figure in figures)
    for figure in figures:
        verdict = "holds" if figure.holds else "does not hold"
        print(f"{figure.work:<{width}}  {figure.measured:<40}  {figure.wanted:<16} {verdict}")
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
