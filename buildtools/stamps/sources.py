"""The files of a project that say which drivers, and which versions, it asks for."""

from __future__ import annotations

import os
import re
from pathlib import Path

_NAMES = re.compile(r"(?:requirements|constraints)[^/]*\.(?:txt|lock)")
_TABLE = b"tool.buildtools"


def requirement_files(root: Path) -> tuple[Path, ...]:
    """``requirements*.txt``, ``constraints*.txt``, their ``.lock`` and ``requirements/*.txt``."""
    found = [root / name for name in _listing(root) if _NAMES.fullmatch(name)]
    folder = root / "requirements"
    found += [folder / name for name in _listing(folder) if name.endswith((".txt", ".lock"))]
    return tuple(sorted(found))


def project_root(folder: Path, known: set[str]) -> Path | None:
    """The one of the ``known`` project folders that a run in ``folder`` is about.

    None when a nearer ``pyproject.toml`` may speak of this tool: it has to be read first.
    """
    folder = folder.absolute()
    for parent in (folder, *folder.parents):
        if str(parent) in known:
            return parent
        try:
            with open(parent / "pyproject.toml", "rb") as stream:  # noqa: PTH123 - the fast path
                if _TABLE in stream.read():
                    return None
        except OSError:
            continue
    return None


def _listing(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(folder) if entry.is_file()]
    except OSError:
        return []
