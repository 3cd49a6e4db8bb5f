"""Runner labels of other people's workflows: found wherever they stand, with line and column."""

import json
from pathlib import Path

import jsonschema
import pytest

from buildtools.cli import run_command_line
from buildtools.deploy.runner_labels import label_findings

ROOT = Path(__file__).resolve().parents[3]
WORKFLOW = """\
name: ci
on:
  workflow_dispatch:
    inputs:
      runner:
        default: windows-2019
jobs:
  plain:
    runs-on: ubuntu-20.04
  quoted:
    runs-on: "macos-13"
  several:
    runs-on: [self-hosted, macOS-12]
  group:
    runs-on:
      group: large
      labels: [ubuntu-22.04]
  matrix:
    strategy:
      matrix:
        os: [ubuntu-latest, macos-14]
        include:
          - os: windows-2016
            python: "3.12"
    runs-on: ${{ matrix.os }}
  chosen:
    runs-on: ${{ github.event_name == 'push' && 'ubuntu-24.04' || 'ubuntu-18.04' }}
  listed:
    runs-on: ${{ fromJSON('["macos-11", "ubuntu-24.04"]')[0] }}
  called:
    uses: ./.github/workflows/other.yml
    with: {runs-on: macos-13-large}
  own:
    runs-on: my-ubuntu-20.04
    steps:
      - run: echo macos-13 ubuntu-20.04
        env: {OS: ubuntu-20.04}
"""


def test_dead_labels_are_told_at_their_place() -> None:
    found = [
        (one.evidence.partition(" ")[0], one.severity.value, one.line, one.column)
        for one in label_findings(WORKFLOW, "ci.yml")
    ]
    assert found == [
        ("windows-2019", "error", 6, 18),
        ("ubuntu-20.04", "error", 9, 14),
        ("macos-13", "error", 11, 14),
        ("macOS-12", "error", 13, 28),
        ("ubuntu-22.04", "warning", 17, 16),
        ("macos-14", "warning", 21, 29),
        ("windows-2016", "error", 23, 17),
        ("ubuntu-18.04", "error", 27, 68),
        ("macos-11", "error", 29, 30),
        ("macos-13-large", "error", 32, 21),
    ]
    lines = WORKFLOW.splitlines()
    for word, _, line, column in found:
        assert lines[line - 1][column - 1 :].lstrip('"').startswith(word)


@pytest.mark.parametrize(
    "text", ["", "jobs: []", "jobs: {a: {runs-on: ubuntu-24.04}}", "on: push\n", "jobs: {a: 3}"]
)
def test_what_names_no_dead_label_has_nothing_wrong(text: str) -> None:
    assert label_findings(text, "ci.yml") == ()


def test_the_command_reads_a_file_a_folder_or_a_repository(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    assert run_command_line(["matrix", "--check", str(tmp_path)]) == 3
    (folder / "ci.yml").write_text(WORKFLOW)
    (folder / "old.yaml").write_text("jobs: [\n")
    capsys.readouterr()
    schema = json.loads((ROOT / "buildtools" / "schemas" / "matrix.schema.json").read_text())
    for path in (tmp_path, folder, folder / "ci.yml"):
        assert run_command_line(["matrix", "--check", str(path), "--json"]) == 1
        document = json.loads(capsys.readouterr().out)
        jsonschema.validate(document, schema)
        assert len(document["findings"]) == (10 if path.suffix else 11)
    (folder / "old.yaml").unlink()
    (folder / "ci.yml").write_text("jobs: {a: {runs-on: macos-14}}\n")
    assert run_command_line(["matrix", "--check", str(tmp_path)]) == 0
    assert f"{folder / 'ci.yml'}:1:21: warning: macos-14" in capsys.readouterr().out


def test_this_repositorys_own_workflows_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    for folder in (ROOT, ROOT / "examples" / "web-service"):
        assert run_command_line(["matrix", "--check", str(folder)]) == 0
        assert "every runner's label is current" in capsys.readouterr().out
