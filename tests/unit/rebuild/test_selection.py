"""Which drivers a run is about: asked for, configured, or found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from buildtools.configuration import Configuration
from buildtools.environment import Tree, scan
from buildtools.errors import UsageError
from buildtools.rebuild.requirements import Requirements
from buildtools.rebuild.selection import derive_from_wheel, select
from buildtools.recipes import load_recipes
from buildtools.wheels import OpenWheel
from tests.unit.wheels.making import SUFFIX, Making, corpus

RECIPES = load_recipes()
NONE = Requirements(specifiers={}, sources=())


def configuration(*drivers: str) -> Configuration:
    return Configuration(root=Path(), named={}, render={}, drivers=drivers)


def never() -> Tree:
    raise AssertionError("the environment was looked through for nothing")


def names(
    asked: list[str],
    tree: Callable[[], Tree] = never,
    requirements: Requirements = NONE,
    *configured: str,
) -> list[tuple[str, str]]:
    wanted = select(asked, configuration(*configured), RECIPES, tree, requirements)
    return [(one.name, one.versions) for one in wanted]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site folder with a driver, a native distribution without a recipe, and a pure one."""
    folder = tmp_path / "lib" / "python3.11" / "site-packages"
    for name, version in (("mysqlclient", "2.2.4"), ("native_thing", "1.0"), ("pure", "1.0")):
        info = folder / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        module = f"{name}/_part{SUFFIX}" if name != "pure" else "pure/__init__.py"
        (info / "RECORD").write_text(f"{module},,\n")
        (folder / module).parent.mkdir()
        (folder / module).write_bytes(corpus())
    return tmp_path


def test_what_is_asked_for_comes_first_however_it_is_spelled() -> None:
    assert names(["MySQL_Connector.Python", "apsw==3.*", "APSW"], never, NONE, "asyncmy") == [
        ("mysql-connector-python", ""),
        ("apsw", "==3.*"),
    ]


def test_then_what_is_configured() -> None:
    assert names([], never, NONE, "sqlite3", "asyncmy>=0.2") == [
        ("sqlite3", ""),
        ("asyncmy", ">=0.2"),
    ]


def test_then_what_is_installed_or_required(site: Path) -> None:
    requirements = Requirements(
        specifiers={"apsw": ">=3", "native-thing": "", "pure": "", "unknown": ""}, sources=()
    )
    found = names([], lambda: scan(site), requirements)
    assert set(found) == {("mysqlclient", ""), ("apsw", ">=3"), ("native_thing", "")}


def test_requirements_bound_what_is_asked_for() -> None:
    requirements = Requirements(specifiers={"mysqlclient": "==2.2.*"}, sources=())
    assert names(["mysqlclient>=2.2.4"], never, requirements) == [
        ("mysqlclient", ">=2.2.4,==2.2.*")
    ]


@pytest.mark.parametrize(
    "name", ["", "../x", "a;b", "$(x)", "--flag", "mysqlclient==", "mysqlclient==a b", "x y"]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        names([name])


def test_a_recipe_is_derived_from_a_wheel(tmp_path: Path) -> None:
    files = {
        "pack/__init__.py": b"",
        f"pack/_part{SUFFIX}": corpus(),
        f"_top{SUFFIX}": corpus(),
        "pack.libs/libx.so.1": corpus("elf-libsample-1.1.so.1"),
    }
    with OpenWheel(Making(files=files).write(tmp_path)) as opened:
        recipe = derive_from_wheel("sample", opened)
    assert recipe.imports == ("_top", "pack")
    assert {one.module for one in recipe.native} == {"_top", "pack._part"}
