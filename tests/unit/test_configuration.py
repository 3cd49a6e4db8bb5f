"""``[tool.buildtools]``: what is read, and how a mistake is told."""

import codecs
from pathlib import Path

import pytest

from buildtools.configuration import (
    load_configuration,
    pinned_python,
    shipped_targets,
    target_notes,
)
from buildtools.errors import UsageError
from buildtools.targets import parse_target


def project(folder: Path, text: str) -> Path:
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def test_everything_that_a_project_can_say_is_read(tmp_path: Path) -> None:
    root = project(
        tmp_path,
        """
        [tool.buildtools]
        drivers = ["mysqlclient"]
        targets = ["linux/aarch64"]
        wheelhouse = "wheels"
        checks = ["app.checks:database"]
        [tool.buildtools.target.server]
        spec = "linux/x86_64/glibc2.34/cp312"
        libraries = ["libmariadb.so.3"]
        [tool.buildtools.render]
        service = "api"
        """,
    )
    below = root / "src" / "app"
    below.mkdir(parents=True)
    read = load_configuration(below)
    assert read.root == root
    assert read.drivers == ("mysqlclient",)
    assert read.targets == ("linux/aarch64",)
    assert read.wheelhouse == root / "wheels"
    assert read.checks == ("app.checks:database",)
    assert read.named["server"].spec == "linux/x86_64/glibc2.34/cp312"
    assert read.named["server"].libraries == frozenset({"libmariadb.so.3"})
    assert read.render == {"service": "api"}


def test_without_a_table_there_are_only_the_shipped_targets(tmp_path: Path) -> None:
    read = load_configuration(project(tmp_path, "[project]\nname = 'x'\n"))
    assert read.drivers == ()
    assert set(read.named) >= {"render", "lambda", "alpine"}


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("drivers = ['no such!']", "drivers: 'no such!' is no distribution's name"),
        ("drivers = ['../x']", "drivers: '../x' is no distribution's name"),
        ("targets = ['linux/zz']", "targets: 'linux/zz' is not a target: linux has no 'zz'"),
        ("target.host.spec = 'linux/x86_64'", "target.host: is no name for a target"),
        ("target.'a/b'.spec = 'linux/x86_64'", "target.a/b: is no name for a target"),
        ("driver = ['x']", "driver: is not known"),
        ("drivers = 'mysqlclient'", "drivers: must be a list"),
        ("drivers = [1]", "drivers: must be a list"),
        ("wheelhouse = 3", "wheelhouse: must be a folder"),
        ("target = 3", "target: must hold"),
        ("render = []", "render: must hold"),
        ("[tool.buildtools.target.x]\nspec = 3", "target.x: needs spec"),
        ("[tool.buildtools.target.x]\nspec = 'linux/vax'", "target.x.spec"),
        ("[tool.buildtools.target.x]\nspec = 'render'\nfloor = 1", "floor is not known"),
        ("[tool.buildtools.target.x]\nspec = 'render'\nlibraries = 1", "list of sonames"),
    ],
)
def test_a_mistake_is_told_with_its_file_and_key(tmp_path: Path, table: str, says: str) -> None:
    root = project(tmp_path, f"[tool.buildtools]\n{table}\n")
    with pytest.raises(UsageError) as caught:
        load_configuration(root)
    assert says in str(caught.value)
    assert str(root / "pyproject.toml") in str(caught.value)


@pytest.mark.parametrize("text", ["tool = 3\n", "[[tool]]\nx = 1\n"])
def test_a_tool_that_is_no_table_says_nothing(tmp_path: Path, text: str) -> None:
    assert load_configuration(project(tmp_path, text)).drivers == ()


def test_what_is_no_toml_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not TOML"):
        load_configuration(project(tmp_path, "[tool.buildtools\n"))


def test_every_shipped_target_has_a_note() -> None:
    assert set(target_notes()) == set(shipped_targets())


def test_lambdas_c_library_follows_from_the_python() -> None:
    named = shipped_targets()
    old, new = parse_target("lambda/cp311", named), parse_target("lambda/cp312", named)
    assert parse_target("lambda", named).spec == "linux/x86_64/glibc2.34"
    assert (old.spec, new.spec) == (
        "linux/x86_64/glibc2.26/cp311", "linux/x86_64/glibc2.34/cp312",
    )  # fmt: skip
    assert new.python is not None
    assert old.with_python(new.python).spec == new.spec
    assert parse_target("linux/x86_64/glibc2.34/cp311", named).spec.startswith(
        "linux/x86_64/glibc2.34"
    )


@pytest.mark.parametrize(
    ("text", "abi", "whole"),
    [
        ("3.13.4\n", "cp313", "3.13.4"),
        ("# pinned\n3.12\n", "cp312", "3.12"),
        ("python-3.11.9", "cp311", "3.11.9"),
        ("  # by hand\r\n\r\n  3.12.7  # for the server\r\n", "cp312", "3.12.7"),
        ("3.13.4 3.12.7\n3.11.9\n", "cp313", "3.13.4"),
        ("\ufeff3.12.7\n", "cp312", "3.12.7"),
        ("3.13t\n", "cp313t", "3.13"),
        ("3.14.0rc2", "cp314", "3.14.0"),
        ("3.15-dev\n", "cp315", "3.15"),
        ("cpython-3.13.4-linux-x86_64-gnu\n", "cp313", "3.13.4"),
        ("cpython@3.12\n", "cp312", "3.12"),
        ("3.13.2+freethreaded\n", "cp313t", "3.13.2"),
    ],
)
def test_a_pinned_python_is_read(tmp_path: Path, text: str, abi: str, whole: str) -> None:
    (tmp_path / ".python-version").write_text(text, encoding="utf-8", newline="")
    pinned = pinned_python(tmp_path)
    assert pinned is not None
    assert (pinned.python.abi, pinned.whole) == (abi, whole)
    wide = text.removeprefix("\ufeff").encode("utf-16-le")
    (tmp_path / ".python-version").write_bytes(codecs.BOM_UTF16_LE + wide)
    assert pinned_python(tmp_path) == pinned


@pytest.mark.parametrize("text", ["latest\n", "", "# none\n", "3", "pypy3.10-7.3.17", ">=3.12"])
def test_a_pinned_python_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / ".python-version").write_text(text)
    with pytest.raises(UsageError, match="no Python version"):
        pinned_python(tmp_path)
    assert pinned_python(tmp_path / "elsewhere") is None
