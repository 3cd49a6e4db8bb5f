"""The build command's hook on an environment laid out as on Render, with a Mac's modules in it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

pytestmark = pytest.mark.network

CORPUS = Path(__file__).resolve().parents[1] / "corpus" / "binaries"
SCHEMA = Path(__file__).resolve().parents[2] / "buildtools" / "schemas" / "render.schema.json"
PYPROJECT = """\
[tool.buildtools]
drivers = ["pysqlite3", "apsw"]

[tool.buildtools.render]
name = "service"
start = "python app.py"
requirements = ["requirements.txt"]
"""


def macho() -> bytes:
    for path in sorted(CORPUS.iterdir()):
        if path.read_bytes()[:4] == b"\xcf\xfa\xed\xfe":
            return path.read_bytes()
    raise AssertionError(CORPUS)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """``src`` with its own ``.venv``, as ``/opt/render/project`` has it."""
    root = tmp_path / "project" / "src"
    root.mkdir(parents=True)
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "requirements.txt").write_text("iniconfig\nmsgspec\n")
    subprocess.run([sys.executable, "-m", "venv", root / ".venv"], check=True)
    return root


def build(project: Path, **variables: str) -> tuple[int, list[str], float]:
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "buildtools", "render", "build", "--python", project / ".venv"],
        cwd=project,
        env={
            **os.environ,
            "RENDER": "true",
            "XDG_CACHE_HOME": str(project / ".cache"),
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout.splitlines(), time.monotonic() - started


def build_as_json(project: Path) -> tuple[int, dict[str, Any]]:
    """The exit code and the one document, which is as its schema says."""
    done = subprocess.run(
        [sys.executable, "-m", "buildtools", "render", "build", "--json", "--python", ".venv"],
        cwd=project,
        env={**os.environ, "RENDER": "true", "XDG_CACHE_HOME": str(project / ".cache")},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    document: dict[str, Any] = json.loads(done.stdout)
    jsonschema.validate(document, json.loads(SCHEMA.read_text(encoding="utf-8")))
    return done.returncode, document


def python(project: Path, code: str) -> None:
    subprocess.run([project / ".venv" / "bin" / "python", "-c", code], check=True)


def test_a_macs_modules_are_replaced_and_a_second_build_changes_nothing(project: Path) -> None:
    site = next((project / ".venv" / "lib").glob("python*")) / "site-packages"
    code, lines, _ = build(project)
    assert code == 0, lines
    assert lines[0].startswith("Render, production; linux/")
    # A virtual environment that was committed on a Mac: a driver, another native distribution, and
    # a module that belongs to nothing.
    driver = next((site / "pysqlite3").glob("_sqlite3*.so"))
    other = next((site / "msgspec").glob("_core*.so"))
    for path in (driver, other, site / "stray.cpython-311-darwin.so", site / "loose.so"):
        path.write_bytes(macho())
    code, lines, _ = build(project)
    assert code == 0, lines
    assert not (site / "loose.so").exists()
    python(
        project, "import pysqlite3, msgspec; print(msgspec.json.encode(pysqlite3.sqlite_version))"
    )
    assert lines[-1].startswith("native-buildtools: render build ok")
    before = sorted((path, path.stat().st_mtime_ns) for path in site.rglob("*.so"))
    code, lines, seconds = build(project)
    assert code == 0, lines
    assert sorted((path, path.stat().st_mtime_ns) for path in site.rglob("*.so")) == before
    code, document = build_as_json(project)
    assert code == document["build"]["code"] == 0
    assert [step["outcome"] for step in document["build"]["steps"]] == ["kept", "kept"]
    assert document["build"]["log"][-1].startswith("native-buildtools: render build ok")
    print(f"a second build took {seconds:.1f} s")  # noqa: T201 - a figure worth keeping


def test_the_switches_are_honoured_and_a_bad_one_is_refused(project: Path) -> None:
    code, _, _ = build(project)
    assert code == 0
    code, lines, _ = build(project, NATIVE_FORCE_REBUILD="1")
    assert code == 0
    assert "NATIVE_FORCE_REBUILD is set" in lines
    assert any(line.startswith("apsw: fetch installed: forced") for line in lines), lines
    done = subprocess.run(
        [sys.executable, "-m", "buildtools", "render", "build", "--python", project / ".venv"],
        cwd=project,
        env={**os.environ, "NATIVE_FORCE_REBUILD": "maybe"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "NATIVE_FORCE_REBUILD is 'maybe'" in done.stderr
    last = done.stdout.splitlines()[-1]
    assert last == "native-buildtools: render build failed (2): NATIVE_FORCE_REBUILD is 'maybe'"


def test_requirements_that_cannot_be_had_fail_with_a_line_to_search_for(project: Path) -> None:
    (project / "requirements.txt").write_text("iniconfig==0.0.0.0\n")
    code, lines, _ = build(project)
    assert code == 4
    assert lines[-1].startswith("native-buildtools: render build failed (4)")
    code, document = build_as_json(project)
    assert (code, document["build"]["outcome"], document["build"]["code"]) == (4, "failed", 4)
