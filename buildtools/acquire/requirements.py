"""What a recipe demands of a wheel: its native modules, under names that the target imports."""

from __future__ import annotations

import zipfile
from pathlib import Path

from buildtools.errors import CannotLookError
from buildtools.recipes import Recipe
from buildtools.targets import Target, extension_suffixes


def missing_native_modules(recipe: Recipe, wheel: Path, place: Target) -> tuple[str, ...]:
    """The required native modules that the wheel does not hold for the place's Python.

    A module counts when a file of its dotted name with a suffix that this Python imports is in the
    wheel, also below ``.data/platlib``.
    """
    if place.python is None:
        raise ValueError(place.spec)
    suffixes = place.python.ext_suffixes or extension_suffixes(place, place.python)
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise CannotLookError("this wheel is damaged", where=str(wheel), why=str(error)) from error
    held = {_without_data(name) for name in names}
    absent = []
    for module in recipe.native:
        stem = module.module.replace(".", "/")
        # A package whose __init__ is compiled (apsw) is named like a module.
        stems = (stem, f"{stem}/__init__")
        if module.required and not any(s + suffix in held for s in stems for suffix in suffixes):
            absent.append(module.module)
    return tuple(absent)


def _without_data(name: str) -> str:
    """The name as it will be installed: ``x.data/platlib/a/b.so`` is ``a/b.so``."""
    head, _, rest = name.partition(".data/")
    if rest and "/" not in head:
        kind, _, below = rest.partition("/")
        if kind in {"platlib", "purelib"}:
            return below
    return name
