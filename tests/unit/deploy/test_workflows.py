"""The workflows: pinned actions, least rights, runners that will still be there, known commands."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from buildtools.commands import COMMANDS
from buildtools.deploy.matrix import RunnerState, load_runners

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTIONS = [*WORKFLOWS, ROOT / "action.yml"]
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*$")


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def runners(job: dict[str, Any]) -> Iterator[str]:
    label = job["runs-on"]
    if label.startswith("${{ matrix.runner"):
        matrix = job["strategy"]["matrix"]
        if isinstance(matrix, dict):
            yield from matrix["runner"]
    else:
        yield label


@pytest.mark.parametrize("path", ACTIONS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_digest_with_its_version(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        if "uses:" in line:
            assert PINNED.search(line.strip().removeprefix("- ")), line


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_rights_are_the_least_and_runs_do_not_pile_up(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["cancel-in-progress"] is True
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] <= 90, name
        wider = {right for right, level in job.get("permissions", {}).items() if level == "write"}
        assert wider <= {"pages", "id-token"}, name


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_runner_is_current(path: Path) -> None:
    state = {runner.label: runner.state for runner in load_runners()}
    for job in read(path)["jobs"].values():
        for label in runners(job):
            assert state[label] is RunnerState.CURRENT, label


@pytest.mark.parametrize("path", ACTIONS, ids=lambda path: path.name)
def test_only_commands_that_exist_are_called(path: Path) -> None:
    for command in re.findall(r"(?:^|[\s/\"])buildtools\"? ([a-z]+)\b", path.read_text()):
        assert command in COMMANDS, command


def test_nothing_from_outside_is_pasted_into_a_script() -> None:
    for path in ACTIONS:
        for step in re.findall(r"run: [|>]?-?\n?((?:\s{8,}.*\n)+)", path.read_text()):
            assert "${{ inputs" not in step
            assert "${{ github.event" not in step
