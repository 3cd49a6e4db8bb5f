"""Copies in front of the environment's own are found, and only what is the user's is moved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from buildtools.host import Interpreter
from buildtools.rebuild.shadows import HidingPlace, hiding_copies, is_shared
from buildtools.recipes import derived_recipe
from tests.unit.acquire import values

RECIPE = derived_recipe("sample", imports=["sample"], native=["_sample"])


@pytest.fixture
def interpreter(tmp_path: Path) -> Interpreter:
    folders = {name: tmp_path / name for name in ("path", "stdlib", "user", "site", "system")}
    for folder in folders.values():
        folder.mkdir()
    return replace(
        values.interpreter(),
        stdlib=folders["stdlib"],
        purelib=folders["site"],
        platlib=folders["site"],
        user_site=folders["user"],
        user_site_enabled=True,
        sys_path=("", *(str(folder) for folder in folders.values()), str(tmp_path / "nothing")),
    )


def put(folder: str, tmp_path: Path, *names: str) -> None:
    for name in names:
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def test_an_environment_of_its_own_hides_nothing(interpreter: Interpreter, tmp_path: Path) -> None:
    put("site", tmp_path, "sample/__init__.py")
    put("system", tmp_path, "sample/__init__.py")
    put("user", tmp_path, "other/__init__.py", "samples.py")
    assert hiding_copies(interpreter, RECIPE) == ()


def test_copies_come_in_the_order_of_the_search(interpreter: Interpreter, tmp_path: Path) -> None:
    put("path", tmp_path, "sample.py")
    put(
        "user",
        tmp_path,
        "sample/__init__.py",
        "_sample.cpython-311-x86_64-linux-gnu.so",
        "sample.libs/libx.so",
        "sample-1.0.dist-info/RECORD",
    )
    first, second = hiding_copies(interpreter, RECIPE)
    assert (first.place, first.path) == (HidingPlace.PYTHONPATH, tmp_path / "path" / "sample.py")
    assert "PYTHONPATH" in first.advice
    assert second.place is HidingPlace.USER_SITE
    assert set(second.entries) == {
        "sample", "_sample.cpython-311-x86_64-linux-gnu.so", "sample.libs", "sample-1.0.dist-info",
    }  # fmt: skip
    assert "user site" in second.advice


def test_a_namespace_that_others_use_is_not_to_be_moved(
    interpreter: Interpreter, tmp_path: Path
) -> None:
    put("user", tmp_path, "sample/__init__.py", "other-1.0.dist-info/METADATA")
    (copy,) = hiding_copies(interpreter, RECIPE)
    assert not is_shared(copy, RECIPE)
    (tmp_path / "user" / "other-1.0.dist-info" / "RECORD").write_text("sample/other.py,,\n")
    assert is_shared(copy, RECIPE)
