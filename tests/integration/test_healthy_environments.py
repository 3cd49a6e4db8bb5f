"""Environments that work have neither errors nor warnings, whatever is installed in them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interpreters import INTERPRETERS
from tests.planting import install, make_venv, run

PACKAGES = (
    "numpy", "scipy", "pandas", "pillow", "cryptography", "lxml", "grpcio", "psycopg2-binary",
    "opencv-python-headless", "debugpy", "pyzmq", "pyarrow", "mypy", "uvloop", "confluent-kafka",
    "apsw", "asyncmy", "mysql-connector-python", "pysqlite3",
)  # fmt: skip


def complaints(*words: str | Path) -> list[tuple[str, str, str]]:
    """Cause, path and evidence of every error and warning."""
    answer = subprocess.run(
        [sys.executable, "-m", "buildtools", "doctor", "--json", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode in {0, 1}, answer.stderr
    return [
        (one["cause"], one["path"], one["evidence"])
        for one in json.loads(answer.stdout)["findings"]
        if one["severity"] != "info"
    ]


@pytest.mark.parametrize("python", INTERPRETERS, ids=str)
def test_an_interpreter_as_it_stands_on_the_machine(python: Path) -> None:
    assert complaints("--python", python) == []


@pytest.mark.network
@pytest.mark.parametrize("python", INTERPRETERS, ids=str)
def test_drivers_of_another_python_are_judged_by_that_python(python: Path, tmp_path: Path) -> None:
    venv = make_venv(tmp_path)
    run([python, "-m", "venv", "--without-pip", "--clear", venv.root])
    for package in ("apsw", "asyncmy", "mysql-connector-python", "pysqlite3"):
        install(venv, package, "--only-binary=:all:")
    assert complaints(venv.root) == []
    assert complaints("--python", venv.python) == []


@pytest.mark.network
def test_many_big_packages(tmp_path: Path) -> None:
    venv = make_venv(tmp_path)
    for package in PACKAGES:
        install(venv, package, "--only-binary=:all:")
    assert complaints(venv.root) == []
    assert complaints("--python", venv.python) == []
