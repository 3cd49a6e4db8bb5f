"""How fast the pre-flight and the build command are: a checkout of 300 modules, a second build.

``python -m benchmarks.bench_deploy`` makes the checkout from the small binaries of the tests, half
of them a Mac's in a committed virtual environment, half of them packages of the target, with an
index of git that has all of them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.bench_doctor import seconds
from benchmarks.ratios import Ratio, as_installed
from buildtools import __version__
from buildtools.deploy.service import build_command

CORPUS = Path(__file__).resolve().parents[1] / "tests" / "corpus" / "binaries"
MODULES = 300
SUFFIX = ".cpython-314-x86_64-linux-gnu.so"


def make_checkout(root: Path, modules: int = MODULES) -> Path:
    """A repository with that many native modules; the folder is given back."""
    for number in range(modules):
        of_mac = number % 2 == 0
        site = ".venv/lib/python3.14/site-packages" if of_mac else "vendor"
        folder = root / site / f"package{number // 10}"
        folder.mkdir(parents=True, exist_ok=True)
        name = "macho-arm64-macos11.so" if of_mac else "elf-x86_64-glibc2.17.so"
        shutil.copy(CORPUS / name, folder / f"m{number}{SUFFIX}")
    (root / ".venv" / "pyvenv.cfg").write_text("home = /opt/homebrew/bin\nversion = 3.14.0\n")
    (root / ".python-version").write_text("3.14.0\n")
    (root / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n')
    for words in (["init", "--quiet"], ["add", "."]):
        subprocess.run(["git", "-C", root, *words], check=True)  # noqa: S607
    return root


def second_build(folder: Path, *, runs: int = 3) -> Ratio:
    """The default build command over an environment in which nothing is due."""
    wheels, root = folder / "wheels", folder / "service"
    root.mkdir()
    checkout = str(Path(__file__).resolve().parents[1])
    pip = [sys.executable, "-m", "pip"]
    words = [*pip, "wheel", "--quiet", "--no-deps", "-w", str(wheels), checkout]
    subprocess.run(words, check=True)
    (root / "pyproject.toml").write_text(
        '[tool.buildtools]\ndrivers = ["apsw"]\n[tool.buildtools.render]\n'
        'name = "service"\nstart = "run"\nrequirements = ["requirements.txt"]\n'
    )
    (root / "requirements.txt").write_text("iniconfig\n")
    subprocess.run([sys.executable, "-m", "venv", root / ".venv"], check=True)
    links = " ".join([*os.environ.get("PIP_FIND_LINKS", "").split(), str(wheels)])
    environment = {
        **as_installed(),
        "PATH": f"{root / '.venv' / 'bin'}:{os.environ['PATH']}",
        "PIP_FIND_LINKS": links,
        "RENDER": "true",
    }

    def build() -> object:
        return subprocess.run(
            ["/bin/sh", "-c", build_command(__version__)],
            cwd=root,
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    build()
    return Ratio(work="the build command a second time", ours=seconds(build, runs), at_most=5.0)


def measure(*, runs: int = 5) -> list[Ratio]:
    """The whole commands as they are started."""
    environment = as_installed()
    with tempfile.TemporaryDirectory() as scratch:
        root = make_checkout(Path(scratch) / "shop")
        words = [sys.executable, "-m", "buildtools", "doctor", ".", "--target", "render", "--json"]

        def ours() -> object:
            return subprocess.run(
                words, cwd=root, env=environment, check=False, stdout=subprocess.DEVNULL
            )

        work = f"doctor . --target render, a checkout of {MODULES} modules"
        return [
            Ratio(work=work, ours=seconds(ours, runs), at_most=1.0),
            second_build(Path(scratch)),
        ]


def main() -> int:
    """Print the table."""
    for row in measure():
        print("  ".join(row.cells()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
