"""The commands as a user has them: from the built wheel, in a fresh venv, outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The venv's commands."""

    folder: Path

    @property
    def command(self) -> str:
        """`database-consumer`."""
        return str(self.folder / "bin" / "database-consumer")

    @property
    def python(self) -> str:
        """Its interpreter."""
        return str(self.folder / "bin" / "python")

    def run(
        self,
        *words: str,
        folder: Path,
        stdin: bytes | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Runs the command with an environment of its own."""
        return subprocess.run(
            (self.command, *words),
            cwd=folder,
            env=environment(settings or {}),
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )

    def start(
        self, *words: str, folder: Path, settings: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Starts the command."""
        return subprocess.Popen(
            (self.command, *words),
            cwd=folder,
            env=environment(settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | dict(settings)


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    python = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    subprocess.run(
        (*python, "wheel", "-q", "--no-deps", "-w", str(folder / "dist"), str(ROOT)),
        check=True,
        timeout=300,
    )
    wheel = next((folder / "dist").glob("database_consumer-*-py3-none-any.whl"))
    venv.create(folder / "venv", with_pip=True)
    subprocess.run(
        (str(folder / "venv" / "bin" / "python"), "-m", "pip", "install", "-q", str(wheel)),
        check=True,
        timeout=600,
    )
    return Installed(folder=folder / "venv")
