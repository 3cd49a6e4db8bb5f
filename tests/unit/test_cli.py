"""The command line: exit codes, help, and that no command pays for another's imports."""

import json
import sys
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from buildtools import __version__
from buildtools.__main__ import main
from buildtools.cli import run_command_line
from buildtools.commands import COMMANDS
from buildtools.errors import BuildtoolsError, BusyError, ExitCode, InstallFailedError, NoWheelError


def test_the_version_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["buildtools", "--version"])
    assert main() == 0
    assert capsys.readouterr().out == f"buildtools {__version__}\n"


def test_an_interrupt_before_a_command_has_begun_leaves_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_words: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("buildtools.cli.run_command_line", interrupted)
    assert main() == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == "error: interrupted\n"


@pytest.mark.parametrize("as_json", [False, True])
def test_what_the_system_refuses_is_told_without_a_traceback(
    *, as_json: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object) -> int:
        raise PermissionError(13, "Permission denied", "/srv/closed")

    monkeypatch.setattr("buildtools.commands.detect.run", refused)
    code = run_command_line(["detect", *["--json"] * as_json])
    printed = capsys.readouterr()
    assert code == ExitCode.CANNOT_LOOK
    assert "where: /srv/closed" in printed.err
    assert "why: Permission denied" in printed.err
    if as_json:
        assert json.loads(printed.out)["error"]["where"] == "/srv/closed"


def test_without_a_command_the_help_is_shown_as_a_usage_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command_line([]) == ExitCode.USAGE
    shown = capsys.readouterr().out
    for name in COMMANDS:
        assert f"    {name} " in shown


def test_the_readme_names_every_command() -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f"`{name}`" in readme, name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run_command_line([name, "--help"])
    assert caught.value.code == 0
    assert "--json" in capsys.readouterr().out


def test_a_bad_target_is_a_usage_error_that_lists_the_good_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command_line(["detect", "--target", "linux/x87"]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert "linux/aarch64" in said
    assert "render" in said


@pytest.mark.parametrize("text", ["windows/x86_64", "linux/x86_64/cp27", "render/py3", "solaris"])
def test_every_refusal_of_a_target_lists_names_and_platforms(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["detect", "--target", text]) == ExitCode.USAGE
    said = capsys.readouterr().err
    for good in ("host", "render", "lambda", "alpine", "linux/x86_64/musl", "darwin/arm64"):
        assert good in said


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["detect", "--target", "linux/x87"], 2),
        (["detect", "--nosuch"], 2),
        (["doctor", "/no/such/place"], 3),
        (["verify", "--python", "/no/such/python"], 3),
        (["plan", "--python", "/no/such/python"], 3),
        (["rebuild", "--python", "/no/such/python"], 3),
        (["explain", "/no/such/log"], 3),
        (["lock", "--target", "linux/x87"], 2),
        (["matrix", "--target", "linux/x87"], 2),
        (["render", "check", "/no/such/file"], 3),
        (["wheel", "apsw", "--target", "linux/x87"], 2),
        (["wheelhouse"], 2),
        (["stack"], 2),
    ],
    ids=str,
)
def test_an_error_is_a_document_too_when_json_is_asked_for(
    words: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line([*words, "--json"]) == code
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert next(iter(document)) == "schema"
    assert document["error"]["code"] == code
    assert said.err.startswith("error: ")
    schema = files("buildtools") / "schemas" / f"{words[0]}.schema.json"
    jsonschema.validate(document, json.loads(schema.read_text()))


def test_an_interpreter_that_is_not_there_cannot_be_looked_at(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command_line(["detect", "--python", "/no/such/python"]) == ExitCode.CANNOT_LOOK
    assert "/no/such/python" in capsys.readouterr().err


def test_detect_prints_what_its_schema_promises(capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads((files("buildtools") / "schemas" / "detect.schema.json").read_text())
    for words in (["detect"], ["detect", "--target", "darwin/arm64"]):
        assert run_command_line([*words, "--json"]) == ExitCode.OK
        jsonschema.validate(json.loads(capsys.readouterr().out), schema)


@pytest.mark.parametrize(
    ("kind", "code"), [(NoWheelError, 4), (InstallFailedError, 5), (BusyError, 6)]
)
def test_each_error_has_its_exit_code(kind: type[BuildtoolsError], code: int) -> None:
    assert kind("no").exit_code == code


def test_an_error_says_what_where_why_and_what_next() -> None:
    text = str(NoWheelError("no wheel", where="apsw", why="offline", next_step="drop --offline"))
    assert text == "no wheel\n  where: apsw\n  why: offline\n  next: drop --offline"
