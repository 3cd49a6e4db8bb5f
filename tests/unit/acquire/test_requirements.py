"""A wheel must hold the native modules that a recipe demands, under names that are imported."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from buildtools.acquire.requirements import missing_native_modules
from buildtools.errors import CannotLookError
from tests.unit.acquire.values import HOME, recipe

HERE = ".cpython-311-x86_64-linux-gnu.so"


def wheel(folder: Path, *names: str) -> Path:
    path = folder / "x-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return path


@pytest.mark.parametrize(
    "name",
    [
        f"a/_b{HERE}",
        "a/_b.abi3.so",
        "a/_b.so",
        f"x-1.data/platlib/a/_b{HERE}",
        f"a/_b/__init__{HERE}",
    ],
)
def test_a_module_under_a_name_that_is_imported_is_there(name: str, tmp_path: Path) -> None:
    assert missing_native_modules(recipe("a._b"), wheel(tmp_path, name), HOME) == ()


@pytest.mark.parametrize(
    "name",
    [
        "a/_b.py",
        "a/_b.cpython-312-x86_64-linux-gnu.so",
        "a/_b.cpython-311-aarch64-linux-gnu.so",
        f"_b{HERE}",
        f"x-1.data/scripts/a/_b{HERE}",
    ],
)
def test_a_module_under_another_name_is_missing(name: str, tmp_path: Path) -> None:
    assert missing_native_modules(recipe("a._b"), wheel(tmp_path, name), HOME) == ("a._b",)


def test_a_damaged_wheel_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.whl"
    path.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(CannotLookError):
        missing_native_modules(recipe("a"), path, HOME)
