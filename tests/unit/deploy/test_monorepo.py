"""Repositories with several services: each folder judged alone, for its own Python and files."""

import json
import shutil
from pathlib import Path

import pytest

from buildtools.cli import run_command_line
from buildtools.deploy.service_roots import PythonService, VersionText, python_services

CORPUS = Path(__file__).resolve().parents[2] / "corpus" / "binaries"
MODULE = CORPUS / "elf-x86_64-glibc2.17.so"
BLUEPRINT = """\
services:
  - type: web
    name: shop
    runtime: python
    rootDir: /services/shop/
    buildCommand: python -m pip install -U pip && pip install -r requirements/prod.txt
    envVars:
      - key: PYTHON_VERSION
        value: "3.13.4"
  - type: worker
    name: mailer
    env: python
    rootDir: ./services/mailer
    buildCommand: cd .. && pip install -r elsewhere.txt
    envVars:
      - fromGroup: pythons
  - type: web
    name: front
    runtime: node
    rootDir: front
  - type: web
    name: image
    runtime: docker
    envVars:
      - {key: PYTHON_VERSION, value: 3.9.1}
projects:
  - name: more
    environments:
      - name: production
        services:
          - {type: pserv, name: own, runtime: python, envVars: [{key: PYTHON_VERSION, sync: false}]}
envVarGroups:
  - name: pythons
    envVars:
      - key: PYTHON_VERSION
        value: 3.12.7
"""
SHOP, MAILER = "services/shop", "services/mailer"


def put(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def module(folder: Path, python: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(MODULE, folder / f"m.cpython-{python}-x86_64-linux-gnu.so")


def told(
    root: Path, capsys: pytest.CaptureFixture[str], target: str = "render"
) -> set[tuple[str, str, str]]:
    """Cause, severity and path (below the root) of what ``doctor`` finds, without its notes."""
    run_command_line(["doctor", str(root), "--target", target, "--json"])
    findings = json.loads(capsys.readouterr().out)["findings"]
    return {
        (one["cause"], one["severity"], one["path"].removeprefix(f"{root}/"))
        for one in findings
        if one["severity"] != "info"
    }


def test_the_services_of_a_blueprint_are_read_wherever_they_stand() -> None:
    assert python_services(BLUEPRINT) == (
        PythonService(
            name="shop",
            folder=SHOP,
            python=VersionText(text="3.13.4"),
            requirements=("requirements/prod.txt",),
        ),
        PythonService(name="mailer", folder=MAILER, python=VersionText(text="3.12.7")),
        PythonService(name="own"),
    )
    assert python_services("services: [") == ()


def test_each_service_is_judged_in_its_folder_for_its_own_python(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / "render.yaml", BLUEPRINT)
    put(tmp_path / ".python-version", "3.14.1\n")
    module(tmp_path, 314)
    for folder in (SHOP, MAILER):
        module(tmp_path / folder, 313)  # the mailer's Python is another
    module(tmp_path / "front", 313)
    put(tmp_path / SHOP / "requirements" / "prod.txt", "-r ../base.txt\n")
    assert told(tmp_path, capsys) == {
        ("abi-mismatch", "error", f"{MAILER}: m.cpython-313-x86_64-linux-gnu.so"),
        # What has no folder of its own has the whole repository but the others' folders.
        ("abi-mismatch", "error", f"{tmp_path}: front/m.cpython-313-x86_64-linux-gnu.so"),
        ("no-matching-distribution", "error", f"{SHOP}: requirements/prod.txt:1"),
    }


def test_the_place_of_a_version_is_shown_from_the_services_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / SHOP / ".python-version", "3.11.4\n")
    put(tmp_path / MAILER / "app.py")
    put(tmp_path / "render.yaml", BLUEPRINT.replace("3.12.7", "3.10"))
    assert told(tmp_path, capsys) == {
        ("abi-mismatch", "warning", f"{SHOP}: .python-version"),
        ("abi-mismatch", "error", f"{MAILER}: ../../render.yaml"),
    }


def test_services_in_one_folder_with_two_pythons_are_judged_for_both(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = BLUEPRINT.replace("rootDir: /services/shop/", "plan: starter")
    put(tmp_path / "render.yaml", both.replace("rootDir: ./services/mailer", "plan: starter"))
    put(tmp_path / "requirements" / "prod.txt", "idna\n")
    module(tmp_path, 312)
    path = f"{tmp_path}: m.cpython-312-x86_64-linux-gnu.so"
    assert told(tmp_path, capsys) == {("abi-mismatch", "error", path)}
    run_command_line(["doctor", str(tmp_path), "--target", "render"])
    said = capsys.readouterr().out.splitlines()
    lines = [line for line in said if line.startswith(f"{tmp_path}:")]
    assert [line.partition(" for ")[2].partition(",")[0] for line in lines] == [
        "linux/x86_64/glibc2.31/cp313: 1 errors",
        "linux/x86_64/glibc2.31/cp312: everything would load",
        "linux/x86_64/glibc2.31/cp314: 1 errors",
    ]


def test_another_target_takes_the_tree_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / "render.yaml", BLUEPRINT)
    module(tmp_path / SHOP, 312)
    assert told(tmp_path, capsys, "lambda/cp312") == set()
    assert told(tmp_path, capsys, "lambda/cp313") == {
        ("abi-mismatch", "error", f"{SHOP}/m.cpython-312-x86_64-linux-gnu.so")
    }
