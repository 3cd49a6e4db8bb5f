"""What has changed since a rebuild left an environment: said in words, or nothing at all."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from buildtools.stamps.sources import project_root, requirement_files
from buildtools.stamps.stamp import (
    FILENAME,
    DriverStamp,
    PlaceStamp,
    Stamp,
    file_sha256,
    recipe_digest,
    source_stamps,
)

HIDDEN = ".buildtools"
"""The folder in a site folder that holds the stamp (the same as the install room's)."""

VARIABLES = ("PYTHONPATH", "PYTHONUSERBASE", "PYTHONNOUSERSITE", "PYTHONHOME", "LD_LIBRARY_PATH")
"""Environment variables that change which file an import loads."""


def stamp_path(site: Path) -> Path:
    """Where the stamp of an environment lies."""
    return site / HIDDEN / FILENAME


def place_stamp(
    *,
    executable: Path,
    prefix: Path,
    site: Path,
    version: str,
    target: str,
    search_path: Sequence[str],
    environment: Mapping[str, str] | None = None,
) -> PlaceStamp:
    """The interpreter and its search path as they are now."""
    real = os.path.realpath(executable)
    now = Path(real).stat()
    own = os.path.realpath(site)
    searched = [entry for entry in search_path if os.path.realpath(entry) != own]
    return PlaceStamp(
        executable=real,
        size=now.st_size,
        mtime_ns=now.st_mtime_ns,
        prefix=str(prefix),
        site=str(site),
        version=version,
        target=target,
        pyvenv=file_sha256(prefix / "pyvenv.cfg"),
        searched=tuple((path, _mtime(path)) for path in searched),
        variables=_variables(environment),
    )


def place_drift(place: PlaceStamp, *, executable: Path, prefix: Path, site: Path) -> str:
    """What has changed about the interpreter and its search; empty when nothing has."""
    real = os.path.realpath(executable)
    if place.prefix != str(prefix) or os.path.realpath(place.site) != os.path.realpath(site):
        return f"this environment was copied from {place.prefix}"
    if real != place.executable:
        return f"the interpreter is another one: {real}, it was {place.executable}"
    try:
        now = Path(real).stat()
    except OSError:
        return f"the interpreter {real} is gone"
    if (now.st_size, now.st_mtime_ns) != (place.size, place.mtime_ns):
        return f"the interpreter {real} was replaced"
    if file_sha256(prefix / "pyvenv.cfg") != place.pyvenv:
        return "pyvenv.cfg was changed"
    return _search_drift(place)


def _search_drift(place: PlaceStamp) -> str:
    variables = _variables(None)
    for name in VARIABLES:
        if variables.get(name) != place.variables.get(name):
            return f"{name} was changed"
    for path, mtime in place.searched:
        if _mtime(path) != mtime:
            return f"something was put into or taken out of {path}"
    return ""


def driver_drift(
    driver: DriverStamp, site: Path, *, requirement: str, recipe_files: Sequence[Path]
) -> str:
    """What has changed about one driver; empty when nothing has."""
    if driver.requirement != requirement:
        return f"the requirement was {driver.requirement or 'any version'}, it is now " + (
            requirement or "any version"
        )
    if driver.recipe != recipe_digest(recipe_files):
        return "its recipe was changed"
    folder = str(site)
    for file in driver.files:
        change = file.change(folder)
        if change:
            return change
    return ""


def quick_look(
    *, executable: Path, drivers: Sequence[str], folder: Path
) -> tuple[Stamp, tuple[str, ...]] | None:
    """The stamp of an environment in which nothing has changed, and the drivers that were meant.

    Stats and a few small files are all that is read; no program is started. None when something has
    changed, or when that cannot be told so cheaply. ``drivers`` empty means those of the project
    that ``folder`` belongs to.
    """
    prefix = executable.parent.parent
    for site in _sites(prefix):
        stamp = Stamp.read(stamp_path(site))
        if stamp is None or stamp.place.prefix not in {str(prefix), os.path.realpath(prefix)}:
            continue
        own = Path(stamp.place.prefix)
        if place_drift(stamp.place, executable=executable, prefix=own, site=site):
            continue
        if any(name.startswith("tx-") for name in os.listdir(site / HIDDEN)):  # noqa: PTH208
            return None
        meant = _meant(stamp, drivers, folder, site)
        return None if meant is None else (stamp, meant)
    return None


def _meant(
    stamp: Stamp, drivers: Sequence[str], folder: Path, site: Path
) -> tuple[str, ...] | None:
    """The drivers of a run, when nothing has happened to any of them."""
    root = project_root(folder, set(stamp.selections))
    if root is None:
        return None
    selection = stamp.selections[str(root)]
    paths = [row[0] for row in selection.sources]
    if source_stamps(paths) != selection.sources:
        return None
    if not {str(path) for path in requirement_files(root)} <= set(paths):
        return None
    if not drivers and selection.site_mtime_ns not in {-1, _mtime(str(site))}:
        return None
    meant = _known_by(drivers, stamp) if drivers else selection.drivers
    for name in meant or ():
        known = stamp.drivers.get(name)
        if known is None or driver_drift(
            known,
            site,
            requirement=selection.requirements.get(name, ""),
            recipe_files=recipe_files(name),
        ):
            return None
    return meant


def recipe_files(driver: str) -> tuple[Path, ...]:
    """What a driver's recipe is made of: its own folder's files and those that its family shares.

    Found by the folder's name, so that no YAML is read; empty for a driver without a recipe.
    """
    wanted = _normalised(driver)
    package = Path(__file__).parents[1]
    root = package / "_native"
    if not root.is_dir():
        root = package.parent / "native"
    for family in sorted(_folders(root)):
        for folder in _folders(family):
            if _normalised(folder.name) == wanted:
                return (*sorted(_files(folder)), *sorted(_files(family)))
    return ()


def _known_by(drivers: Sequence[str], stamp: Stamp) -> tuple[str, ...] | None:
    """The stamped names of drivers as a person spells them; None when one is not stamped."""
    names = {_normalised(name): name for name in stamp.drivers}
    found = [names.get(_normalised(driver)) for driver in drivers]
    return None if None in found else tuple(name for name in found if name is not None)


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _sites(prefix: Path) -> list[Path]:
    library = prefix / "lib"
    try:
        pythons = [entry.name for entry in os.scandir(library) if entry.name.startswith("python3")]
    except OSError:
        return []
    return [library / name / "site-packages" for name in sorted(pythons)]


def _folders(folder: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir()]
    except OSError:
        return []


def _files(folder: Path) -> list[Path]:
    return [
        Path(entry.path)
        for entry in os.scandir(folder)
        if entry.is_file() and entry.name.endswith((".py", ".yaml"))
    ]


def _variables(environment: Mapping[str, str] | None) -> dict[str, str]:
    source = os.environ if environment is None else environment
    return {name: source[name] for name in VARIABLES if source.get(name)}


def _mtime(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0
