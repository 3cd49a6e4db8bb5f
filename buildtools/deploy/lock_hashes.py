"""The hashes of a lock's pins: read, compared, and kept where files were only added since."""

from __future__ import annotations

import re
from collections.abc import Iterator

_HASH = re.compile(r"--hash=(\S+)")


def pinned_hashes(text: str) -> dict[str, frozenset[str]]:
    """The hashes of each pinned requirement, by ``name==version``."""
    return {pin: frozenset(_HASH.findall("\n".join(lines))) for pin, lines in _blocks(text) if pin}


def keep_hashes(old: str, new: str) -> str:
    """The new lock, in which a pin whose files of old are all still there keeps its old hashes.

    A project may add wheels to a version long after its release. A lock that was right stays right,
    as with pip-tools, which asks for the hashes of an unchanged pin only once; a hash that the
    index does not have, or has no more, is taken over as it is now and so becomes drift.
    """
    before = pinned_hashes(old)
    kept: list[str] = []
    for pin, lines in _blocks(new):
        had, now = before.get(pin, frozenset()), frozenset(_HASH.findall("\n".join(lines)))
        kept += _only(lines, had) if had and had < now else lines
    return "\n".join(kept) + ("\n" if new.endswith("\n") else "")


def without_hashes(text: str) -> str:
    """The pins alone, for a resolver that is to ask for every file again.

    A newer pip holds each file against the hashes of the lock that it is given, and so would end at
    one that was changed instead of finding out what it should be.
    """
    left = [line.removesuffix(" \\") for line in text.splitlines() if not _HASH.search(line)]
    return "".join(f"{line}\n" for line in left)


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each requirement with the lines that belong to it; the head of the file under no name."""
    pin = ""
    lines: list[str] = []
    for line in text.splitlines():
        if line and not line.startswith((" ", "#")):
            yield pin, lines
            pin, lines = line.split()[0], []
        lines.append(line)
    yield pin, lines


def _only(lines: list[str], wanted: frozenset[str]) -> list[str]:
    """The block with these hashes alone; its last hash ends the requirement's long line."""
    left = [line for line in lines if not (found := _HASH.findall(line)) or found[0] in wanted]
    last = max(index for index, line in enumerate(left) if _HASH.search(line))
    left[last] = left[last].removesuffix(" \\")
    return left
