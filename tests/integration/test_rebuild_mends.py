"""``rebuild`` mends every planted fault, and says what it did."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.planting import FAULTS, Fault, Venv, install

pytestmark = pytest.mark.network

Kind = tuple[str, str]


def kind(fault: Fault) -> Kind:
    return fault.requirement, fault.make.__name__


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, Venv]:
    """One whole environment for each kind that the faults start from."""
    made: dict[Kind, Venv] = {}
    for fault in FAULTS:
        if kind(fault) not in made:
            venv = fault.make(tmp_path_factory.mktemp(fault.driver))
            install(venv, fault.requirement, *fault.flags)
            made[kind(fault)] = venv
    return made


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One wheelhouse and cache for all: the wheels are fetched once."""
    return tmp_path_factory.mktemp("cache")


def rebuild(
    venv: Venv, driver: str, cache: Path, variables: Mapping[str, str]
) -> tuple[int, dict[str, list[dict[str, object]]]]:
    words = [sys.executable, "-m", "buildtools", "rebuild", driver, "--json"]
    done = subprocess.run(
        [*words, "--python", str(venv.python)],
        cwd=venv.outside,
        env={**os.environ, "XDG_CACHE_HOME": str(cache), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_mended(
    fault: Fault, healthy: dict[Kind, Venv], cache: Path, tmp_path: Path
) -> None:
    shutil.copytree(healthy[kind(fault)].root, tmp_path / "venv", symlinks=True)
    (tmp_path / "outside").mkdir()
    venv = Venv(root=tmp_path / "venv", outside=tmp_path / "outside")
    variables = fault.plant(venv)
    code, document = rebuild(venv, fault.driver, cache, variables)
    (verdict,) = document["drivers"]
    (step,) = document["steps"]
    if "PYTHONPATH" in variables:
        # The environment's own copy is whole; what stands before it is the user's to take away.
        assert code == 1
        assert "PYTHONPATH" in str(step["notes"])
        return
    assert (code, verdict["status"]) == (0, "ok"), document
    assert str(verdict["path"]).startswith(str(venv.site.resolve()))
    if "PYTHONUSERBASE" in variables:
        assert "kept in" in str(step["notes"])
    else:
        assert step["outcome"] == "installed"
    code, document = rebuild(venv, fault.driver, cache, variables)
    assert code == 0
    assert [one["outcome"] for one in document["steps"]] == ["kept"]
