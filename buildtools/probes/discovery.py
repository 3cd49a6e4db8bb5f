"""Which drivers an environment has, and the recipe, written or derived, of a name."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path

from buildtools.environment.distributions import normalized, read_folder_name
from buildtools.errors import UsageError
from buildtools.host import Interpreter
from buildtools.recipes import Recipe, derived_recipe, find_recipe
from buildtools.recipes.derivation import modules_of_files

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


def installed_metadata(interpreter: Interpreter) -> Mapping[str, Path]:
    """The metadata folder of each distribution by normalised name, the first on ``sys.path``."""
    found: dict[str, Path] = {}
    for entry in interpreter.sys_path:
        try:
            names = sorted(child.name for child in Path(entry).iterdir())
        except OSError:
            continue
        for name in names:
            read = read_folder_name(name)
            if read is not None:
                found.setdefault(normalized(read[0]), Path(entry) / name)
    return found


def installed_drivers(
    recipes: Mapping[str, Recipe], interpreter: Interpreter
) -> tuple[Recipe, ...]:
    """The drivers with a recipe that are installed; the standard library's always."""
    metadata = installed_metadata(interpreter)
    return tuple(
        recipe
        for recipe in recipes.values()
        if recipe.distribution is None or normalized(recipe.distribution) in metadata
    )


def recipe_of(name: str, recipes: Mapping[str, Recipe], interpreter: Interpreter) -> Recipe:
    """The recipe of a driver or distribution; derived from what is installed where none is written.

    Raises :class:`UsageError` for what is no name of a distribution.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name of a driver or distribution",
            next_step=f"name one of {', '.join(recipes)}, or any installed distribution",
        )
    recipe = find_recipe(recipes, name)
    if recipe is not None:
        return recipe
    info = installed_metadata(interpreter).get(normalized(name))
    if info is None:
        return derived_recipe(name, imports=(name.replace("-", "_"),), native=())
    imports, native = modules_of_files(_listed_files(info))
    read = read_folder_name(info.name)
    return derived_recipe(read[0] if read else name, imports=imports, native=native)


def _listed_files(info: Path) -> list[str]:
    """The files of RECORD (PEP 376) or ``installed-files.txt``, counted from the site folder."""
    record = info / "RECORD"
    if record.is_file():
        with record.open(encoding="utf-8", errors="replace", newline="") as stream:
            return [row[0] for row in csv.reader(stream) if row]
    listed = info / "installed-files.txt"
    if listed.is_file():
        lines = listed.read_text(encoding="utf-8", errors="replace").splitlines()
        return [line.removeprefix("../") for line in lines]
    return []
