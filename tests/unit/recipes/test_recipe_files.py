"""The recipes that ship: read whole, valid by the schema, and every field is explained."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

import buildtools
from buildtools.recipes import (
    PACKAGE_FAMILIES,
    PLACEHOLDERS,
    SOURCE_BUNDLES,
    PureKind,
    find_recipe,
    load_recipes,
    recipe_root,
)
from buildtools.recipes.reading import BUILD_KEYS, RECIPE_KEYS

PACKAGE = Path(buildtools.__file__).parent
SCHEMA = json.loads((PACKAGE / "schemas" / "recipe.schema.json").read_text(encoding="utf-8"))
PAGE = (PACKAGE.parent / "docs" / "recipes.md").read_text(encoding="utf-8")
FILES = sorted(recipe_root().glob("*/*/recipe.yaml"))
DRIVERS = {
    "sqlite3", "pysqlite3", "apsw", "mysqlclient", "mariadb", "mysql-connector-python", "asyncmy",
    "PyMySQL",
}  # fmt: skip


def test_every_driver_of_the_mission_has_a_recipe_and_a_probe() -> None:
    recipes = load_recipes()
    assert set(recipes) == DRIVERS
    for recipe in recipes.values():
        assert recipe.probe is not None, recipe.driver
        assert recipe.probe.name == "probe.py"
        assert not recipe.derived


def test_only_the_standard_librarys_module_has_no_distribution() -> None:
    assert [r.driver for r in load_recipes().values() if r.distribution is None] == ["sqlite3"]


def test_what_is_compiled_says_what_it_needs_on_each_platform_or_links_nothing() -> None:
    for recipe in load_recipes().values():
        if recipe.pure is PureKind.ALWAYS:
            assert recipe.build is None
            continue
        assert recipe.build is not None, recipe.driver
        assert recipe.native, recipe.driver
        if recipe.build.link:
            assert {"debian", "fedora", "homebrew"} <= set(recipe.build.packages), recipe.driver


def test_what_loads_plugins_says_how_they_travel() -> None:
    recipes = load_recipes()
    for driver in ("mysqlclient", "mariadb"):
        build = recipes[driver].build
        assert build is not None
        assert build.plugins is not None
        assert build.plugins.environment == "MARIADB_PLUGIN_DIR"


@pytest.mark.parametrize("name", ["mysql_connector_python", "MYSQL-Connector.Python", "pymysql"])
def test_a_recipe_is_found_however_its_name_is_spelled(name: str) -> None:
    recipe = find_recipe(load_recipes(), name)
    assert recipe is not None
    assert recipe.driver in {"mysql-connector-python", "PyMySQL"}


def test_a_name_without_a_recipe_finds_none() -> None:
    assert find_recipe(load_recipes(), "numpy") is None


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_every_recipe_is_valid_by_the_schema_for_editors(file: Path) -> None:
    jsonschema.validate(yaml.safe_load(file.read_text(encoding="utf-8")), SCHEMA)


def test_the_schema_knows_the_fields_that_the_reader_knows() -> None:
    assert set(SCHEMA["properties"]) == set(RECIPE_KEYS)
    build = SCHEMA["$defs"]["build"]["properties"]
    assert set(build) == set(BUILD_KEYS)
    families = build["packages"]["propertyNames"]["enum"]
    assert set(families) == set(PACKAGE_FAMILIES)
    assert tuple(build["sources"]["items"]["enum"]) == SOURCE_BUNDLES


@pytest.mark.parametrize(
    "name",
    [*RECIPE_KEYS, *BUILD_KEYS, *PACKAGE_FAMILIES, *SOURCE_BUNDLES, "module", "required"]
    + [f"{{{name}}}" for name in PLACEHOLDERS],
)
def test_the_page_on_recipes_names_every_field(name: str) -> None:
    assert f"`{name}`" in PAGE, f"docs/recipes.md does not explain {name}"
