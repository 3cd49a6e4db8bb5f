#!/usr/bin/env python3
"""Run nox from a checkout on a machine that has Python and pip, or only Python's own venv.

    python3 scripts/run_nox.py -s rebuild-native
    python3 scripts/run_nox.py -s tests

nox goes into ``.boot/`` beside this script's project and nowhere else. Where Python can make a
virtual environment, that is used; on a Debian without ``python3-venv``, or where the Python is
externally managed, pip puts nox into a folder of its own, which needs neither.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
BOOT = ROOT / ".boot" / f"{sys.implementation.cache_tag}"
NEEDED = ("nox>=2025.2", "virtualenv>=20.26")


def main() -> int:
    """Make nox available, then become it."""
    if sys.version_info < OLDEST:
        sys.stderr.write(
            f"This is Python {sys.version.split()[0]}; native-buildtools needs 3.11 or newer.\n"
            "Run the same command with a newer one, for example python3.12.\n"
        )
        return 2
    command, environment = _nox()
    words = [*command, "--noxfile", str(ROOT / "noxfile.py"), *sys.argv[1:]]
    return subprocess.run(words, env=environment, check=False).returncode


def _nox() -> tuple[list[str], dict[str, str]]:
    """The words that start nox and the environment to start it in; installs it when missing."""
    python = BOOT / "venv" / "bin" / "python"
    folder = BOOT / "site"
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if not (BOOT / "done").exists():
        shutil.rmtree(BOOT, ignore_errors=True)
        if not (_venv(python, environment) or _folder(folder, environment)):
            sys.stderr.write(
                "nox could not be installed: neither a virtual environment nor pip worked (see"
                " above).\nOn Debian or Ubuntu `apt install python3-venv` or `python3-pip` gives"
                " one of them.\n"
            )
            raise SystemExit(3)
        (BOOT / "done").touch()
    if python.exists():
        return [str(python), "-m", "nox"], environment
    return [sys.executable, "-m", "nox"], {**environment, "PYTHONPATH": str(folder)}


def _venv(python: Path, environment: dict[str, str]) -> bool:
    made = _quietly([sys.executable, "-m", "venv", str(python.parent.parent)], environment)
    if made and _quietly([str(python), "-m", "pip", "install", *NEEDED], environment):
        return True
    shutil.rmtree(python.parent.parent, ignore_errors=True)
    return False


def _folder(folder: Path, environment: dict[str, str]) -> bool:
    words = [sys.executable, "-m", "pip", "install", "--target", str(folder), *NEEDED]
    return _quietly(words, environment)


def _quietly(words: list[str], environment: dict[str, str]) -> bool:
    """Run a step; what it said is shown only when it failed."""
    step = subprocess.run(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if step.returncode != 0:
        sys.stderr.write(f"$ {' '.join(words)}\n{step.stdout.decode(errors='replace')}\n")
    return step.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
