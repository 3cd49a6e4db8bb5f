"""The recipes under ``native/``: what is known of a driver, read from its file or derived."""

from buildtools.recipes.library import BuildSystem, LibraryRecipe
from buildtools.recipes.loading import (
    derived_recipe,
    find_recipe,
    load_libraries,
    load_recipes,
    recipe_root,
)
from buildtools.recipes.model import (
    PACKAGE_FAMILIES,
    PLACEHOLDERS,
    SOURCE_BUNDLES,
    BuildRecipe,
    NativeModule,
    PackageSet,
    Plugins,
    PureKind,
    Recipe,
)
from buildtools.recipes.reading import RecipeError, RecipeMistake

__all__ = [
    "PACKAGE_FAMILIES",
    "PLACEHOLDERS",
    "SOURCE_BUNDLES",
    "BuildRecipe",
    "BuildSystem",
    "LibraryRecipe",
    "NativeModule",
    "PackageSet",
    "Plugins",
    "PureKind",
    "Recipe",
    "RecipeError",
    "RecipeMistake",
    "derived_recipe",
    "find_recipe",
    "load_libraries",
    "load_recipes",
    "recipe_root",
]
