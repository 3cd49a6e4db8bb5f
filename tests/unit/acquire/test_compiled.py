"""The order of static libraries on a linker's command line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from buildtools.acquire.compiled import link_order, platform_name
from buildtools.recipes import LibraryRecipe, load_libraries
from buildtools.targets import parse_target


def named(name: str, *needs: str) -> LibraryRecipe:
    return replace(load_libraries()["zlib"], name=name, needs=needs)


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["a"], ["a", "b", "c", "d"]),
        (["d", "a"], ["a", "b", "c", "d"]),
        (["c", "b"], ["b", "c", "d"]),
        (["d"], ["d"]),
    ],
)
def test_a_library_comes_once_and_before_all_that_it_needs(
    names: list[str], order: list[str]
) -> None:
    recipes = {
        one.name: one
        for one in (named("a", "b", "c"), named("b", "d"), named("c", "d"), named("d"))
    }
    found = list(link_order(recipes, names))
    assert sorted(found) == sorted(order)
    for name in found:
        assert all(found.index(other) > found.index(name) for other in recipes[name].needs)


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("linux/x86_64/musl", "linux/x86_64"),
        ("linux/aarch64/glibc2.28", "linux/aarch64"),
        ("darwin/arm64/macos11", "darwin/arm64"),
    ],
)
def test_a_librarys_recipe_calls_a_target_by_system_and_architecture(
    target: str, name: str
) -> None:
    assert platform_name(parse_target(target, {})) == name
