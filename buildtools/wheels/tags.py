"""What a wheel's tags promise, as targets that its modules can be held against."""

from __future__ import annotations

import re
from collections.abc import Iterable

from buildtools.targets import (
    LibC,
    LibCFamily,
    OperatingSystem,
    Target,
    Version,
)

_LEGACY = {"manylinux1": 5, "manylinux2010": 12, "manylinux2014": 17}
"""The glibc 2.x that stands behind the old names (PEP 600)."""

_PLATFORM = re.compile(
    r"(?P<legacy>manylinux1|manylinux2010|manylinux2014)_(?P<arch0>\w+)"
    r"|(?P<kind>manylinux|musllinux|macosx)_(?P<major>\d+)_(?P<minor>\d+)_(?P<arch1>\w+)"
    r"|linux_(?P<arch2>\w+)"
)

_FAT = {"universal2": ("arm64", "x86_64"), "intel": ("x86_64",)}


def promised_targets(platforms: Iterable[str]) -> tuple[Target, ...]:
    """The targets, without a Python, on which platform tags promise that a wheel runs.

    One per system, machine and libc: the one with the lowest floor. A plain ``linux_x86_64``
    promises a machine but no floor. ``any`` and tags of other systems promise nothing here.
    """
    found: dict[tuple[str, str, str], Target] = {}
    for platform in platforms:
        for target in _targets(platform):
            known = found.get(target.same_machine)
            if known is None or _floor(target) < _floor(known):
                found[target.same_machine] = target
    return tuple(found.values())


def _targets(platform: str) -> tuple[Target, ...]:
    match = _PLATFORM.fullmatch(platform)
    if match is None:
        return ()
    if match["arch2"]:
        libc = LibC(family=LibCFamily.GLIBC)
        return (Target(name=platform, os=OperatingSystem.LINUX, arch=match["arch2"], libc=libc),)
    if match["legacy"]:
        version = Version(major=2, minor=_LEGACY[match["legacy"]])
        libc = LibC(family=LibCFamily.GLIBC, version=version)
        return (Target(name=platform, os=OperatingSystem.LINUX, arch=match["arch0"], libc=libc),)
    version = Version(major=int(match["major"]), minor=int(match["minor"]))
    arch = match["arch1"]
    if match["kind"] == "macosx":
        return tuple(
            Target(name=platform, os=OperatingSystem.DARWIN, arch=one, min_os=version)
            for one in _FAT.get(arch, (arch,))
        )
    family = LibCFamily.GLIBC if match["kind"] == "manylinux" else LibCFamily.MUSL
    libc = LibC(family=family, version=version)
    return (Target(name=platform, os=OperatingSystem.LINUX, arch=arch, libc=libc),)


def _floor(target: Target) -> Version:
    floor = target.min_os or (target.libc.version if target.libc else None)
    return floor or Version(major=9999, minor=0)
