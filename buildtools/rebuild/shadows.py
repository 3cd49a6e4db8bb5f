"""Copies of a driver that stand in front of the environment's own and are imported instead."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from buildtools.environment import normalized
from buildtools.host import Interpreter
from buildtools.install import find_installed, owned_by_others
from buildtools.recipes import Recipe


class HidingPlace(StrEnum):
    """Why the folder is searched first; it decides who may mend it."""

    USER_SITE = "user site"
    PYTHONPATH = "PYTHONPATH"


@dataclass(frozen=True, slots=True, kw_only=True)
class HidingCopy:
    """One such copy: the folder that it stands in, and its entries there."""

    place: HidingPlace
    folder: Path
    entries: tuple[str, ...]

    @property
    def path(self) -> Path:
        """What is imported instead."""
        return self.folder / self.entries[0]

    @property
    def advice(self) -> str:
        """What a person can do about it, in one sentence."""
        if self.place is HidingPlace.USER_SITE:
            return f"remove {self.path} from the user site, or set PYTHONNOUSERSITE=1"
        return f"take {self.folder} out of PYTHONPATH"


def hiding_copies(interpreter: Interpreter, recipe: Recipe) -> tuple[HidingCopy, ...]:
    """The copies that are found before the environment's own site folder, in that order."""
    own = os.path.realpath(interpreter.platlib)
    user = os.path.realpath(interpreter.user_site) if interpreter.user_site else ""
    stdlib = os.path.realpath(interpreter.stdlib)
    found = []
    for entry in interpreter.sys_path:
        real = os.path.realpath(entry or ".")
        if real == own:
            break
        if real.startswith(stdlib) or not Path(real).is_dir():
            continue
        place = HidingPlace.USER_SITE if real == user else HidingPlace.PYTHONPATH
        entries = tuple(_entries(Path(real), recipe))
        if entries:
            found.append(HidingCopy(place=place, folder=Path(real), entries=entries))
    return tuple(found)


def is_shared(copy: HidingCopy, recipe: Recipe) -> bool:
    """Whether other distributions have files among its entries, so that it must not be moved."""
    distribution = normalized(recipe.distribution or recipe.driver)
    return bool(owned_by_others(copy.folder, distribution, copy.entries))


def _entries(folder: Path, recipe: Recipe) -> Iterator[str]:
    """What lies in a folder of the driver: its packages and modules, then its metadata."""
    tops = dict.fromkeys(name.partition(".")[0] for name in recipe.imports)
    tops |= dict.fromkeys(module.module.partition(".")[0] for module in recipe.native)
    names = sorted(entry.name for entry in os.scandir(folder))
    importable = [
        name
        for name in names
        if name in tops or (name.partition(".")[0] in tops and name.endswith((".so", ".py")))
    ]
    if not importable:
        return
    yield from importable
    yield from (name for name in names if name.removesuffix(".libs") in tops and name not in tops)
    if recipe.distribution is not None:
        for one in find_installed(folder, normalized(recipe.distribution), folder):
            yield one.info
