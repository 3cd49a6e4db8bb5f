"""The libraries of the source way that ship, and how a mistake in one is refused."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

import buildtools
from buildtools.recipes import RecipeError, load_libraries, load_recipes, recipe_root
from buildtools.recipes.library import KEYS, PLATFORMS, BuildSystem

PACKAGE = Path(buildtools.__file__).parent
SCHEMA = json.loads((PACKAGE / "schemas" / "library.schema.json").read_text(encoding="utf-8"))
PAGE = (PACKAGE.parent / "docs" / "recipes.md").read_text(encoding="utf-8")
FILES = sorted(recipe_root().glob("libraries/*/library.yaml"))

GOOD = """\
library: demo
summary: a library
licence: MIT
licence_file: COPYING
link: [demo]
version: {header: demo.h, name: DEMO_VERSION}
source: {debian: demo, archives: {demo-1.tar.gz: "%s"}}
build:
  system: cmake
  options: [DEMO=ON]
  platforms: {linux/x86_64: []}
  targets: [demo]
headers: {demo.h: .}
archives: {build/libdemo.a: libdemo.a}
""" % ("0" * 64)


def test_every_platform_of_the_targets_can_be_compiled_for() -> None:
    for library in load_libraries().values():
        assert set(library.platforms) == set(PLATFORMS), library.name


def test_what_a_driver_names_for_a_system_is_there_with_all_that_it_needs() -> None:
    libraries = load_libraries()
    for driver in ("mysqlclient", "mariadb"):
        build = load_recipes()[driver].build
        assert build is not None
        for names in build.libraries.values():
            for name in names:
                assert set(libraries[name].needs) <= set(libraries)


def test_login_plugins_are_part_of_the_client_library() -> None:
    options = load_libraries()["mariadb-connector-c"].options
    for plugin in ("CACHING_SHA2_PASSWORD", "CLIENT_ED25519", "SHA256_PASSWORD", "DIALOG"):
        assert f"CLIENT_PLUGIN_{plugin}=STATIC" in options


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_every_library_is_valid_by_the_schema_for_editors(file: Path) -> None:
    jsonschema.validate(yaml.safe_load(file.read_text(encoding="utf-8")), SCHEMA)


def test_the_schema_knows_the_fields_that_the_reader_knows() -> None:
    assert set(SCHEMA["properties"]) == set(KEYS)
    build = SCHEMA["properties"]["build"]["properties"]
    assert build["system"]["enum"] == list(BuildSystem)
    assert tuple(build["platforms"]["propertyNames"]["enum"]) == PLATFORMS


@pytest.mark.parametrize("name", [*KEYS, *PLATFORMS, "debian", "folder", "without", "targets"])
def test_the_page_on_recipes_names_every_field(name: str) -> None:
    assert f"`{name}`" in PAGE, f"docs/recipes.md does not explain {name}"


def load(root: Path, text: str) -> None:
    folder = root / "libraries" / "demo"
    folder.mkdir(parents=True)
    (folder / "library.yaml").write_text(text, encoding="utf-8")
    load_libraries(root)


def test_a_library_without_a_mistake_is_read(tmp_path: Path) -> None:
    load(tmp_path, GOOD)


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("library: demo", "library: other", 1, "the folder is named 'demo'"),
        ("link: [demo]", "link: ['-Wl,x']", 5, "is no good as"),
        ("link: [demo]", "needs: [nothing]\nlink: [demo]", 5, "no library is named 'nothing'"),
        ("header: demo.h", "header: ../demo.h", 6, "must stay below"),
        ("0" * 64, "0" * 63, 7, "is no good as demo-1.tar.gz"),
        ("system: cmake", "system: scons", 9, "must be one of openssl, configure, cmake"),
        ("[DEMO=ON]", "['DEMO={other}/x']", 10, "is none of the libraries"),
        ("[DEMO=ON]", "['DEMO=$(id)']", 10, "is no good as"),
        ("[DEMO=ON]", "['DEMO=../x']", 10, "is no good as an option"),
        ("linux/x86_64", "linux/sparc", 11, "has no 'linux/sparc'"),
        ("build/libdemo.a:", "/etc/libdemo.a:", 14, "is no good as a place"),
        ("summary: a library\n", "", 1, "lacks 'summary'"),
    ],
)
def test_a_mistake_is_refused_where_it_stands(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    assert old in GOOD
    with pytest.raises(RecipeError) as caught:
        load(tmp_path, GOOD.replace(old, new))
    assert caught.value.line == line
    assert said in str(caught.value)
