"""What has changed since a rebuild is said; when nothing has, that is known from stats alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from buildtools.stamps import (
    DriverStamp,
    FileStamp,
    Selection,
    Stamp,
    file_stamp,
    place_stamp,
    quick_look,
    recipe_digest,
    recipe_files,
    requirement_files,
    source_stamps,
    stamp_path,
)


class Left:
    """An environment as a rebuild left it, and the project that it is for."""

    def __init__(self, root: Path) -> None:
        self.root = root / "venv"
        self.project = root / "project"
        self.outside = root / "user-site"
        self.site = self.root / "lib" / "python3.11" / "site-packages"
        for folder in (self.root / "bin", self.site / "sample", self.project, self.outside):
            folder.mkdir(parents=True)
        self.python = self.root / "bin" / "python"
        self.python.write_text("an interpreter")
        (self.root / "pyvenv.cfg").write_text("home = /usr\n")
        (self.site / "sample" / "_native.so").write_bytes(b"native")
        (self.project / "requirements.txt").write_text("sample\n")
        self.write()

    def write(self) -> None:
        native = file_stamp(self.site, "sample/_native.so", hashed=True)
        assert native is not None
        driver = DriverStamp(
            distribution="sample",
            version="1.0",
            requirement=">=1",
            recipe=recipe_digest(recipe_files("pysqlite3")),
            files=(native,),
            verdict={"status": "ok"},
            when=1,
        )
        place = place_stamp(
            executable=self.python,
            prefix=self.root,
            site=self.site,
            version="3.11.7",
            target="linux/x86_64",
            search_path=[str(self.outside), str(self.site)],
        )
        selection = Selection(
            drivers=("pysqlite3",),
            requirements={"pysqlite3": ">=1"},
            sources=source_stamps([self.project / "requirements.txt"]),
            site_mtime_ns=-1,
        )
        stamp = Stamp(
            tool="0",
            place=place,
            drivers={"pysqlite3": driver},
            selections={str(self.project): selection},
        )
        stamp_path(self.site).parent.mkdir(exist_ok=True)
        stamp_path(self.site).write_bytes(stamp.document())

    def look(self, *drivers: str, folder: Path | None = None) -> tuple[str, ...] | None:
        found = quick_look(executable=self.python, drivers=drivers, folder=folder or self.project)
        return None if found is None else found[1]


@pytest.fixture
def left(tmp_path: Path) -> Left:
    return Left(tmp_path)


def test_a_stamp_is_written_and_read_back_alike(left: Left) -> None:
    stamp = Stamp.read(stamp_path(left.site))
    assert stamp is not None
    other = stamp_path(left.site).with_name("again.json")
    other.write_bytes(stamp.document())
    assert Stamp.read(other) == stamp


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 99}', '{"format": 1}', "null"])
def test_a_stamp_that_cannot_be_read_is_none(text: str, left: Left) -> None:
    stamp_path(left.site).write_text(text)
    assert Stamp.read(stamp_path(left.site)) is None
    assert left.look() is None


def test_when_nothing_has_changed_nothing_is_due(left: Left) -> None:
    assert left.look() == ("pysqlite3",)
    assert left.look("PySQLite3") == ("pysqlite3",)
    assert left.look(folder=left.project / "src") == ("pysqlite3",)


def test_another_driver_or_project_is_looked_at_anew(left: Left, tmp_path: Path) -> None:
    assert left.look("other") is None
    assert left.look(folder=tmp_path) is None
    nearer = left.project / "nearer"
    nearer.mkdir()
    (nearer / "pyproject.toml").write_text("[tool.buildtools]\n")
    assert left.look(folder=nearer) is None


def replaced_interpreter(left: Left) -> None:
    left.python.write_text("another interpreter")


def another_base(left: Left) -> None:
    (left.root / "pyvenv.cfg").write_text("home = /opt\n")


def changed_file(left: Left) -> None:
    (left.site / "sample" / "_native.so").write_bytes(b"changed")


def touched_file(left: Left) -> None:
    os.utime(left.site / "sample" / "_native.so", ns=(1, 1))


def removed_file(left: Left) -> None:
    (left.site / "sample" / "_native.so").unlink()


def requirement(left: Left) -> None:
    (left.project / "requirements.txt").write_text("sample==2\n")


def new_requirements(left: Left) -> None:
    (left.project / "requirements-prod.txt").write_text("sample==2\n")


def shadow(left: Left) -> None:
    (left.outside / "sample").mkdir()


def cut_off_install(left: Left) -> None:
    (left.site / ".buildtools" / "tx-1").mkdir()


@pytest.mark.parametrize(
    "change",
    [replaced_interpreter, another_base, changed_file, touched_file, removed_file, requirement,
     new_requirements, shadow, cut_off_install],
)  # fmt: skip
def test_a_change_makes_it_due(change: Callable[[Left], None], left: Left) -> None:
    assert left.look() is not None
    change(left)
    assert left.look() is None


def test_a_variable_that_changes_the_search_makes_it_due(
    left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    assert left.look() is None


def test_a_copied_environment_is_due(left: Left, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(left.root, copy)
    assert quick_look(executable=copy / "bin" / "python", drivers=(), folder=left.project) is None


def test_the_same_content_under_another_inode_is_no_change(left: Left) -> None:
    native = left.site / "sample" / "_native.so"
    times = native.stat()
    other = native.with_name("other")
    other.write_bytes(b"native")
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.rename(native)
    assert left.look() == ("pysqlite3",)


def test_another_content_with_the_same_size_and_time_is_a_change(left: Left) -> None:
    native = left.site / "sample" / "_native.so"
    times = native.stat()
    other = native.with_name("other")
    other.write_bytes(b"NATIVE")
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.rename(native)
    assert left.look() is None


def test_each_change_of_a_file_is_said(tmp_path: Path) -> None:
    file = tmp_path / "x.so"
    file.write_bytes(b"1")
    stamp = file_stamp(tmp_path, "x.so", hashed=True)
    assert stamp is not None
    assert stamp.change(str(tmp_path)) == ""
    assert replace(stamp, size=2).change(str(tmp_path)) == "x.so was changed"
    file.unlink()
    assert stamp.change(str(tmp_path)) == "x.so is gone"
    assert file_stamp(tmp_path, "x.so", hashed=True) is None
    assert isinstance(stamp, FileStamp)


def test_a_recipes_digest_changes_with_any_of_its_files(tmp_path: Path) -> None:
    one, two = tmp_path / "recipe.yaml", tmp_path / "probe.py"
    one.write_text("driver: x\n")
    two.write_text("import x\n")
    before = recipe_digest([one, two])
    two.write_text("import y\n")
    assert recipe_digest([one, two]) != before
    assert recipe_digest([]) == ""


def test_the_shipped_recipes_files_are_found() -> None:
    names = {path.name for path in recipe_files("MySQL_Connector.Python")}
    assert {"recipe.yaml", "probe.py"} <= names
    assert recipe_files("no-such-driver") == ()


def test_requirement_files_are_those_that_pip_tools_write(tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    for name in ("requirements.txt", "requirements-dev.txt", "constraints.txt", "notes.txt",
                 "requirements/linux.txt", "requirements.lock", "requirements.in"):  # fmt: skip
        (tmp_path / name).write_text("")
    assert [path.relative_to(tmp_path).as_posix() for path in requirement_files(tmp_path)] == [
        "constraints.txt",
        "requirements/linux.txt",
        "requirements-dev.txt",
        "requirements.lock",
        "requirements.txt",
    ]
