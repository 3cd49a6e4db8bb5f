"""The wheelhouse's index is taken as it stands by pip, uv and pip-tools."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from buildtools.wheelhouse import Provenance, Wheelhouse
from tests.integration.foreign_python import foreign_python
from tests.interpreters import INTERPRETERS
from tests.planting import Venv, make_venv, run

pytestmark = pytest.mark.network

VERSIONS = ("3.4.0", "3.5.0")
LINUX = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
PLACES = [
    *((f"{minor}", "x86_64") for minor in ("3.11", "3.12", "3.13")),
    ("3.11", "aarch64"),
]
"""The Pythons and processors whose wheels lie side by side: each must take its own."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Wheelhouse:
    folder = tmp_path_factory.mktemp("wheels")
    for version in VERSIONS:
        for python, arch in PLACES:
            platforms = [word for tag in LINUX for word in ("--platform", f"{tag}_{arch}")]
            run(
                [
                    sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest",
                    folder, "--only-binary=:all:", "--python-version", python, *platforms,
                    f"hiredis=={version}",
                ]
            )  # fmt: skip
    store = Wheelhouse(tmp_path_factory.mktemp("a house") / "wheels & more")
    provenance = Provenance(driver="hiredis", target="", python="", backend="index", source="index")
    for wheel in folder.glob("*.whl"):
        store.add(wheel, provenance)
    assert len(store.wheels()) == len(VERSIONS) * len(PLACES)
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
    tag = f"cp3{sys.version_info.minor}"
    own = [one for one in house.wheels() if f"-{tag}-{tag}-manylinux" in one.path.name]
    stored = {one.version: one for one in own if "x86_64" in one.path.name}
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
    newest = [one for one in house.wheels() if one.version == "3.5.0"]
    assert "hiredis==3.5.0" in locked.read_text()
    for one in newest:
        assert f"sha256:{one.sha256}" in locked.read_text()
        assert hashlib.sha256(one.path.read_bytes()).hexdigest() == one.sha256


TELL = "import hiredis.hiredis as h, hiredis; print(hiredis.__version__, h.__file__)"


@pytest.mark.parametrize("python", INTERPRETERS, ids=lambda path: path.parents[1].name)
@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_each_python_of_the_machine_takes_its_own_wheel(
    installer: str, python: Path, house: Wheelhouse, tmp_path: Path
) -> None:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    version = alone([python, "-c", code], house).strip()
    if (version, "x86_64") not in PLACES:
        pytest.skip(f"no wheel of hiredis {VERSIONS[0]} for Python {version} was laid in")
    words: list[str | Path] = [Path(sys.executable).with_name("uv"), "pip"]
    if installer == "pip":
        words = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    into: list[str | Path] = ["install", "--index-url", url(house), "hiredis"]
    run([python, "-m", "venv", "--without-pip", tmp_path / "venv"])
    there = tmp_path / "venv/bin/python"
    words += [*into, "--python", there] if installer == "uv" else ["--python", there, *into]
    alone(words, house)
    said = alone([there, "-c", TELL], house).split()
    assert said[0] == "3.5.0"
    assert f".cpython-{version.replace('.', '')}-x86_64-linux-gnu.so" in said[1]


def test_an_aarch64_tree_takes_its_own_wheel_under_emulation(
    house: Wheelhouse, tmp_path: Path
) -> None:
    """pip itself runs emulated there, and so knows of no tags but that machine's."""
    foreign = foreign_python(tmp_path / "there", tmp_path / "cache")
    pips = tmp_path / "pip"
    run([sys.executable, "-m", "pip", "install", "--quiet", "--target", pips, "--no-deps", "pip"])
    into = tmp_path / "site"
    words = [
        "-m",
        "pip",
        "install",
        "--no-cache-dir",
        "--disable-pip-version-check",
        "--no-compile",
    ]
    done = foreign.run([*words, "--index-url", url(house), "--target", str(into), "hiredis"], pips)
    assert done.returncode == 0, done.stdout + done.stderr
    said = foreign.run(["-c", TELL], into)
    assert said.stdout.split()[0] == "3.5.0", said.stderr
    assert ".cpython-311-aarch64-linux-gnu.so" in said.stdout
