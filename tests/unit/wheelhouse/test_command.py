"""``buildtools wheelhouse``: what it prints is what its schema promises."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from buildtools.cli import run_command_line
from buildtools.wheelhouse import Provenance, Wheelhouse
from tests.unit.wheels.making import Making

PROVENANCE = Provenance(driver="sample", target="", python="cp311", backend="zig", source="sdist")


@pytest.fixture
def house(tmp_path: Path) -> Wheelhouse:
    store = Wheelhouse(tmp_path / "house")
    for version in ("1.0", "1.1", "1.2"):
        store.add(Making(version=version).write(tmp_path), PROVENANCE)
    return store


def document(
    action: str, house: Wheelhouse, capsys: pytest.CaptureFixture[str], code: int = 0
) -> dict[str, object]:
    words = ["wheelhouse", action, "--json", "--wheelhouse", str(house.root)]
    assert run_command_line(words) == code
    printed: dict[str, object] = json.loads(capsys.readouterr().out)
    schema = json.loads((files("buildtools") / "schemas" / "wheelhouse.schema.json").read_text())
    jsonschema.validate(printed, schema)
    assert next(iter(printed)) == "schema"
    return printed


def test_each_action_prints_its_document(
    house: Wheelhouse, capsys: pytest.CaptureFixture[str]
) -> None:
    wheels = document("list", house, capsys)["wheels"]
    assert isinstance(wheels, list)
    assert [one["version"] for one in wheels] == ["1.0", "1.1", "1.2"]
    assert str(document("index", house, capsys)["url"]).startswith("file://")
    assert document("gc", house, capsys)["removed"] == [
        "sample-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"
    ]
    assert document("check", house, capsys)["findings"] == []


def test_a_damaged_wheel_makes_check_say_no(
    house: Wheelhouse, capsys: pytest.CaptureFixture[str]
) -> None:
    house.wheels()[0].path.write_bytes(b"no wheel")
    findings = document("check", house, capsys, code=1)["findings"]
    assert isinstance(findings, list)
    assert [one["severity"] for one in findings] == ["error"]


def test_a_person_gets_a_table(house: Wheelhouse, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["wheelhouse", "list", "--wheelhouse", str(house.root)]) == 0
    assert "sample-1.2-cp311" in capsys.readouterr().out


def test_an_empty_store_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for action in ("list", "gc", "check", "index"):
        document(action, Wheelhouse(tmp_path / action), capsys)


def test_wheels_are_taken_in_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wheel = Making().write(tmp_path / "built")
    words = ["wheelhouse", "add", str(wheel), "--wheelhouse", str(tmp_path / "house"), "--json"]
    assert run_command_line(words) == 0
    printed = json.loads(capsys.readouterr().out)
    schema = (files("buildtools") / "schemas" / "wheelhouse.schema.json").read_text()
    jsonschema.validate(printed, json.loads(schema))
    assert [Path(path).name for path in printed["added"]] == [wheel.name]
    assert run_command_line(words[:2]) == 2
