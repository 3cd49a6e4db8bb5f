"""Wheels are unpacked safely and written the same way every time."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import zipfile
from pathlib import Path

import pytest

from buildtools.acquire.request import AcquireError, Backend
from buildtools.acquire.wheelfiles import bundled_libraries, describe, pack, unpack
from buildtools.errors import CannotLookError


def tree(folder: Path) -> Path:
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "__init__.py").write_text("x = 1\n")
    (folder / "a" / "tool").write_text("#!/bin/sh\n")
    (folder / "a" / "tool").chmod(0o775)
    (folder / "a-1.dist-info").mkdir()
    (folder / "a-1.dist-info" / "METADATA").write_text("Name: a\nVersion: 1\n")
    (folder / "a-1.dist-info" / "RECORD").write_text("stale,,\n")
    return folder


def test_the_same_tree_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = tree(tmp_path / "one"), tree(tmp_path / "two")
    for path in second.rglob("*"):
        os.utime(path, (1, 1))
    (second / "a" / "tool").chmod(0o700)
    pack(first, tmp_path / "1.whl")
    pack(second, tmp_path / "2.whl")
    assert (tmp_path / "1.whl").read_bytes() == (tmp_path / "2.whl").read_bytes()


def test_record_names_every_file_with_its_hash_and_comes_last(tmp_path: Path) -> None:
    pack(tree(tmp_path / "t"), tmp_path / "a.whl")
    with zipfile.ZipFile(tmp_path / "a.whl") as archive:
        names = archive.namelist()
        rows = list(csv.reader(archive.read("a-1.dist-info/RECORD").decode().splitlines()))
        contents = {name: archive.read(name) for name in names}
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
    assert names[-1] == "a-1.dist-info/RECORD"
    assert sorted(row[0] for row in rows) == sorted(names)
    for name, digest, size in rows[:-1]:
        expected = base64.urlsafe_b64encode(hashlib.sha256(contents[name]).digest())
        assert digest == "sha256=" + expected.rstrip(b"=").decode()
        assert int(size) == len(contents[name])
    assert rows[-1] == ["a-1.dist-info/RECORD", "", ""]
    assert modes["a/tool"] == 0o100755
    assert modes["a/__init__.py"] == 0o100644


def test_what_is_packed_comes_out_again(tmp_path: Path) -> None:
    pack(tree(tmp_path / "t"), tmp_path / "a.whl")
    unpack(tmp_path / "a.whl", tmp_path / "out")
    assert (tmp_path / "out/a/__init__.py").read_text() == "x = 1\n"
    assert (tmp_path / "out/a/tool").stat().st_mode & 0o111


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "C:\\x", "a\nb"])
def test_a_hostile_name_is_refused(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        archive.writestr(name, "x")
    with pytest.raises(CannotLookError):
        unpack(tmp_path / "a.whl", tmp_path / "room" / "out")


def test_a_cut_wheel_is_an_error(tmp_path: Path) -> None:
    pack(tree(tmp_path / "t"), tmp_path / "a.whl")
    content = (tmp_path / "a.whl").read_bytes()
    (tmp_path / "a.whl").write_bytes(content[: len(content) // 2])
    with pytest.raises(CannotLookError):
        unpack(tmp_path / "a.whl", tmp_path / "out")


def test_sonames_come_without_the_hash_of_the_repair(tmp_path: Path) -> None:
    path = tmp_path / "a-1-cp311-cp311-manylinux_2_34_x86_64.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.libs/libmariadb-2db2abfd.so.3", "")
        archive.writestr("a.libs/libz.so.1", "")
        archive.writestr("a/_x.so", "")
    assert bundled_libraries(path) == ("libmariadb.so.3", "libz.so.1")
    wheel = describe(path, source="sdist", backend=Backend.ZIG)
    assert wheel.tags == ("cp311-cp311-manylinux_2_34_x86_64",)
    assert wheel.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_that_is_named_like_no_wheel_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_bytes(b"")
    with pytest.raises(AcquireError):
        describe(tmp_path / "a.whl", source="index", backend=Backend.INDEX)
