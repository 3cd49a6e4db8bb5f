"""The floor from which on the index has a wheel, where a target is older than that."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from buildtools.acquire.fetch import resolve
from buildtools.acquire.request import AcquireError, WheelRequest
from buildtools.acquire.tools import Tools
from buildtools.recipes import Recipe
from buildtools.targets import LibCFamily, Target, Version

_NEWEST = {
    "macosx": Version(major=40, minor=0),
    "manylinux": Version(major=2, minor=60),
    "musllinux": Version(major=1, minor=9),
}
"""Floors that take every wheel there is."""

_TAG = re.compile(r"(macosx|manylinux|musllinux)_(\d{1,3})_(\d{1,3})_")
_OLD_NAMES = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}


def higher_floor(request: WheelRequest, tools: Tools, *, recipe: Recipe) -> tuple[Target, str]:
    """The same place with the floor that the index's newest wheel needs, and that version.

    Raises :class:`AcquireError` where the index has none for the platform at all, or where it
    cannot be asked.
    """
    place = request.place
    kind = _kind(place)
    newest = resolve(
        replace(request, target=_with_floor(request.target, _NEWEST[kind])), tools, recipe=recipe
    )
    floor = lowest_floor(kind, newest.filename.removesuffix(".whl").rpartition("-")[2].split("."))
    if floor is None:
        raise AcquireError("the wheel's name has no floor", where=newest.filename)
    return _with_floor(place, floor), newest.version


def lowest_floor(kind: str, tags: Iterable[str]) -> Version | None:
    """The oldest floor among a wheel's platform tags, None where none has one of this kind."""
    found = []
    for tag in tags:
        match = _TAG.match(tag)
        if match is not None and match[1] == kind:
            found.append(Version(major=int(match[2]), minor=int(match[3])))
        elif kind == "manylinux" and (old := _OLD_NAMES.get(tag.partition("_")[0])) is not None:
            found.append(Version(major=old[0], minor=old[1]))
    return min(found, default=None)


def _kind(place: Target) -> str:
    if place.libc is None:
        return "macosx"
    return "musllinux" if place.libc.family is LibCFamily.MUSL else "manylinux"


def _with_floor(place: Target, floor: Version) -> Target:
    if place.libc is None:
        return replace(place, min_os=floor)
    return replace(place, libc=replace(place.libc, version=floor), libcs=())
