"""What ``wheel`` takes on its command line, and what it refuses before anything is fetched."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from buildtools.acquire import AcquiredWheel, AcquireError, Backend, Tools, WheelRequest
from buildtools.cli import run_command_line
from buildtools.commands import wheel, wheel_cells
from buildtools.commands.wheel_asked import Cell, cells, interleaved
from buildtools.commands.wheel_cells import Made
from buildtools.configuration import load_configuration
from buildtools.errors import ExitCode, UsageError
from buildtools.proving import Proof, Proven
from buildtools.report import Screen
from buildtools.targets import parse_target
from buildtools.wheelhouse import Wheelhouse
from tests.unit.acquire.values import HOME, interpreter, recipe
from tests.unit.wheels.making import Making, corpus


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
    acquired, proof = work.wheel()
    assert (acquired.version, proof.word) == (got, Proven.EXECUTED)
    assert bounds == ["", ">=2.2,<2.3", ">=2.2,<2.2"]
    assert acquired.notes == (
        "2.3 of the index does not fit: libudev.so.1",
        "2.2 does not work there: no such symbol",
    )


FREE = parse_target("linux/x86_64/glibc2.28/cp314t", {})


def _free_threaded(how: wheel_cells.How, folder: Path) -> Made:
    """A wheel for a Python that this machine has not and nothing unpacks."""
    cell = Cell(recipe=recipe("MySQLdb._mysql"), version=None, target=FREE, python=None)
    how = replace(how, cache=folder / "cache")
    return wheel_cells.make(cell, Wheelhouse(folder / "house"), lambda *_: None, how)


def test_a_wheel_of_the_index_needs_no_python_of_its_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = "cp314-cp314t-manylinux_2_17_x86_64"
    module = "MySQLdb/_mysql.cpython-314t-x86_64-linux-gnu.so"
    making = Making(name="mysqlclient", tag=tag, files={module: corpus("elf-x86_64-glibc2.17.so")})
    path = making.write(tmp_path)
    asked: list[WheelRequest] = []

    def fetch(request: WheelRequest, *_: object, **__: object) -> AcquiredWheel:
        asked.append(request)
        return replace(_acquired("2.3"), path=path)

    monkeypatch.setattr(wheel_cells, "fetch", fetch)
    made = _free_threaded(wheel_cells.How(), tmp_path)
    assert (made.error, made.verified, made.backend) == ("", "static", "index")
    assert (asked[0].abi.abi, asked[0].at_home) == ("cp314t", False)
    assert made.proof is not None
    assert "no cp314t for x86_64 is on this machine" in made.proof.reason
    assert made.runner == ""


@pytest.mark.parametrize("backend", ["auto", "zig"])
def test_a_build_without_a_python_of_its_kind_is_refused_at_once(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(*_: object, **__: object) -> AcquiredWheel:
        if backend != "auto":
            raise AssertionError("the index was not asked for")
        raise AcquireError("no wheel fits", why="the index has none")

    def build(*_: object, **__: object) -> AcquiredWheel:
        raise AssertionError("there is nothing to build with")

    monkeypatch.setattr(wheel_cells, "fetch", fetch)
    monkeypatch.setattr(wheel_cells, "build", build)
    made = _free_threaded(wheel_cells.How(backend=backend), tmp_path)
    assert "there is no cp314t on this machine to build with" in made.error
    assert "put a free-threaded Python 3.14 on PATH" in made.error
    assert ("the index has none" in made.error) == (backend == "auto")


def test_versions_that_fail_alike_are_named_together_and_why_none_is_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offered = iter(["2.4", "2.3", "2.2", "2.1"])
    monkeypatch.setattr(wheel_cells, "fetch", lambda *_, **__: _acquired(next(offered)))
    monkeypatch.setattr(wheel_cells, "objections", lambda *_: "it needs libudev.so.1")

    def build(*_: object, **__: object) -> AcquiredWheel:
        raise AcquireError("no compiler", why="none is here", next_step="get one")

    monkeypatch.setattr(wheel_cells, "build", build)
    cell = Cell(recipe=recipe("MySQLdb._mysql"), version=None, target=HOME, python=interpreter())
    tools = Tools(cache=Path("/nowhere"), python=interpreter())
    work = wheel_cells._Work(cell=cell, python=interpreter(), how=wheel_cells.How(), tools=tools)
    with pytest.raises(AcquireError, match="none of the 4 newest") as caught:
        work.wheel()
    assert caught.value.why == (
        "2.4, 2.3, 2.2, 2.1 of the index does not fit: it needs libudev.so.1; "
        "not built: no compiler: none is here"
    )
    assert caught.value.next_step == "get one"


def test_cells_that_fail_alike_are_told_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        wheel, "make", lambda cell, *_: Made(cell=cell, error=f"no {cell.recipe.driver}")
    )
    words = ["wheel", "apsw", "asyncmy", "--python", "cp311", "cp313", "-q"]
    assert run_command_line(words) == ExitCode.NO_WHEEL
    said = capsys.readouterr().err
    assert said.count("no apsw") == said.count("no asyncmy") == 1
    assert said.count(" and 1 more: no ") == 2
