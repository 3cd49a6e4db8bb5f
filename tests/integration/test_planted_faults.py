"""Every planted fault is named by ``doctor``, in a real venv, and nothing is imported for it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from buildtools.findings import Cause
from tests.planting import FAULTS, PYTHON_PATH_COPY, Fault, Venv, install, make_venv, plant_marker

pytestmark = pytest.mark.network


Kind = tuple[str, str]


def kind(fault: Fault) -> Kind:
    """Faults of one kind start from copies of the same environment."""
    return fault.requirement, fault.make.__name__


def doctor(
    venv: Venv, *words: str, **variables: str
) -> tuple[int, dict[str, list[Mapping[str, object]]]]:
    """The exit code and the document of ``buildtools doctor`` over a venv."""
    answer = subprocess.run(
        [
            sys.executable,
            "-m",
            "buildtools",
            "doctor",
            "--json",
            "--python",
            str(venv.python),
            *words,
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )
    assert answer.returncode in {0, 1}, answer.stderr
    return answer.returncode, json.loads(answer.stdout)


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


@pytest.fixture
def venv(request: pytest.FixtureRequest, healthy: dict[Kind, Venv], tmp_path: Path) -> Venv:
    """A copy of the healthy environment, to be broken."""
    fault: Fault = request.param
    shutil.copytree(healthy[kind(fault)].root, tmp_path / "venv", symlinks=True)
    (tmp_path / "outside").mkdir()
    return Venv(root=tmp_path / "venv", outside=tmp_path / "outside")


def test_a_healthy_environment_has_nothing_to_say(healthy: dict[Kind, Venv]) -> None:
    for venv in healthy.values():
        code, document = doctor(venv, "--strict")
        assert code == 0
        assert [one for one in document["findings"] if one["severity"] != "info"] == []


@pytest.mark.parametrize(
    ("venv", "fault"), [(fault, fault) for fault in FAULTS], indirect=["venv"], ids=lambda f: f.name
)
def test_a_planted_fault_is_named_and_nothing_is_imported(
    venv: Venv, fault: Fault, tmp_path: Path
) -> None:
    variables = dict(fault.plant(venv))
    marker = tmp_path / "imported"
    variables |= plant_marker(venv, marker)
    code, document = doctor(venv, "--strict", **variables)
    told = [one for one in document["findings"] if one["severity"] != "info"]
    causes = {Cause(str(one["cause"])) for one in told}
    assert fault.cause in causes
    assert causes <= {fault.cause, *fault.also}
    assert code == 1
    assert not marker.exists(), f"imported: {marker.read_text()}"
    named = next(one for one in told if one["cause"] == fault.cause)
    assert named["command"] == f"buildtools rebuild {fault.driver} --python {venv.python}"
    assert named["evidence"]
    assert named["remedy"]


def test_the_copy_that_hides_is_the_provider_and_the_good_one_is_hidden(
    healthy: dict[Kind, Venv], tmp_path: Path
) -> None:
    fault = next(one for one in FAULTS if one.name == "user-site-copy")
    shutil.copytree(healthy[kind(fault)].root, tmp_path / "venv", symlinks=True)
    (tmp_path / "outside").mkdir()
    venv = Venv(root=tmp_path / "venv", outside=tmp_path / "outside")
    variables = fault.plant(venv)
    _, document = doctor(venv, **variables)
    provider = next(one for one in document["providers"] if one["import"] == "pysqlite3")
    assert str(provider["path"]).startswith(str(venv.outside))
    assert provider["hidden"] == [f"lib/python{venv.version}/site-packages/pysqlite3/__init__.py"]


def test_a_copy_in_pythonpath_is_named_with_the_folder_to_take_out(
    healthy: dict[Kind, Venv], tmp_path: Path
) -> None:
    shutil.copytree(healthy[kind(PYTHON_PATH_COPY)].root, tmp_path / "venv", symlinks=True)
    (tmp_path / "outside").mkdir()
    venv = Venv(root=tmp_path / "venv", outside=tmp_path / "outside")
    code, document = doctor(venv, **PYTHON_PATH_COPY.plant(venv))
    finding = next(one for one in document["findings"] if one["cause"] == "shadowed")
    assert code == 1
    assert finding["severity"] == "error"
    assert finding["command"] == ""
    assert f"{venv.outside}/path out of PYTHONPATH" in str(finding["remedy"])


def test_what_is_taken_from_a_real_mysqlclient_is_named(tmp_path: Path) -> None:
    """Its login plugin removed, then its libmariadb: built here, since no wheel is published."""
    venv = make_venv(tmp_path)
    made = subprocess.run(
        [sys.executable, "-m", "buildtools", "rebuild", "mysqlclient", "--python", venv.python],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert doctor(venv, "--strict")[0] == 0
    (plugin,) = venv.site.glob("**/caching_sha2_password.so")
    content = plugin.read_bytes()
    plugin.unlink()
    _, document = doctor(venv)
    assert {one["cause"] for one in document["findings"]} == {
        "auth-plugin-missing", "record-mismatch",
    }  # fmt: skip
    plugin.write_bytes(content)
    (library,) = venv.site.glob("*.libs/libmariadb*.so*")
    library.unlink()
    code, document = doctor(venv)
    assert code == 1
    missing = next(one for one in document["findings"] if one["cause"] == "missing-library")
    assert missing["severity"] == "error"
    assert library.name in str(missing["evidence"])


def test_an_import_would_have_been_seen(healthy: dict[Kind, Venv], tmp_path: Path) -> None:
    """The marker works: importing the driver does write it."""
    shutil.copytree(healthy[kind(FAULTS[0])].root, tmp_path / "venv", symlinks=True)
    venv = Venv(root=tmp_path / "venv", outside=tmp_path)
    marker = tmp_path / "imported"
    variables = plant_marker(venv, marker)
    subprocess.run(
        [venv.python, "-c", "import pysqlite3"], check=True, env={**os.environ, **variables}
    )
    assert marker.read_text() == "pysqlite3"
