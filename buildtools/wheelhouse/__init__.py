"""The wheelhouse: a content-addressed store of wheels with a static simple index."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from buildtools.configuration import Configuration
from buildtools.folders import cache_root, expanded
from buildtools.wheelhouse.cells import MISSING, CellRecord, merge_cells, note_cell, read_cells
from buildtools.wheelhouse.provenance import Provenance
from buildtools.wheelhouse.publishing import write_page
from buildtools.wheelhouse.store import Collected, StoredWheel, Wheelhouse

__all__ = [
    "MISSING",
    "CellRecord",
    "Collected",
    "Provenance",
    "StoredWheel",
    "Wheelhouse",
    "merge_cells",
    "note_cell",
    "read_cells",
    "wheelhouse_root",
    "write_page",
]


def wheelhouse_root(
    configuration: Configuration,
    asked: Path | str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Path:
    """The wheelhouse's folder: as asked for, else as configured, else in the user's cache.

    A configured folder is relative to the project's ``pyproject.toml``.
    """
    if asked is not None:
        return expanded(asked).absolute()
    if configuration.wheelhouse is not None:
        return (configuration.root / expanded(configuration.wheelhouse)).absolute()
    return cache_root(environment) / "wheelhouse"
