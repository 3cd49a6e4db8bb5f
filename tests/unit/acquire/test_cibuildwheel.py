"""cibuildwheel's configuration, made from the recipes."""

import pytest

from buildtools.acquire import AcquireError
from buildtools.acquire.cibuildwheel import configuration
from buildtools.recipes import Recipe, find_recipe, load_recipes
from buildtools.targets import parse_target


def recipe(name: str) -> Recipe:
    found = find_recipe(load_recipes(), name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("spec", "key", "begins"),
    [
        ("linux/x86_64/glibc2.28", "CIBW_BEFORE_ALL_LINUX", "dnf install -y mariadb-connector-c"),
        ("linux/aarch64/musl", "CIBW_BEFORE_ALL_LINUX", "apk add --no-cache mariadb-connector-c"),
        ("darwin/arm64", "CIBW_BEFORE_ALL_MACOS", "brew install mariadb-connector-c"),
    ],
)
def test_the_images_own_packages_are_installed(spec: str, key: str, begins: str) -> None:
    settings = configuration(recipe("mysqlclient"), parse_target(spec, {}))
    assert settings[key].startswith(begins)
    assert settings["CIBW_TEST_COMMAND"] == "python -c 'import MySQLdb._mysql'"


@pytest.mark.parametrize(
    ("floor", "image"),
    [("2.17", "manylinux2014"), ("2.28", "manylinux_2_28"), ("2.31", "manylinux_2_28"),
     ("2.36", "manylinux_2_34")],
)  # fmt: skip
def test_the_image_is_the_newest_that_the_floor_allows(floor: str, image: str) -> None:
    target = parse_target(f"linux/aarch64/glibc{floor}", {})
    settings = configuration(recipe("mysqlclient"), target)
    assert settings["CIBW_MANYLINUX_AARCH64_IMAGE"] == image


def test_a_floor_that_no_image_has_is_refused() -> None:
    with pytest.raises(AcquireError, match=r"no image for glibc2\.12"):
        configuration(recipe("mysqlclient"), parse_target("linux/x86_64/glibc2.12", {}))


def test_what_is_compiled_in_needs_no_packages() -> None:
    settings = configuration(recipe("pysqlite3"), parse_target("linux/x86_64", {}))
    assert "CIBW_BEFORE_ALL_LINUX" not in settings


def test_macos_gets_its_floor() -> None:
    settings = configuration(recipe("pysqlite3"), parse_target("darwin/arm64/macos12", {}))
    assert settings["MACOSX_DEPLOYMENT_TARGET"] == "12.0"
