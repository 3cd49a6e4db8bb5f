"""How outsiders write targets, Pythons and drivers, and what ``wheel`` makes of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from buildtools.cli import run_command_line
from buildtools.commands.wheel_asked import cells
from buildtools.configuration import load_configuration
from buildtools.errors import ExitCode
from buildtools.host import interpreter_facts


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["apsw", "--target", "linux/arm64"], "linux calls it aarch64"),
        (["apsw", "--target", "darwin/aarch64"], "darwin calls it arm64"),
        (["apsw", "--target", "linux/amd64"], "linux calls it x86_64"),
        (["apsw", "--target", "linux/i386"], "linux calls it i686"),
        (["apsw", "--target", "macos/arm64"], "here macos is written darwin"),
        (["apsw", "--target", "linux/cp312"], "linux has no 'cp312'; it has linux/x86_64"),
        (["apsw", "--python", "abi3"], "name the oldest that it is for"),
        (["apsw", "--python", "cp312t"], "free-threaded builds begin with CPython 3.13"),
        (["apsw", "--target", "linux/x86_64/cp311t"], "there is no cp311t"),
        (["apsw", "--python", "3.9"], "CPython 3.11 to 3.15 are"),
        (["apsw", "--python", "312"], "312 is no Python that wheels"),
        (["apsw>=3.45"], "write DRIVER or DRIVER==VERSION"),
        (["apsw=="], "no version stands behind =="),
        (["apsw==new"], "'new' is no version"),
        (["--", "-r"], "'-r' is no name that a distribution can have"),
        (["mysqlcient"], "write mysqlclient; "),
        (["pysqlite33"], "write pysqlite3; "),
        (["apsw", "--jobs", "0"], "no number of wheels at a time"),
    ],
)
def test_a_wrong_word_is_refused_with_the_right_one(
    words: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    code = run_command_line(["wheel", *words])
    assert code in {ExitCode.USAGE, ExitCode.CANNOT_LOOK}
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["cp312", "cp313t"], ["3.12", "3.13t"], ["cp312,cp313t"], ["3.12,", "cpython3.13t"]]
)
def test_pythons_are_listed_as_people_write_them(words: list[str], tmp_path: Path) -> None:
    found = cells(["apsw"], ["linux/aarch64"], words, load_configuration(tmp_path))
    assert [cell.abi.abi for cell in found] == ["cp312", "cp313t"]


def test_an_interpreter_whose_path_has_a_comma_is_one_python(tmp_path: Path) -> None:
    python = tmp_path / "3.11,own" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    (found,) = cells(["apsw"], ["linux/aarch64"], [str(python)], load_configuration(tmp_path))
    assert found.abi.abi == interpreter_facts().abi.abi


def test_a_name_close_to_a_drivers_is_taken_with_its_version(tmp_path: Path) -> None:
    (found,) = cells(["mysqlclients==1.0"], ["host"], [], load_configuration(tmp_path))
    assert found.recipe.derived


@pytest.mark.parametrize("name", ["pysqlite3-binary", "mysql", "hiredis", "aiomysql"])
def test_other_distributions_are_no_slips(name: str, tmp_path: Path) -> None:
    (found,) = cells([name], ["host"], [], load_configuration(tmp_path))
    assert found.recipe.derived
