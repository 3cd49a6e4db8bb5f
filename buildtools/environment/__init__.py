"""An environment or artefact as one kind of tree: its native files and who owns them."""

from __future__ import annotations

from buildtools.environment.distributions import Distribution, RecordRow, normalized
from buildtools.environment.scanning import is_native_name, scan
from buildtools.environment.tree import NativeFile, Place, PlaceKind, Tree, TreeKind

__all__ = [
    "Distribution",
    "NativeFile",
    "Place",
    "PlaceKind",
    "RecordRow",
    "Tree",
    "TreeKind",
    "is_native_name",
    "normalized",
    "scan",
]
