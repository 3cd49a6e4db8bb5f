"""The wheelhouse's index is taken as it stands by pip, uv and pip-tools."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from buildtools.wheelhouse import Provenance, Wheelhouse
from tests.planting import Venv, make_venv, run

pytestmark = pytest.mark.network

VERSIONS = ("3.4.0", "3.5.0")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Wheelhouse:
    folder = tmp_path_factory.mktemp("wheels")
    for version in VERSIONS:
        run(
            [
                sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder,
                "--only-binary=:all:", f"hiredis=={version}",
            ]
        )  # fmt: skip
    store = Wheelhouse(tmp_path_factory.mktemp("a house") / "wheels & more")
    provenance = Provenance(driver="hiredis", target="", python="", backend="index", source="index")
    for wheel in folder.glob("*.whl"):
        store.add(wheel, provenance)
    store.index()
    return store


@pytest.fixture
def venv(tmp_path: Path) -> Venv:
    return make_venv(tmp_path)


def url(house: Wheelhouse) -> str:
    return (house.root / "simple").as_uri()


def alone(words: list[str | Path], house: Wheelhouse) -> str:
    """Run with the wheelhouse as the only index; no other configuration counts."""
    kept = {"PATH": os.environ["PATH"], "HOME": str(house.root.parent)}
    none = {"PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1", "PIP_NO_CACHE_DIR": "1"}
    done = subprocess.run(
        words, env={**kept, **none}, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_pip_installs_from_it_by_hash_and_reads_the_metadata_alone(
    house: Wheelhouse, venv: Venv, tmp_path: Path
) -> None:
    stored = {one.version: one for one in house.wheels()}
    locked = tmp_path / "locked.txt"
    locked.write_text(f"hiredis==3.4.0 --hash=sha256:{stored['3.4.0'].sha256}\n")
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", venv.python]
    said = alone([*pip, "install", "--dry-run", "--index-url", url(house), "hiredis"], house)
    assert ".whl.metadata" in said
    alone([*pip, "install", "--index-url", url(house), "-r", locked], house)
    assert "3.4.0" in alone([venv.python, "-c", "import hiredis;print(hiredis.__version__)"], house)


def test_uv_installs_from_it(house: Wheelhouse, venv: Venv) -> None:
    uv = Path(sys.executable).with_name("uv")
    alone(
        [uv, "pip", "install", "--python", venv.python, "--index-url", url(house), "hiredis<3.5"],
        house,
    )
    assert "3.4.0" in alone([venv.python, "-c", "import hiredis;print(hiredis.__version__)"], house)


def test_pip_tools_locks_against_it(house: Wheelhouse, venv: Venv, tmp_path: Path) -> None:
    run([sys.executable, "-m", "pip", "--python", venv.python, "install", "--quiet", "pip-tools"])
    (tmp_path / "requirements.in").write_text("hiredis\n")
    locked = tmp_path / "requirements.txt"
    alone(
        [
            venv.root / "bin" / "pip-compile", "--quiet", "--generate-hashes", "--index-url",
            url(house), "--output-file", locked, tmp_path / "requirements.in",
        ],
        house,
    )  # fmt: skip
    newest = next(one for one in house.wheels() if one.version == "3.5.0")
    assert "hiredis==3.5.0" in locked.read_text()
    assert f"sha256:{newest.sha256}" in locked.read_text()
    assert hashlib.sha256(newest.path.read_bytes()).hexdigest() == newest.sha256
