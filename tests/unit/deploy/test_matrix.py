"""The architecture matrix: native runners, cibuildwheel's own identifiers, dead labels refused."""

import json
import re
from pathlib import Path

import pytest
import yaml

from buildtools.cli import run_command_line
from buildtools.deploy.matrix import (
    DEFAULT_PYTHONS,
    WORKFLOW,
    RunnerState,
    build_matrix,
    load_runners,
    runner_for,
    runner_job,
)
from buildtools.errors import ExitCode, UsageError
from buildtools.targets import GOOD, parse_python_tag, parse_target

PYTHONS = [parse_python_tag("cp311"), parse_python_tag("cp313t")]


def test_each_target_runs_on_its_own_kind_of_machine() -> None:
    specs = ["linux/x86_64", "linux/aarch64", "linux/aarch64/musl", "darwin/arm64", "darwin/x86_64"]
    entries = build_matrix([parse_target(spec, {}) for spec in specs], PYTHONS)
    assert [(e.runner, e.python, e.cibw_build) for e in entries] == [
        ("ubuntu-24.04", "3.11", "cp311-manylinux_x86_64"),
        ("ubuntu-24.04", "3.13t", "cp313t-manylinux_x86_64"),
        ("ubuntu-24.04-arm", "3.11", "cp311-manylinux_aarch64"),
        ("ubuntu-24.04-arm", "3.13t", "cp313t-manylinux_aarch64"),
        ("ubuntu-24.04-arm", "3.11", "cp311-musllinux_aarch64"),
        ("ubuntu-24.04-arm", "3.13t", "cp313t-musllinux_aarch64"),
        ("macos-26", "3.11", "cp311-macosx_arm64"),
        ("macos-26", "3.13t", "cp313t-macosx_arm64"),
        ("macos-26-intel", "3.11", "cp311-macosx_x86_64"),
        ("macos-26-intel", "3.13t", "cp313t-macosx_x86_64"),
    ]
    assert len({entry.artifact for entry in entries}) == len(entries)


def test_a_target_that_names_a_python_has_that_one_only() -> None:
    entries = build_matrix([parse_target("linux/x86_64/cp314", {})], PYTHONS)
    assert [entry.python for entry in entries] == ["3.14"]


@pytest.mark.parametrize(
    ("label", "why"),
    [
        ("macos-13", "it is retired"),
        ("macos-14", "it is deprecated"),
        ("macos-11", "it is retired"),
        ("macos-9", "it is not known"),
        ("macos-26-intel", "it is darwin/x86_64"),
        ("ubuntu-24.04", "it is linux/x86_64"),
    ],
)
def test_a_label_that_is_dead_or_another_machine_is_refused(label: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        runner_for(parse_target("darwin/arm64", {}), load_runners(), {"darwin/arm64": label})
    assert caught.value.why == why
    assert "macos-26" in caught.value.next_step


def test_a_target_without_a_native_runner_is_refused() -> None:
    with pytest.raises(UsageError, match="no runner for linux/s390x"):
        build_matrix([parse_target("linux/s390x", {})], PYTHONS)


def test_every_default_runner_is_current() -> None:
    for spec in ("linux/x86_64", "linux/aarch64", "darwin/arm64", "darwin/x86_64"):
        assert runner_for(parse_target(spec, {}), load_runners()).state is RunnerState.CURRENT


def test_a_workflow_is_handed_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    words = ["matrix", "--target", "linux/aarch64", "--abi", "cp312", "--github-output", "--json"]
    assert run_command_line(words) == ExitCode.OK
    printed = json.loads(capsys.readouterr().out)
    name, _, value = (tmp_path / "output").read_text().partition("=")
    assert name == "matrix"
    assert json.loads(value)["include"] == printed["include"]


def test_outside_a_workflow_the_output_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_OUTPUT", raising=False)
    words = ["matrix", "--target", "linux/aarch64", "--github-output"]
    assert run_command_line(words) == ExitCode.USAGE


def test_the_job_that_executes_a_target_is_named_and_is_in_the_workflow() -> None:
    workflow = Path(__file__).parents[3] / WORKFLOW
    jobs = yaml.safe_load(workflow.read_text())["jobs"]
    for spec, job, label in (
        ("darwin/arm64", "prove", "macos-26"),
        ("darwin/x86_64", "prove", "macos-26-intel"),
        ("linux/aarch64", "prove", "ubuntu-24.04-arm"),
        ("linux/x86_64/cp314", "prove", "ubuntu-24.04"),
    ):
        assert runner_job(parse_target(spec, {})) == f"{job} on {label} in {WORKFLOW}"
        assert job in jobs
    for spec in ("linux/aarch64/musl", "linux/s390x", "darwin/arm64/cp313t", "linux/x86_64/cp311d"):
        assert runner_job(parse_target(spec, {})) == ""


def test_what_the_workflow_proves_is_what_it_has_made() -> None:
    """Each wheel that a report says a job executes: made by ``cross``, run by ``prove``."""
    workflow = Path(__file__).parents[3] / WORKFLOW
    jobs = yaml.safe_load(workflow.read_text())["jobs"]
    steps = jobs["cross"]["steps"]
    (made,) = (step["run"] for step in steps if "buildtools wheel" in step.get("run", ""))
    (matrix,) = (step["run"] for step in steps if "buildtools matrix" in step.get("run", ""))
    targets = re.findall(r"--target (\S+)", made)
    assert re.findall(r"--target (\S+)", matrix) == targets
    assert "--abi" not in matrix
    assert re.findall(r"cp3\d+", made) == list(DEFAULT_PYTHONS)
    hosted = {"/".join(word.split("/")[:2]) for word in GOOD if "musl" not in word}
    assert {"/".join(word.split("/")[:2]) for word in targets} == hosted
    assert "cross.outputs.places" in jobs["prove"]["strategy"]["matrix"]
