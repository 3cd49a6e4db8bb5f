"""The built wheel in an empty environment, outside the checkout, as a user has it."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The installed command and a folder to stand in."""

    python: Path
    home: Path

    def run(
        self, *words: str | Path, cwd: Path | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run ``buildtools`` with these words; the exit code is the caller's to judge."""
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        command: Sequence[str | Path] = [self.python.with_name("buildtools"), *words]
        return subprocess.run(
            command,
            cwd=cwd or self.home,
            env={**environment, **variables},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )


def make_venv(folder: Path, *pip: str) -> Path:
    """A virtual environment without pip; ``pip`` names what is installed into it from outside."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    if pip:
        words = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", *pip]
        subprocess.run(words, check=True)
    return python


@pytest.fixture(scope="session")
def installed(project_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in an environment of its own, with its dependencies from the index."""
    folder = tmp_path_factory.mktemp("installed")
    return Installed(python=make_venv(folder / "venv", str(project_wheel)), home=folder)


@pytest.fixture
def environment(tmp_path: Path) -> Callable[..., Path]:
    """Makes virtual environments to mend."""
    return lambda *pip: make_venv(tmp_path / "venv", *pip)
