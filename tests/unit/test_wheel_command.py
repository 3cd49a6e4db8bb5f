"""What ``wheel`` takes on its command line, and what it refuses before anything is fetched."""

from __future__ import annotations

import io
import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from buildtools.acquire import AcquiredWheel, AcquireError, Backend, Tools, WheelRequest
from buildtools.cli import run_command_line
from buildtools.commands import wheel_cells
from buildtools.commands.wheel_asked import Cell, cells, interleaved
from buildtools.commands.wheel_cells import Made
from buildtools.configuration import load_configuration
from buildtools.errors import ExitCode, UsageError
from buildtools.proving import Proof, Proven
from buildtools.report import Screen
from tests.unit.acquire.values import HOME, interpreter, recipe


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mysqlclient", "--target", "linux/sparc"], "linux has no 'sparc'"),
        (["mysqlclient", "--target", "linux/x86_64/macos11"], "no floor of linux"),
        (["sqlite3"], "standard library"),
        (["mysqlclient", "--python", "cp999"], "cp999"),
    ],
)
def test_what_cannot_be_is_a_usage_error(
    words: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command_line(["wheel", *words]) == ExitCode.USAGE
    assert said in capsys.readouterr().err


def test_every_combination_is_a_cell_once(tmp_path: Path) -> None:
    targets = ["linux/aarch64/glibc2.28", "linux/aarch64/glibc2.28", "linux/x86_64/musl"]
    found = cells(["mysqlclient==2.2.7", "apsw"], targets, [], load_configuration(tmp_path))
    assert [(cell.name, cell.target.arch) for cell in found] == [
        ("mysqlclient==2.2.7", "aarch64"),
        ("mysqlclient==2.2.7", "x86_64"),
        ("apsw", "aarch64"),
        ("apsw", "x86_64"),
    ]
    assert found[0].target.python is not None


def test_a_python_that_is_not_here_is_a_cell_all_the_same(tmp_path: Path) -> None:
    (found,) = cells(["apsw"], ["linux/aarch64/cp315"], [], load_configuration(tmp_path))
    assert found.python is None
    assert found.abi.abi == "cp315"
    assert found.abi.ext_suffixes[0] == ".cpython-315-aarch64-linux-gnu.so"


def test_the_longest_cells_begin_first(tmp_path: Path) -> None:
    targets = ["linux/aarch64", "darwin/arm64", "linux/x86_64/musl"]
    wanted = cells(["apsw"], targets, [], load_configuration(tmp_path))
    assert [one.target.spec.split("/")[0] for one in wanted] == ["linux", "darwin", "linux"]
    first, *others = interleaved(wanted)
    assert first == wanted[2]
    assert tuple(others) == wanted[:2]


def test_cells_of_one_target_are_kept_apart(tmp_path: Path) -> None:
    targets = ["linux/aarch64", "linux/x86_64"]
    wanted = cells(["apsw", "pysqlite3"], targets, [], load_configuration(tmp_path))
    assert [one.target.arch for one in wanted] == ["aarch64", "x86_64"] * 2
    two = (wanted[0], wanted[2], wanted[1], wanted[3])
    assert [one.target.arch for one in interleaved(two)] == ["aarch64", "x86_64"] * 2


def test_a_name_that_pip_would_take_for_an_option_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        cells(["mysqlclient"], ["--index-url"], [], load_configuration(tmp_path))


def test_a_cell_that_failed_is_in_the_document_as_its_schema_has_it() -> None:
    cell = Cell(recipe=recipe("MySQLdb._mysql"), version=None, target=HOME, python=interpreter())
    made = Made(cell=cell, error="no wheel", seconds=1.25)
    out = io.StringIO()
    with Screen(as_json=True, out=out) as screen:
        screen.document("wheel", {"wheels": [], "failed": [made.as_json()]})
    schema = json.loads((files("buildtools") / "schemas" / "wheel.schema.json").read_text())
    jsonschema.validate(json.loads(out.getvalue()), schema)


def _acquired(version: str) -> AcquiredWheel:
    return AcquiredWheel(
        path=Path(f"/w/mysqlclient-{version}.whl"),
        distribution="mysqlclient",
        version=version,
        tags=(),
        sha256="",
        source="index",
        backend=Backend.INDEX,
    )


@pytest.mark.parametrize(("asked", "got"), [(None, "2.1"), ("2.3", None)])
def test_a_version_of_the_index_that_does_not_fit_makes_way_unless_it_was_asked_for(
    asked: str | None, got: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2.3 needs what the target has not, 2.2 does not run there, 2.1 does both; none is built."""
    offered = iter(["2.3", "2.2", "2.1"])
    bounds: list[str] = []

    def fetch(request: WheelRequest, *_: object, **__: object) -> AcquiredWheel:
        bounds.append(request.specifier)
        return _acquired(next(offered))

    def build(*_: object, **__: object) -> AcquiredWheel:
        raise AcquireError("no compiler")

    def prove(wheel: Path, *_: object, **__: object) -> Proof:
        if "2.2" in wheel.name:
            raise AcquireError("it does not work", why="no such symbol")
        return Proof(word=Proven.EXECUTED, how="here")

    monkeypatch.setattr(wheel_cells, "fetch", fetch)
    monkeypatch.setattr(wheel_cells, "build", build)
    monkeypatch.setattr(wheel_cells, "prove", prove)
    monkeypatch.setattr(
        wheel_cells, "objections", lambda wheel, _: "libudev.so.1" if "2.3" in wheel.name else ""
    )
    cell = Cell(recipe=recipe("MySQLdb._mysql"), version=asked, target=HOME, python=interpreter())
    tools = Tools(cache=Path("/nowhere"), python=interpreter())
    work = wheel_cells._Work(cell=cell, python=interpreter(), how=wheel_cells.How(), tools=tools)
    if got is None:
        with pytest.raises(AcquireError, match="no compiler") as caught:
            work.wheel()
        assert "of the index: libudev.so.1" in caught.value.why
        return
    wheel, proof = work.wheel()
    assert (wheel.version, proof.word) == (got, Proven.EXECUTED)
    assert bounds == ["", ">=2.2,<2.3", ">=2.2,<2.2"]
    assert wheel.notes == (
        "2.3 of the index does not fit: libudev.so.1",
        "2.2 does not work there: no such symbol",
    )
