"""A recipe with a mistake is refused with file, line, column and reason; all at once."""

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buildtools.errors import ExitCode
from buildtools.recipes import Recipe, RecipeError, load_recipes

GOOD = """\
driver: demo
family: mysql
distribution: demo
summary: a driver
imports: [demo]
native:
  - module: demo._native
    required: true
pure: never
alternative: null
versions: ">=1.0"
build:
  environment:
    DEMO_CFLAGS: "-I{include}"
  config_tools: [demo_config]
  config_tool_variables:
    DEMO_CONFIG: demo_config
  link: [demo]
  packages:
    debian: {build: [libdemo-dev], runtime: [libdemo1]}
  plugins:
    packages: [libdemo-plugins]
    directory: demo/plugin
    environment: DEMO_PLUGIN_DIR
  requires: ["cython>=3"]
"""


def load(root: Path, text: str | bytes) -> Recipe:
    folder = root / "mysql" / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    content = text if isinstance(text, bytes) else text.encode()
    (folder / "recipe.yaml").write_bytes(content)
    return load_recipes(root)["demo"]


def refused(root: Path, text: str | bytes) -> RecipeError:
    with pytest.raises(RecipeError) as caught:
        load(root, text)
    error = caught.value
    assert error.exit_code is ExitCode.USAGE
    assert error.file == root / "mysql" / "demo" / "recipe.yaml"
    assert f"{error.file}:{error.line}:{error.column}" in str(error)
    assert error.reason in str(error)
    return error


def test_a_recipe_without_a_mistake_is_read_whole(tmp_path: Path) -> None:
    recipe = load(tmp_path, GOOD)
    assert recipe.build is not None
    assert recipe.build.environment == {"DEMO_CFLAGS": "-I{include}"}
    assert recipe.build.packages["debian"].runtime == ("libdemo1",)
    assert recipe.build.plugins is not None
    assert recipe.build.plugins.directory == "demo/plugin"
    assert recipe.versions == ">=1.0"
    assert recipe.probe is None


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "reason"),
    [
        ("summary: a", "sumary: a", 4, 1, "did you mean 'summary'"),
        ("  link:", "  links:", 18, 3, "did you mean 'link'"),
        ("    required: true", "    needed: true", 8, 5, "a native module has no 'needed'"),
        ("summary: a driver\n", "", 1, 1, "lacks 'summary'"),
        ("summary: a driver", "summary: 7", 4, 10, "summary must be text"),
        ("summary: a driver", "summary: [a]", 4, 10, "summary must be text"),
        ("summary: a driver", 'summary: ""', 4, 10, "must not be empty"),
        ("summary: a driver", 'summary: "a\\e[1m"', 4, 10, "control characters"),
        ("imports: [demo]", "imports: demo", 5, 10, "imports must be a list"),
        ("imports: [demo]", "imports: []", 5, 10, "must name a module"),
        ("imports: [demo]", "imports: [demo, demo]", 5, 17, "twice"),
        ("imports: [demo]", "imports: [os; import]", 5, 11, "no good as each of imports"),
        ("pure: never", "pure: sometimes", 9, 7, "must be one of never, optional, always"),
        ("pure: never", "pure: always", 9, 7, "has no native modules"),
        ("required: true", "required: 1", 8, 15, "must be true or false"),
        ('">=1.0"', '">>1.0"', 11, 11, "Invalid specifier"),
        ("driver: demo", "driver: other", 1, 9, "the folder is named 'demo'"),
        ("driver: demo", "driver: ../demo", 1, 9, "no good as driver"),
        ("family: mysql", "family: sqlite", 2, 9, "the folder above is 'mysql'"),
        ("alternative: null", "alternative: nothing", 10, 14, "no recipe is named 'nothing'"),
        ("alternative: null", "alternative: demo", 10, 14, "no alternative to itself"),
        ("{include}", "{home}", 14, 18, "{home} is no placeholder"),
        ("-I{include}", "-I{include", 14, 18, "a brace stands alone"),
        ("-I{include}", "-I{include}/../x", 14, 18, "must not hold '..'"),
        ("-I{include}", "$(id)", 14, 18, "no good as DEMO_CFLAGS"),
        ("-I{include}", "-I`id`", 14, 18, "no good as DEMO_CFLAGS"),
        ("DEMO_CFLAGS", "LD_PRELOAD", 14, 5, "LD_PRELOAD is not for a recipe to set"),
        ("DEMO_CFLAGS", "PATH", 14, 5, "PATH is not for a recipe to set"),
        ("DEMO_CFLAGS", "demo cflags", 14, 5, "no name of an environment variable"),
        ("DEMO_CONFIG: demo_config", "DEMO_CONFIG: other", 17, 18, "not among config_tools"),
        ("[demo_config]", "[/bin/sh]", 15, 18, "no good as each of config_tools"),
        ("debian:", "gentoo:", 20, 5, "packages has no 'gentoo'"),
        ("[libdemo-dev]", "[-y]", 20, 22, "no good as each of build"),
        (", runtime: [libdemo1]", "", 20, 13, "debian lacks 'runtime'"),
        ("demo/plugin", "../plugin", 23, 16, "must stay below"),
        ("demo/plugin", "/plugin", 23, 16, "must stay below"),
        ("demo/plugin", "demo//plugin", 23, 16, "must stay below"),
        ("cython>=3", "cython>>3", 25, 13, "Expected"),
        ("  link: [demo]", "  sources: [boost]", 18, 12, "'boost' is no source bundle"),
        ("distribution: demo", "distribution: demo\ndriver: demo", 4, 1, "'driver' twice"),
        ("summary: a driver", "summary: !!python/name:os.system x", 4, 10, "must be text"),
        ("summary: a driver", "summary: {a: b", 5, 1, "not YAML"),
        ("summary: a driver", "summary: \tx: y", 4, 10, "not YAML"),
    ],
)
def test_each_mistake_is_refused_where_it_stands(
    tmp_path: Path, *, old: str, new: str, line: int, column: int, reason: str
) -> None:
    assert old in GOOD
    error = refused(tmp_path, GOOD.replace(old, new, 1))
    found = [(m.line, m.reason) for m in error.mistakes]
    assert any(line == at and reason in why for at, why in found), found
    if "not YAML" not in reason:
        assert any(m.column == column for m in error.mistakes if reason in m.reason), error.mistakes


