"""The parts of the script that runs in the child, on files of the test's own."""

import importlib.machinery
import sys
from pathlib import Path
from types import ModuleType

import pytest

from buildtools.probes import runner
from buildtools.probes.runner import (
    chain_text,
    installed_version,
    invisible_files,
    is_absent,
    is_native,
    package_folders,
)

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]


def hidden_error() -> BaseException:
    """As left by ``raise RuntimeError from None`` in a handler of a chained ImportError."""
    outer = RuntimeError("driver unavailable")
    middle = ImportError("no native part")
    middle.__cause__ = OSError("libgone.so.1: cannot open shared object file")
    outer.__context__ = middle
    outer.__suppress_context__ = True
    return outer


def test_an_error_is_told_with_all_that_it_hides() -> None:
    assert chain_text(hidden_error()) == (
        "RuntimeError: driver unavailable; behind it: ImportError: no native part; "
        "behind it: OSError: libgone.so.1: cannot open shared object file"
    )


def test_a_circle_of_causes_ends() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert chain_text(first) == "ValueError: a; behind it: ValueError: b"


@pytest.mark.parametrize(
    ("missing", "name", "absent"),
    [
        ("demo", "demo", True),
        ("demo", "demo.inner", True),
        ("demo.inner", "demo.inner", True),
        ("other", "demo", False),
        ("dem", "demo", False),
    ],
)
def test_a_missing_driver_is_told_from_a_missing_need(
    *, missing: str, name: str, absent: bool
) -> None:
    assert is_absent(ModuleNotFoundError(missing, name=missing), name) is absent


def test_another_error_of_an_import_is_not_absence() -> None:
    assert not is_absent(ImportError("x", name="demo"), "demo")
    assert not is_absent(SystemExit(3), "demo")


def test_a_version_is_read_off_the_metadatas_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mysql_connector_python-9.1.0.dist-info").mkdir()
    (tmp_path / "mysqlclient-2.1.1-py3.11.egg-info").mkdir()
    monkeypatch.setattr(sys, "path", ["/nonexistent", str(tmp_path)])
    assert installed_version("mysql-connector-python") == "9.1.0"
    assert installed_version("MySQLclient") == "2.1.1"
    assert installed_version("mysql") is None


def test_a_packages_folder_is_found_without_running_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "demo_pkg" / "inner"
    inner.mkdir(parents=True)
    for folder in (inner.parent, inner):
        (folder / "__init__.py").write_text("raise RuntimeError('ran')")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    importlib.invalidate_caches()
    assert package_folders("demo_pkg.inner._native") == [str(inner)]
    assert package_folders("demo_pkg._native") == [str(inner.parent)]
    assert package_folders("_native") == []
    assert package_folders("demo_pkg.gone._native") is None


def test_a_file_for_another_interpreter_is_named(tmp_path: Path) -> None:
    (tmp_path / "_native.cpython-27-darwin.so").touch()
    (tmp_path / "_native.py.txt").touch()
    text = invisible_files("_native", [str(tmp_path)])
    assert "_native.cpython-27-darwin.so is there" in text
    assert f"looks for _native{SUFFIX}" in text
    assert invisible_files("_other", [str(tmp_path)]) == f"no file _other{SUFFIX} is there"


def test_what_is_compiled_is_known_by_its_file() -> None:
    assert is_native(sys)
    module = ModuleType("demo")
    assert not is_native(module)
    module.__file__ = "/x/demo.py"
    assert not is_native(module)
    module.__file__ = f"/x/demo{SUFFIX}"
    assert is_native(module)


def test_the_runner_needs_nothing_of_this_package() -> None:
    source = Path(runner.__file__).read_text(encoding="utf-8")
    assert "import buildtools" not in source
    assert "from buildtools" not in source
