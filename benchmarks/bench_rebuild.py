"""``rebuild`` against pip: with nothing to do, and installing a driver from the wheelhouse."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.ratios import Ratio, as_installed, command, paired

DRIVER = "pysqlite3"
VERSIONS = ("0.6.0", "0.6.1")


def measure() -> list[Ratio]:
    """Both rows, over an environment made for it."""
    with tempfile.TemporaryDirectory() as scratch:
        return _measure(Path(scratch).resolve())


def _measure(folder: Path) -> list[Ratio]:
    root = folder / "venv"
    venv.create(root, with_pip=True, symlinks=True)
    python = root / "bin" / "python"
    wheels = folder / "wheels"
    for version in VERSIONS:
        _run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", wheels,
             "--only-binary=:all:", f"{DRIVER}=={version}"]
        )  # fmt: skip
    house = _wheelhouse(folder / "house", wheels)
    rebuild: list[str | Path] = [
        sys.executable, "-m", "buildtools", "rebuild", "--offline", "--quiet",
        "--python", python, "--wheelhouse", house,
    ]  # fmt: skip
    _run([*rebuild, DRIVER], folder)
    return [
        _nothing_due([*rebuild, DRIVER], python, folder),
        _installing([*rebuild, "--force"], python, wheels, folder),
    ]


def _nothing_due(rebuild: Sequence[str | Path], python: Path, folder: Path) -> Ratio:
    ours, theirs = paired(
        command(rebuild, cwd=folder), command([python, "-m", "pip", "check"], cwd=folder), runs=11
    )
    return Ratio(
        work="rebuild with nothing to do",
        ours=ours,
        peer="pip check in the same environment",
        theirs=theirs,
        at_most=1.0,
    )


def _installing(rebuild: Sequence[str | Path], python: Path, wheels: Path, folder: Path) -> Ratio:
    """Two versions in turn, so that each run of either replaces another version."""
    pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps",
           "--disable-pip-version-check", "--find-links", wheels]  # fmt: skip
    ours, theirs = paired(
        _in_turn(lambda version: _run([*rebuild, f"{DRIVER}=={version}"], folder)),
        _in_turn(lambda version: _run([*pip, f"{DRIVER}=={version}"], folder)),
        runs=8,
    )
    return Ratio(
        work="a driver installed from the wheelhouse, verified",
        ours=ours,
        peer="pip install --no-index of the same wheel",
        theirs=theirs,
        at_most=1.5,
    )


def _in_turn(install: Callable[[str], None]) -> Callable[[], object]:
    turn = 0

    def work() -> None:
        nonlocal turn
        turn += 1
        install(VERSIONS[turn % 2])

    return work


def _wheelhouse(house: Path, wheels: Path) -> Path:
    from buildtools.wheelhouse import Provenance, Wheelhouse

    for wheel in sorted(wheels.glob("*.whl")):
        Wheelhouse(house).add(
            wheel, Provenance(driver=DRIVER, target="", python="", backend="index", source="index")
        )
    return house


def _run(words: Sequence[str | Path], cwd: Path | None = None) -> None:
    done = subprocess.run(
        words, cwd=cwd, env=as_installed(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{words}\n{done.stdout}\n{done.stderr}")
