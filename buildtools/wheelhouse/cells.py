"""What became of each driver, target and Python: one small document beside the store's wheels.

A wheel says where it runs; a cell says who asked for it, how far it was proven, and, where there is
none, why. The page of cells is made of these.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from buildtools.errors import CannotLookError
from buildtools.writing import write_whole

FORMAT = 1
FOLDER = "cells"
MISSING = "missing"
"""The state of a cell that could not be filled; the others are ``executed static runner``."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRecord:
    """One cell: ``target`` without its Python, ``python`` an ABI such as ``cp312``.

    ``state`` is ``executed``, ``static``, ``runner`` or ``missing``; ``how`` says where the probe
    ran or what was read, ``reason`` why it went no further, ``runner`` the job of CI that can.
    ``sha256`` and ``filename`` name the wheel; ``log`` is below the store's folder, empty without
    one; ``created`` is in seconds since 1970, UTC.
    """

    driver: str
    target: str
    python: str
    state: str
    version: str = ""
    how: str = ""
    reason: str = ""
    runner: str = ""
    sha256: str = ""
    filename: str = ""
    backend: str = ""
    bundled: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    log: str = ""
    seconds: float = 0.0
    created: int = 0

    @property
    def name(self) -> str:
        """The cell's file name without its ending; one for each driver, target and Python."""
        words = f"{self.driver}--{self.target}--{self.python}".replace("/", "-")
        return _UNSAFE.sub("_", words)

    def document(self) -> bytes:
        """The JSON that is stored."""
        return (json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n").encode("utf-8")

    @classmethod
    def read(cls, content: bytes) -> CellRecord:
        """Read what :meth:`document` wrote; ``ValueError`` or ``TypeError`` for anything else."""
        body = json.loads(content)
        if not isinstance(body, dict) or body.get("format") != FORMAT:
            raise ValueError("no cell of a known format")
        known: dict[str, object] = {}
        for field in fields(cls):
            value = body.get(field.name)
            if isinstance(value, list):
                known[field.name] = tuple(map(str, value))
            elif value is not None:
                known[field.name] = value
        return cls(**known)  # type: ignore[arg-type]  # a missing field is a TypeError

    @property
    def rank(self) -> int:
        """How much is known of the cell: of two records for one the higher is kept."""
        return {"executed": 3, "runner": 2, "static": 1}.get(self.state, 0)


def note_cell(root: Path, record: CellRecord, *, log: Path | None = None) -> CellRecord:
    """Write down what became of a cell; gives it as it stands now.

    A cell that holds a wheel is not emptied by a later failure: the wheel is still there. ``log``
    is copied beside a cell without a wheel. Raises :class:`CannotLookError`.
    """
    folder = root / FOLDER
    before = _read(folder / f"{record.name}.json")
    if record.state == MISSING and before is not None and _stands(root, before):
        return before
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if log is not None and log.is_file():
            write_whole(folder / f"{record.name}.log", log.read_bytes())
            record = replace(record, log=f"{FOLDER}/{record.name}.log")
        stamped = record if record.created else replace(record, created=int(time.time()))
        write_whole(folder / f"{record.name}.json", stamped.document())
    except OSError as error:
        raise CannotLookError(
            "what became of this cell could not be written down",
            where=str(folder),
            why=error.strerror or str(error),
            next_step="free some space, or name another folder with --wheelhouse",
        ) from error
    return stamped


def merge_cells(root: Path, other: Path) -> int:
    """Take in the cells of another store, where they say more; gives how many were."""
    taken = 0
    for record in read_cells(other):
        known = _read(root / FOLDER / f"{record.name}.json")
        if known is None or record.rank > known.rank or record.sha256 != known.sha256:
            log = other / record.log if is_log(record.log) else None
            note_cell(root, replace(record, log=""), log=log)
            taken += 1
    return taken


def is_log(name: str) -> bool:
    """Whether this is a log of a cell, and no path to anywhere else."""
    folder, _, file = name.partition("/")
    return folder == FOLDER and file.endswith(".log") and _UNSAFE.search(file) is None


def _stands(root: Path, record: CellRecord) -> bool:
    """Whether the wheel that a cell names is in the store."""
    if record.state == MISSING or re.fullmatch(r"[0-9a-f]{64}", record.sha256) is None:
        return False
    return (root / "sha256" / record.sha256[:2] / record.sha256[2:]).is_dir()


def read_cells(root: Path) -> Iterator[CellRecord]:
    """Every cell, by name; damaged documents are passed over."""
    for path in sorted((root / FOLDER).glob("*.json")):
        record = _read(path)
        if record is not None:
            yield record


def _read(path: Path) -> CellRecord | None:
    try:
        return CellRecord.read(path.read_bytes())
    except (OSError, ValueError, TypeError):
        return None
