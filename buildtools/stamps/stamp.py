"""What a rebuild left behind: enough to say later, by stats alone, that nothing has changed.

One JSON document per environment, in the hidden folder of its site folder, written whole. Paths in
it are relative to that folder, so that a copied environment is recognised as one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

FORMAT = 1
FILENAME = "stamp.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStamp:
    """One file as it was left: ``path`` from the site folder (absolute outside the environment).

    ``size`` in bytes, ``mtime_ns`` in nanoseconds; ``sha256`` is set for native files.
    """

    path: str
    size: int
    mtime_ns: int
    inode: int
    sha256: str = ""

    def change(self, site: str) -> str:
        """What has happened to the file since; empty when nothing has.

        Size, time and inode are compared; content only where the inode alone differs, as it does
        for a file that was copied with its times.
        """
        path = os.path.join(site, self.path)  # noqa: PTH118 - the fast path: text only
        try:
            now = Path(path).stat()
        except OSError:
            return f"{self.path} is gone"
        if (now.st_size, now.st_mtime_ns) != (self.size, self.mtime_ns):
            return f"{self.path} was changed"
        if now.st_ino != self.inode and self.sha256 and file_sha256(path) != self.sha256:
            return f"{self.path} was changed"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverStamp:
    """One driver as it was left and how it was proven.

    ``verdict`` is the JSON of its trial; ``requirement`` the specifier in force; ``recipe`` the
    digest of its recipe and probe; ``when`` seconds since 1970, UTC.
    """

    distribution: str
    version: str
    requirement: str
    recipe: str
    files: tuple[FileStamp, ...]
    verdict: Mapping[str, object]
    when: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceStamp:
    """The interpreter and what decides which copy it imports.

    ``executable`` is the real file with its size and time; ``searched`` the folders that are looked
    in beside the environment's own, with their times (0 where one is absent); ``variables`` those
    of the environment that change the search.
    """

    executable: str
    size: int
    mtime_ns: int
    prefix: str
    site: str
    version: str
    target: str
    pyvenv: str
    searched: tuple[tuple[str, int], ...]
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which drivers a run without names was about, and the files that this was read from."""

    drivers: tuple[str, ...]
    requirements: Mapping[str, str]
    sources: tuple[tuple[str, int, int], ...]
    site_mtime_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Everything that was left in one environment."""

    tool: str
    place: PlaceStamp
    drivers: Mapping[str, DriverStamp]
    selections: Mapping[str, Selection] = field(default_factory=dict)

    def with_driver(self, name: str, driver: DriverStamp) -> Stamp:
        """The same with one driver stamped anew."""
        return replace(self, drivers={**self.drivers, name: driver})

    def document(self) -> bytes:
        """The JSON that is stored."""
        return json.dumps({"format": FORMAT, **asdict(self)}, separators=(",", ":")).encode()

    @classmethod
    def read(cls, path: Path | str) -> Stamp | None:
        """Read what :meth:`document` wrote; None where there is none that can be read."""
        try:
            with open(path, "rb") as stream:  # noqa: PTH123 - the fast path: text only
                body = json.loads(stream.read())
            if body.pop("format") != FORMAT:
                return None
            return cls(
                tool=body["tool"],
                place=_place(body["place"]),
                drivers={name: _driver(one) for name, one in body["drivers"].items()},
                selections={name: _selection(one) for name, one in body["selections"].items()},
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


def _place(body: dict[str, object]) -> PlaceStamp:
    rows = body.pop("searched")
    if not isinstance(rows, list):
        raise TypeError(rows)
    return PlaceStamp(searched=tuple((row[0], row[1]) for row in rows), **body)  # type: ignore[arg-type]


def _driver(body: dict[str, object]) -> DriverStamp:
    rows = body.pop("files")
    if not isinstance(rows, list):
        raise TypeError(rows)
    return DriverStamp(files=tuple(FileStamp(**row) for row in rows), **body)  # type: ignore[arg-type]


def _selection(body: dict[str, object]) -> Selection:
    rows, drivers = body.pop("sources"), body.pop("drivers")
    if not isinstance(rows, list) or not isinstance(drivers, list):
        raise TypeError(rows)
    return Selection(
        sources=tuple((row[0], row[1], row[2]) for row in rows),
        drivers=tuple(drivers),
        **body,  # type: ignore[arg-type]
    )


def file_sha256(path: Path | str) -> str:
    """A file's SHA-256 in hexadecimal; empty when it cannot be read."""
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - the fast path: text only
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def file_stamp(site: Path, path: str, *, hashed: bool) -> FileStamp | None:
    """A file as it is now; None when it is gone."""
    try:
        now = (site / path).stat()
    except OSError:
        return None
    return FileStamp(
        path=path,
        size=now.st_size,
        mtime_ns=now.st_mtime_ns,
        inode=now.st_ino,
        sha256=file_sha256(site / path) if hashed else "",
    )


def source_stamps(paths: Iterable[Path | str]) -> tuple[tuple[str, int, int], ...]:
    """Size and time of each file; -1 and 0 for one that is not there."""
    rows = []
    for path in paths:
        try:
            now = Path(path).stat()
            rows.append((str(path), now.st_size, now.st_mtime_ns))
        except OSError:
            rows.append((str(path), -1, 0))
    return tuple(rows)


def recipe_digest(files: Sequence[Path]) -> str:
    """A digest over the recipe, its probe and what the probe shares; empty without files."""
    if not files:
        return ""
    digest = hashlib.sha256()
    for file in files:
        try:
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
        except OSError:
            digest.update(b"\1")
    return digest.hexdigest()
