"""A wheel's file name: read, checked, and never trusted as a path."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from buildtools.errors import CannotLookError

_FILENAME = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._]*[A-Za-z0-9])?)"
    r"-(?P<version>[A-Za-z0-9_.!+]{1,128})"
    r"(?:-(?P<build>\d[A-Za-z0-9_.]{0,63}))?"
    r"-(?P<python>[A-Za-z0-9_.]{1,128})-(?P<abi>[A-Za-z0-9_.]{1,128})"
    r"-(?P<platform>[A-Za-z0-9_.]{1,512})\.whl"
)
_LONGEST = 255
"""What the file systems of Linux and macOS take for one name, in bytes."""


class WheelInvalidError(CannotLookError):
    """A file that is no wheel, is damaged, hostile, or says something that is not so of itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelName:
    """What a wheel's file name says (the binary distribution format, and PEP 425 for the tags).

    ``distribution`` is normalized as PEP 503 has it; ``version`` as written; ``tags`` are the
    expanded triples in the order in which they are written: ``cp311-cp311-manylinux_2_17_x86_64``.
    """

    filename: str
    distribution: str
    version: str
    build: str
    tags: tuple[str, ...]


def normalized_name(name: str) -> str:
    """The name as PEP 503 compares it: ``mysql-connector-python``."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parse_wheel_name(filename: str) -> WheelName:
    """Read a file name without folders; raises :class:`WheelInvalidError`."""
    match = _FILENAME.fullmatch(filename)
    if match is None or len(filename) > _LONGEST or ".." in filename:
        raise WheelInvalidError(
            "this is no name that a wheel can have",
            where=repr(filename),
            why="a wheel is named distribution-version(-build)-python-abi-platform.whl",
        )
    triples = itertools.product(*(match[part].split(".") for part in ("python", "abi", "platform")))
    return WheelName(
        filename=filename,
        distribution=normalized_name(match["name"]),
        version=match["version"],
        build=match["build"] or "",
        tags=tuple(dict.fromkeys("-".join(triple) for triple in triples)),
    )
