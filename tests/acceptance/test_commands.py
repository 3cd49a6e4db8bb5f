"""Each command as a user types it: exit codes, one JSON document, and what the schema promises."""

import json
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.acceptance.conftest import Installed

pytestmark = pytest.mark.network

SCHEMAS = Path(__file__).resolve().parents[2] / "buildtools" / "schemas"


def document(done: subprocess.CompletedProcess[str], command: str) -> dict[str, Any]:
    """The one JSON document on standard output, valid by its schema, ``schema`` first."""
    parsed: dict[str, Any] = json.loads(done.stdout)
    assert next(iter(parsed)) == "schema"
    assert parsed["schema"] == f"buildtools.{command}/1"
    schema = json.loads((SCHEMAS / f"{command}.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(parsed, schema)
    return parsed


def test_the_wheel_carries_recipes_schemas_and_data(project_wheel: Path) -> None:
    names = zipfile.ZipFile(project_wheel).namelist()
    for wanted in (
        "buildtools/_native/mysql/mysqlclient/recipe.yaml",
        "buildtools/_native/mysql/mysqlclient/probe.py",
        "buildtools/schemas/rebuild.schema.json",
        "buildtools/data/targets.toml",
        "buildtools/py.typed",
    ):
        assert wanted in names


def test_detect_outside_the_checkout(installed: Installed) -> None:
    done = installed.run("detect", "--json")
    assert done.returncode == 0
    assert document(done, "detect")["interpreter"]["executable"] == str(installed.python)


def test_a_healthy_environment_has_nothing_wrong(
    installed: Installed, environment: Callable[..., Path]
) -> None:
    python = environment("apsw", "PyMySQL")
    done = installed.run("doctor", "--json", "--strict", "--python", python)
    assert done.returncode == 0, done.stdout
    report = document(done, "doctor")
    assert report["findings"] == []
    assert report["scanned"]["modules"] >= 1
    assert {provider["import"] for provider in report["providers"]} >= {"apsw", "sqlite3"}


def test_a_module_of_another_machine_is_named_and_mended(
    installed: Installed, environment: Callable[..., Path]
) -> None:
    python = environment("apsw")
    module = next(python.parents[1].rglob("apsw/__init__*.so"))
    macho = Path(__file__).resolve().parents[1] / "corpus" / "binaries"
    foreign = next(path for path in macho.iterdir() if path.read_bytes()[:4] == b"\xcf\xfa\xed\xfe")
    module.write_bytes(foreign.read_bytes())
    done = installed.run("doctor", "--json", "--python", python)
    assert done.returncode == 1
    assert "foreign-format" in {found["cause"] for found in document(done, "doctor")["findings"]}
    mended = installed.run("rebuild", "apsw", "--json", "--python", python)
    assert mended.returncode == 0, mended.stderr
    report = document(mended, "rebuild")
    assert report["drivers"][0]["status"] == "ok"
    assert installed.run("doctor", "--strict", "--python", python).returncode == 0


def test_an_empty_environment_gets_its_driver_and_is_then_left_alone(
    installed: Installed, environment: Callable[..., Path]
) -> None:
    python = environment()
    planned = document(installed.run("plan", "pysqlite3", "--json", "--python", python), "plan")
    assert planned["steps"][0]["action"] in {"fetch", "build"}
    first = installed.run("rebuild", "pysqlite3", "--json", "--python", python)
    assert first.returncode == 0, first.stderr
    again = document(installed.run("rebuild", "pysqlite3", "--json", "--python", python), "rebuild")
    assert [step["action"] for step in again["steps"]] == ["keep"]
    verified = installed.run("verify", "pysqlite3", "sqlite3", "--json", "--python", python)
    assert verified.returncode == 0
    statuses = {d["driver"]: d["status"] for d in document(verified, "verify")["drivers"]}
    assert statuses == {"pysqlite3": "ok", "sqlite3": "ok"}


def test_a_driver_that_is_not_there_fails_its_verification(
    installed: Installed, environment: Callable[..., Path]
) -> None:
    done = installed.run("verify", "apsw", "--json", "--python", environment())
    assert done.returncode == 1
    assert document(done, "verify")["drivers"][0]["status"] == "absent"


def test_usage_errors_and_unreadable_things_have_their_codes(installed: Installed) -> None:
    assert installed.run("detect", "--target", "linux/x87").returncode == 2
    assert installed.run("no-such-command").returncode == 2
    assert installed.run("detect", "--python", "/no/such").returncode == 3
    assert installed.run("doctor", "/no/such/folder").returncode == 3
    assert installed.run("rebuild", "../evil").returncode == 2


def test_offline_with_an_empty_wheelhouse_says_which_wheel_is_missing(
    installed: Installed, environment: Callable[..., Path], tmp_path: Path
) -> None:
    python = environment()
    done = installed.run(
        "rebuild", "apsw", "--offline", "--wheelhouse", tmp_path / "empty", "--python", python
    )
    assert done.returncode == 4
    assert "apsw" in done.stderr + done.stdout


def test_a_text_is_explained(installed: Installed, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        "ImportError: libmariadb.so.3: cannot open shared object file: No such file or directory\n"
    )
    done = installed.run("explain", log, "--json")
    assert done.returncode == 0
    assert document(done, "explain")["cause"] == "missing-library"
