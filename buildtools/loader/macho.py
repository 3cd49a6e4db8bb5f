"""Where dyld looks for an install name."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from buildtools.binaries import BinaryFacts
from buildtools.loader.system import System

SYSTEM_PREFIXES = ("/usr/lib/", "/System/", "/Library/Apple/")
"""Apple's own: since macOS 11 they lie in dyld's shared cache and not on the disk."""


class MachoPaths:
    """Install names and run paths, expanded for one system (``dyld(1)``)."""

    def __init__(self, system: System) -> None:
        self._executable = posixpath.dirname(system.executable)

    def rpaths(self, path: str, facts: BinaryFacts) -> tuple[str, ...]:
        """The image's LC_RPATH entries, expanded against the image itself."""
        folder = posixpath.dirname(path)
        return tuple(
            expanded
            for entry in (*facts.rpath, *facts.runpath)
            if (expanded := self._expand(entry, folder)) is not None
        )

    def candidates(
        self, name: str, folder: str, rpaths: tuple[str, ...]
    ) -> Iterator[tuple[str, str]]:
        """Every path that dyld would try for an install name, and how it came to it."""
        if name.startswith(SYSTEM_PREFIXES):
            yield name, "system"
            return
        if name.startswith("@rpath/"):
            rest = name.removeprefix("@rpath/")
            for base in rpaths:
                joined = posixpath.join(base, rest)
                yield joined, "system" if joined.startswith(SYSTEM_PREFIXES) else "rpath"
            return
        expanded = self._expand(name, folder)
        if expanded is not None:
            yield expanded, "path"

    def _expand(self, text: str, folder: str) -> str | None:
        head, _, rest = text.partition("/")
        if head == "@loader_path":
            return posixpath.normpath(posixpath.join(folder, rest))
        if head == "@executable_path":
            if not self._executable:
                return None
            return posixpath.normpath(posixpath.join(self._executable, rest))
        return posixpath.normpath(text) if text.startswith("/") else None
