"""Projects that the build command installs from folders: installed anew only when they changed.

pip cannot know whether a folder is what it installed, and installs it every time.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from buildtools.host import Interpreter
from buildtools.writing import write_whole

FILENAME = "local-projects.json"
_MADE = frozenset({"__pycache__", "build", "dist", "node_modules", "site-packages", "wheelhouse"})
"""Folders that builds make; what begins with a dot is left out too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalProjects:
    """What was installed from folders into one environment, by what pip was told."""

    site: Path
    root: Path

    @classmethod
    def of(cls, interpreter: Interpreter, root: Path) -> LocalProjects:
        """Those of an interpreter; paths that are not absolute are counted from ``root``."""
        return cls(site=Path(interpreter.purelib), root=root)

    def due(self, words: Sequence[str]) -> tuple[str, ...]:
        """What of ``words`` pip must install: all but the folders that are as they were."""
        known = self._read()
        return tuple(word for word in words if not self._is_kept(word, known.get(word)))

    def keep(self, words: Sequence[str]) -> None:
        """Write down how the folders are that pip has just installed; nothing when none is new."""
        known = self._read()
        now = {
            word: self._state(folder)
            for word in words
            if (folder := self._folder(word)) is not None
        }
        if any(known.get(word) != state for word, state in now.items()):
            path = self._path()
            path.parent.mkdir(exist_ok=True)
            write_whole(path, json.dumps({**known, **now}, indent=1).encode())

    def _is_kept(self, word: str, before: object) -> bool:
        folder = self._folder(word)
        if folder is None or before is None:
            return False
        now = self._state(folder)
        return bool(now["installed"]) and now == before

    def _path(self) -> Path:
        return self.site / ".buildtools" / FILENAME

    def _read(self) -> dict[str, object]:
        try:
            known = json.loads(self._path().read_bytes())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def _folder(self, word: str) -> Path | None:
        folder = self.root / word.partition("[")[0]
        return folder.resolve() if folder.is_dir() else None

    def _state(self, folder: Path) -> dict[str, str]:
        """The folder's content and the metadata that its install left."""
        return {"content": _digest(folder), "installed": _installed(self.site, folder)}


def _installed(site: Path, folder: Path) -> str:
    """The metadata folder of what was installed from ``folder`` (PEP 610), with RECORD's digest."""
    for file in sorted(site.glob("*.dist-info/direct_url.json")):
        try:
            url = json.loads(file.read_bytes()).get("url")
            record = file.with_name("RECORD").read_bytes()
        except (OSError, ValueError, AttributeError):
            continue
        if url == folder.as_uri():
            return f"{file.parent.name} {hashlib.sha256(record).hexdigest()}"
    return ""


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in _files(folder):
        digest.update(f"{path.relative_to(folder)}".encode(errors="surrogateescape") + b"\0")
        try:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError:
            digest.update(b"\1")
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """The files that a build may read, in the alphabet's order."""
    for top, folders, files in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and not _is_made(name)
        )
        yield from (Path(top) / name for name in sorted(files))


def _is_made(name: str) -> bool:
    return name in _MADE or name.endswith(".egg-info")
