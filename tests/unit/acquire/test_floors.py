"""The floor that a wheel's platform tags name."""

from __future__ import annotations

import pytest

from buildtools.acquire.floors import lowest_floor
from buildtools.targets import Version


@pytest.mark.parametrize(
    ("kind", "tags", "floor"),
    [
        ("macosx", "macosx_14_0_arm64", (14, 0)),
        ("macosx", "macosx_10_9_universal2", (10, 9)),
        ("manylinux", "manylinux_2_28_x86_64", (2, 28)),
        ("manylinux", "manylinux_2_24_x86_64.manylinux_2_28_x86_64", (2, 24)),
        ("manylinux", "manylinux2014_aarch64.manylinux_2_17_aarch64", (2, 17)),
        ("manylinux", "manylinux1_x86_64", (2, 5)),
        ("musllinux", "musllinux_1_2_aarch64", (1, 2)),
        ("musllinux", "manylinux_2_28_x86_64", None),
        ("manylinux", "any", None),
        ("macosx", "linux_x86_64", None),
    ],
)
def test_the_lowest_floor_of_the_kind(kind: str, tags: str, floor: tuple[int, int] | None) -> None:
    wanted = None if floor is None else Version(major=floor[0], minor=floor[1])
    assert lowest_floor(kind, tags.split(".")) == wanted