def test_all_mistakes_of_a_file_are_gathered_in_its_order(tmp_path: Path) -> None:
    text = GOOD.replace("pure: never", "pure: maybe").replace("driver: demo", "driver: x y")
    text = text.replace("  link: [demo]", "  link: demo")
    error = refused(tmp_path, text)
    assert [mistake.line for mistake in error.mistakes] == [1, 1, 9, 18]
    assert "4 mistakes" in str(error)


def test_aliases_are_refused_and_so_no_bomb_unfolds(tmp_path: Path) -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert "aliases are not taken" in refused(tmp_path, bomb).reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"- a\n", "must be a mapping"),
        (b"\xff\xfe\n", "not UTF-8"),
        (b"x: y\n---\nz: w\n", "not YAML"),
        (b"x" * 70_000, "larger than"),
        (b"a: " + b"[" * 2000, "not YAML"),
    ],
)
def test_what_is_no_recipe_at_all_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    assert reason in refused(tmp_path, content).reason


def test_an_alternative_that_is_compiled_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "mysql" / "other"
    other.mkdir(parents=True)
    text = GOOD.replace("driver: demo", "driver: other").replace("distribution: demo", "")
    (other / "recipe.yaml").write_text(text.replace("summary:", "distribution: other\nsummary:"))
    error = refused(tmp_path, GOOD.replace("alternative: null", "alternative: other"))
    assert "compiled too" in error.reason
    assert error.line == 10


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, len(GOOD)), insert=st.text(max_size=6))
def test_a_damaged_recipe_is_read_or_refused_and_nothing_else(
    tmp_path: Path, cut: int, insert: str
) -> None:
    text = GOOD[:cut] + insert + GOOD[cut:]
    try:
        load(tmp_path, text.encode("utf-8", "surrogatepass"))
    except RecipeError as error:
        refusal = error
    except KeyError:  # the damage is in the driver's name, and the recipe is read under another
        return
    else:
        return
    assert refusal.mistakes
    assert all(mistake.line >= 1 and mistake.column >= 1 for mistake in refusal.mistakes)


def test_mistakes_stand_at_the_same_place_without_the_compiled_yaml_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = GOOD.replace("summary: a", "sumary: a").replace("pure: never", "pure: maybe")
    compiled = refused(tmp_path, text).mistakes
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert refused(tmp_path, text).mistakes == compiled
    assert "not YAML" in refused(tmp_path, "summary: {a: b").reason
    assert "not YAML" in refused(tmp_path, b"a: " + b"[" * 1000).reason


def test_a_library_that_nobody_knows_is_refused_where_it_is_named(tmp_path: Path) -> None:
    added = "  link: [demo]\n  libraries:\n    linux: [libdemo]\n"
    error = refused(tmp_path, GOOD.replace("  link: [demo]\n", added))
    assert "no library is named 'libdemo'" in error.reason
    assert error.line == GOOD.splitlines().index("  link: [demo]") + 3


def test_a_system_that_nobody_compiles_for_is_refused(tmp_path: Path) -> None:
    added = "  link: [demo]\n  libraries:\n    plan9: [libdemo]\n"
    assert "plan9" in refused(tmp_path, GOOD.replace("  link: [demo]\n", added)).reason
