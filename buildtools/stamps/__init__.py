"""Whether an environment is as the last rebuild left it, told from stats alone."""

from __future__ import annotations

from buildtools.stamps.drift import (
    driver_drift,
    place_drift,
    place_stamp,
    quick_look,
    recipe_files,
    stamp_path,
)
from buildtools.stamps.sources import requirement_files
from buildtools.stamps.stamp import (
    DriverStamp,
    FileStamp,
    PlaceStamp,
    Selection,
    Stamp,
    file_stamp,
    recipe_digest,
    source_stamps,
)

__all__ = [
    "DriverStamp",
    "FileStamp",
    "PlaceStamp",
    "Selection",
    "Stamp",
    "driver_drift",
    "file_stamp",
    "place_drift",
    "place_stamp",
    "quick_look",
    "recipe_digest",
    "recipe_files",
    "requirement_files",
    "source_stamps",
    "stamp_path",
]
