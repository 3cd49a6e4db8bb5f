"""The recipes under ``native/``: found, read, checked against each other; derived where none is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from buildtools.errors import CannotLookError
from buildtools.recipes.library import LibraryRecipe, read_library
from buildtools.recipes.model import NativeModule, PureKind, Recipe
from buildtools.recipes.reading import ReadRecipe, RecipeError, RecipeMistake, read_recipe


def recipe_root() -> Path:
    """Where the recipes are: inside the installed package, else beside it in a checkout."""
    package = Path(__file__).parents[1]
    for folder in (package / "_native", package.parent / "native"):
        if folder.is_dir():
            return folder
    raise CannotLookError(
        "the recipes are missing",
        where=str(package),
        why="neither _native in the package nor native beside it is there",
        next_step="install native-buildtools anew",
    )


def load_recipes(root: Path | None = None) -> Mapping[str, Recipe]:
    """Every recipe by its driver's name, in the order of family and driver.

    Raises :class:`RecipeError` for the first file with mistakes, with all of that file's.
    """
    root = recipe_root() if root is None else root
    read = [read_recipe(file) for file in sorted(root.glob("*/*/recipe.yaml"))]
    recipes: dict[str, Recipe] = {}
    for entry in read:
        if find_recipe(recipes, entry.recipe.driver) is not None:
            raise _refused(entry, 1, 1, f"another recipe is named {entry.recipe.driver!r}")
        recipes[entry.recipe.driver] = entry.recipe
    libraries = load_libraries(root)
    for entry in read:
        _check_alternative(entry, recipes)
        _check_libraries(entry, libraries)
    return recipes


def load_libraries(root: Path | None = None) -> Mapping[str, LibraryRecipe]:
    """Every library that the source way compiles, by name: ``native/libraries/*/library.yaml``.

    Raises :class:`RecipeError` for the first file with mistakes.
    """
    root = recipe_root() if root is None else root
    read = [read_library(file) for file in sorted(root.glob("libraries/*/library.yaml"))]
    return {library.name: library for library in read}


def find_recipe(recipes: Mapping[str, Recipe], name: str) -> Recipe | None:
    """The recipe of a driver or distribution, however its name is spelled (PEP 503)."""
    wanted = _normalised(name)
    for recipe in recipes.values():
        if _normalised(recipe.driver) == wanted:
            return recipe
    for recipe in recipes.values():
        if recipe.distribution is not None and _normalised(recipe.distribution) == wanted:
            return recipe
    return None


def derived_recipe(
    distribution: str, *, imports: Iterable[str], native: Iterable[str | NativeModule]
) -> Recipe:
    """What can be said of a distribution without a recipe, from what it has installed.

    ``imports`` are its top-level modules, ``native`` its compiled ones. Nothing says whether
    it works without those, so each counts as optional: a lost one is a fallback and is told.
    """
    modules = tuple(
        NativeModule(module=entry, required=False) if isinstance(entry, str) else entry
        for entry in native
    )
    return Recipe(
        driver=distribution,
        family="other",
        distribution=distribution,
        summary="derived from what is installed",
        imports=tuple(imports),
        native=modules,
        pure=PureKind.OPTIONAL if modules else PureKind.ALWAYS,
        alternative=None,
        versions="",
        build=None,
        probe=None,
        derived=True,
    )


def _check_alternative(entry: ReadRecipe, recipes: Mapping[str, Recipe]) -> None:
    name = entry.recipe.alternative
    if name is None:
        return
    line, column = entry.alternative_at
    other = recipes.get(name)
    if other is None:
        raise _refused(entry, line, column, f"no recipe is named {name!r}")
    if other is entry.recipe:
        raise _refused(entry, line, column, "a driver is no alternative to itself")
    if other.pure is not PureKind.ALWAYS and other.distribution is not None:
        reason = f"{name!r} is compiled too; an alternative is pure or in the standard library"
        raise _refused(entry, line, column, reason)


def _check_libraries(entry: ReadRecipe, libraries: Mapping[str, LibraryRecipe]) -> None:
    build = entry.recipe.build
    for names in build.libraries.values() if build is not None else ():
        for name in names:
            if name not in libraries:
                known = ", ".join(libraries) or "none"
                reason = f"no library is named {name!r}; there are {known}"
                raise _refused(entry, *entry.libraries_at, reason)


def _refused(entry: ReadRecipe, line: int, column: int, reason: str) -> RecipeError:
    return RecipeError(entry.file, (RecipeMistake(line=line, column=column, reason=reason),))


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
