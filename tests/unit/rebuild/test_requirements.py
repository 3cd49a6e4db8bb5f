"""The versions that a project asks for are read from its own files."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildtools.errors import UsageError
from buildtools.rebuild.requirements import read_requirements
from buildtools.rebuild.survey import allows

MARKERS = {"python_version": "3.11", "sys_platform": "linux", "python_full_version": "3.11.7"}


def specifiers(root: Path) -> dict[str, str]:
    return dict(read_requirements(root, MARKERS).specifiers)


def test_requirements_locks_and_the_project_are_joined(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\ndependencies = ["mysqlclient>=2.2"]\n'
        '[project.optional-dependencies]\nsqlite = ["pysqlite3<1"]\n'
    )
    (tmp_path / "requirements.txt").write_text(
        "MySQLClient==2.2.4 \\\n    --hash=sha256:aaaa \\\n    --hash=sha256:bbbb  # via -r x\n"
        "apsw  # any\n"
    )
    assert specifiers(tmp_path) == {
        "mysqlclient": ">=2.2,==2.2.4",
        "pysqlite3": "<1",
        "apsw": "",
    }


def test_includes_are_followed_once(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-r base.txt\n-c limits.txt\nasyncmy\n")
    (tmp_path / "base.txt").write_text("mariadb==1.1.*\n-r requirements.txt\n")
    (tmp_path / "limits.txt").write_text("asyncmy<0.3\n")
    read = read_requirements(tmp_path, MARKERS)
    assert read.specifiers == {"mariadb": "==1.1.*", "asyncmy": "<0.3"}
    assert {path.name for path in read.sources} == {
        "pyproject.toml", "requirements.txt", "base.txt", "limits.txt",
    }  # fmt: skip


def test_what_is_not_for_here_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(
        "mysqlclient==1 ; sys_platform == 'win32'\n"
        "mysqlclient==2 ; python_version >= '3.11'\n"
        "apsw==1 ; extra == 'never'\n"
        "--index-url https://user:secret@example.invalid/simple\n"
        "./a-folder\nhttps://example.invalid/x.whl\n!!!\n"
        "mariadb @ https://example.invalid/mariadb.tar.gz\n"
    )
    assert specifiers(tmp_path) == {"mysqlclient": "==2", "mariadb": ""}


def test_what_the_configuration_names_is_read_and_missed(tmp_path: Path) -> None:
    (tmp_path / "deps").mkdir()
    (tmp_path / "deps" / "base.in").write_text("mariadb<2\n")
    (tmp_path / "deps" / "pyproject.toml").write_text('[project]\ndependencies = ["apsw"]\n')
    (tmp_path / "setup.py").write_text("asyncmy\n")
    names = ("deps/base.in", "deps/pyproject.toml", "setup.py", "absent.txt")
    named = [tmp_path / name for name in names]
    read = read_requirements(tmp_path, MARKERS, named)
    assert read.specifiers == {"apsw": "", "mariadb": "<2"}
    assert read.missing == (tmp_path / "absent.txt",)
    assert {*named} - {tmp_path / "setup.py"} <= {*read.sources}


def test_a_project_without_files_asks_for_nothing(tmp_path: Path) -> None:
    assert specifiers(tmp_path) == {}
    (tmp_path / "pyproject.toml").write_text("project = [")
    with pytest.raises(UsageError, match="not TOML"):
        specifiers(tmp_path)


@pytest.mark.parametrize(
    ("specifier", "version", "fits"),
    [("", "1.0", True), ("==2.2.*", "2.2.4", True), ("==2.2.*", "2.3.1", False),
     (">=1", "2.0rc1", True), ("nonsense", "1", True), (">=1", "not-a-version", True)],
)  # fmt: skip
def test_an_installed_version_fits_or_not(specifier: str, version: str, fits: object) -> None:
    assert allows(specifier, version) is fits
