"""What is installed of a distribution now, and which files belong to others."""

from __future__ import annotations

import csv
import os
import posixpath
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from buildtools.wheels import normalized_name

INFO_SUFFIXES = (".dist-info", ".egg-info")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """One installed distribution.

    ``info`` is the name of its ``.dist-info`` or ``.egg-info`` in the site folder; ``owned`` the
    paths that it lists, from the site folder, inside the environment only; ``listed`` is False when
    it has no list and ``owned`` was taken from its top-level names; ``requested`` that a person
    asked for it (pip's REQUESTED).
    """

    name: str
    version: str
    info: str
    owned: frozenset[str]
    listed: bool
    requested: bool

    @property
    def distribution(self) -> str:
        """The name as PEP 503 compares it."""
        return normalized_name(self.name)


def info_folders(site: Path) -> Iterator[tuple[str, str, str]]:
    """``(folder, name, version)`` of each installed distribution, by the folder's name alone."""
    try:
        names = sorted(entry.name for entry in os.scandir(site))
    except OSError:
        return
    for folder in names:
        for suffix in INFO_SUFFIXES:
            if folder.endswith(suffix):
                name, _, rest = folder.removesuffix(suffix).partition("-")
                version = rest.partition("-py")[0] if suffix == ".egg-info" else rest
                yield folder, name, version


def find_installed(site: Path, distribution: str, prefix: Path) -> tuple[Installed, ...]:
    """Every installation of a distribution in a site folder: one, or more after an accident."""
    return tuple(
        _installed(site, folder, name, version, prefix)
        for folder, name, version in info_folders(site)
        if normalized_name(name) == distribution
    )


def owned_by_others(site: Path, distribution: str, tops: Collection[str]) -> frozenset[str]:
    """The paths below the folders ``tops`` that other distributions list as theirs."""
    found: set[str] = set()
    starts = tuple(f"{top}/" for top in tops)
    for folder, name, _version in info_folders(site):
        if normalized_name(name) == distribution:
            continue
        text = _text(site / folder / "RECORD") or ""
        if any(start in text for start in starts):
            found.update(path for path in _paths(text) if path.startswith(starts))
    return frozenset(found)


def _installed(site: Path, folder: str, name: str, version: str, prefix: Path) -> Installed:
    info = site / folder
    record = _text(info / "RECORD")
    if record is not None:
        owned = {_clean(site, path, prefix) for path in _paths(record)}
    elif (files := _text(info / "installed-files.txt")) is not None:
        owned = {_clean(site, f"{folder}/{line}", prefix) for line in files.splitlines() if line}
    else:
        owned = set(_by_top_level(site, info, name))
    if info.is_dir() and not info.is_symlink():
        owned |= {f"{folder}/{path}" for path in _walk(info)}
    else:
        owned.add(folder)
    return Installed(
        name=name,
        version=version,
        info=folder,
        owned=frozenset(path for path in owned if path),
        listed=record is not None,
        requested=(info / "REQUESTED").exists(),
    )


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _paths(record: str) -> Iterator[str]:
    for row in csv.reader(record.splitlines()):
        if row and row[0]:
            yield posixpath.normpath(row[0].replace("\\", "/"))


def _clean(site: Path, path: str, prefix: Path) -> str:
    """The path from the site folder; empty for one that leaves the environment: it is not ours."""
    whole = os.path.normpath(site / path)
    for root in (site, prefix):
        if whole.startswith(f"{os.path.normpath(root)}/"):
            return os.path.relpath(whole, site)
    return ""


def _by_top_level(site: Path, info: Path, name: str) -> Iterator[str]:
    """The files of a distribution that lists none: what lies under its top-level names."""
    text = _text(info / "top_level.txt") or ""
    tops = [line.strip() for line in text.splitlines()] or [name.replace("-", "_")]
    for top in tops:
        if not top.isidentifier():
            continue
        yield from (f"{top}/{path}" for path in _walk(site / top))
        for entry in os.scandir(site):
            if entry.name.startswith(f"{top}.") and not entry.name.endswith(INFO_SUFFIXES):
                yield entry.name


def _walk(folder: Path) -> Iterator[str]:
    """Every file below a folder, relative to it; links are files."""
    for root, folders, files in os.walk(folder):
        base = os.path.relpath(root, folder)
        links = [name for name in folders if (Path(root) / name).is_symlink()]
        for name in (*files, *links):
            yield name if base == "." else f"{base}/{name}"
