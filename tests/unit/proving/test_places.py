"""Where a wheel can be tried from here, and the reasons where it cannot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from buildtools.acquire import AcquireError, Tools
from buildtools.proving import NoPlaceError, find_place, hosted_python, places, trees
from buildtools.proving.proof import Proven, read_only, wanted_modules
from buildtools.proving.trees import Tree, loader_words, releases_with
from buildtools.recipes import load_recipes
from buildtools.targets import parse_python_tag, parse_target
from tests.unit.acquire.values import HOME, interpreter


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    return Tools(cache=tmp_path, python=interpreter(), offline=True)


@pytest.fixture(autouse=True)
def bookworm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "codename", lambda: ("debian", "bookworm"))


@pytest.mark.parametrize("floor", ["glibc2.17", "glibc2.36"])
def test_the_machine_itself_is_the_place_for_what_it_can_load(floor: str, tools: Tools) -> None:
    place = find_place(parse_target(f"linux/x86_64/{floor}/cp311", {}), interpreter(), tools)
    assert place.interpreter == interpreter()
    assert place.prefix == ()
    assert place.how == "here, by Python 3.11.7"


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("darwin/arm64/cp311", "nothing on it runs macOS"),
        ("linux/aarch64/cp313t", "no cp313t for aarch64 is on this machine"),
        ("linux/aarch64/cp312", "no release of this machine's archive carries Python 3.12"),
    ],
)
def test_a_place_that_cannot_be_had_says_why(target: str, why: str, tools: Tools) -> None:
    with pytest.raises(NoPlaceError, match=why):
        find_place(parse_target(target, {}), interpreter(), tools)


@pytest.mark.parametrize("libc", ["musl", "gnu"])
def test_a_python_that_imports_other_names_than_wheels_have_is_no_place(
    libc: str, tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CPython 3.13 compiled by clang for musl took itself for one of glibc."""
    target = parse_target("linux/x86_64/musl/cp311", {})
    facts = interpreter()
    suffixes = (f".cpython-311-x86_64-linux-{libc}.so", ".so")
    python = replace(facts.abi, ext_suffixes=suffixes)
    there = replace(facts, target=parse_target("linux/x86_64/musl1.2", {}).with_python(python))
    tree = Tree(root=tmp_path, python=tmp_path / "python", origin="one made for it")
    monkeypatch.setattr(places, "musl_python", lambda *_, **__: tree)
    monkeypatch.setattr(places, "loader_words", lambda *_, **__: ())
    monkeypatch.setattr(places, "interpreter_facts", lambda *_, **__: there)
    if libc == "musl":
        assert find_place(target, facts, tools).interpreter == there
    else:
        said = "imports no file named .cpython-311-x86_64-linux-musl.so.*one made for it imports"
        with pytest.raises(NoPlaceError, match=said):
            find_place(target, facts, tools)


def test_nothing_is_compiled_unasked(tools: Tools) -> None:
    with pytest.raises(NoPlaceError, match="takes minutes, and was not asked for"):
        find_place(
            parse_target("linux/x86_64/musl/cp311", {}), interpreter(), tools, compiling=False
        )


def test_the_machines_own_release_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert releases_with("3.13") == ("trixie", "forky", "sid")
    monkeypatch.setattr(trees, "codename", lambda: ("debian", "sid"))
    assert releases_with("3.13")[0] == "sid"
    monkeypatch.setattr(trees, "codename", lambda: None)
    assert releases_with("3.13") == ()


def test_the_trees_own_loader_is_told_where_its_libraries_are(tmp_path: Path) -> None:
    with pytest.raises(AcquireError, match="no loader"):
        loader_words(tmp_path)
    libraries = tmp_path / "usr/lib/x86_64-linux-gnu"
    libraries.mkdir(parents=True)
    loader = tmp_path / "lib64/ld-linux-x86-64.so.2"
    loader.parent.mkdir()
    loader.touch()
    words = loader_words(tmp_path)
    assert words[:2] == (str(loader), "--library-path")
    assert str(libraries) in words[2].split(":")


def test_a_free_threaded_python_is_not_made_up(tools: Tools) -> None:
    with pytest.raises(AcquireError, match="no cp314t on this machine") as caught:
        hosted_python(tools, parse_python_tag("cp314t"))
    assert "put a free-threaded Python 3.14 on PATH" in caught.value.next_step
    with pytest.raises(AcquireError, match="no cp313td on this machine") as caught:
        hosted_python(tools, parse_python_tag("cp313td"))
    assert "put a free-threaded debug Python 3.13 on PATH" in caught.value.next_step


def test_a_probe_names_the_modules_that_it_wants() -> None:
    recipes = load_recipes()
    assert wanted_modules(recipes["mysqlclient"]) == frozenset()
    assert wanted_modules(recipes["sqlite3"]) == {"sqlite3"}


def test_a_proof_by_reading_says_why_it_went_no_further() -> None:
    proof = read_only("nothing here runs it")
    assert (proof.word, proof.place) == (Proven.STATIC, "")
    assert proof.reason == "nothing here runs it"
    assert {word.value for word in Proven} == {"executed", "static", "runner"}
    assert HOME.python is not None
