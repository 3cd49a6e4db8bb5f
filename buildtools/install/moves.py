"""Which files and folders change places, and in which order, to get from the old to the new.

The order keeps the importable driver whole: bundled libraries are added first (their names carry
hashes, so old and new lie side by side), then native modules beside the package, then the package
in one exchange, then ``.dist-info``; what only the old one had goes last.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from buildtools.binaries import module_name
from buildtools.install.exchange import identity
from buildtools.install.installed import INFO_SUFFIXES, Installed
from buildtools.install.journal import Move

_LIBRARIES, _MODULES, _PACKAGES, _INFO, _OUTSIDE, _REMOVALS = range(6)


@dataclass(slots=True, kw_only=True)
class MovePlanner:
    """Works out the moves of one install.

    ``tree`` is the staged copy of the site folder, ``new`` its files; ``outside`` maps a target
    outside of the site folder to its staged copy, both from the site folder. ``split`` asks for one
    move per file, for file systems that cannot rename a folder (overlayfs, a lower layer's).
    """

    site: Path
    tree: Path
    new: frozenset[str]
    outside: dict[str, str]
    installed: tuple[Installed, ...]
    others: frozenset[str]
    trash: Path
    split: bool = False
    _ranked: list[tuple[int, Move]] = field(default_factory=list)
    _shared: set[str] = field(default_factory=set)
    _taken: set[str] = field(default_factory=set)
    _removed: int = 0
    _owned: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self._owned = frozenset(path for one in self.installed for path in one.owned)

    def plan(self) -> tuple[Move, ...]:
        """The moves in their order; files of the user's in a package are carried over first."""
        self._replace("")
        for target, staged in self.outside.items():
            self._add(_OUTSIDE, target, self.site / staged)
        self._remove_old("")
        self._remove_outside()
        return tuple(move for _, move in sorted(self._ranked, key=lambda pair: pair[0]))

    def _replace(self, folder: str) -> None:
        """Moves for what the staged copy has in one folder of the site folder."""
        self._shared.add(folder)
        for entry in sorted(os.scandir(self.tree / folder), key=lambda entry: entry.name):
            path = f"{folder}/{entry.name}" if folder else entry.name
            target = self.site / path
            is_folder = entry.is_dir(follow_symlinks=False)
            present = target.is_dir() and not target.is_symlink()
            rank = self._rank(path, is_folder=is_folder)
            if is_folder and present and (rank == _LIBRARIES or self._is_shared(path)):
                self._replace(path)
            else:
                if is_folder and present:
                    self._carry_over(path)
                self._add(rank, path, self.tree / path)

    def _rank(self, path: str, *, is_folder: bool) -> int:
        top, _, below = path.partition("/")
        if top.endswith(INFO_SUFFIXES):
            return _INFO
        if top.endswith(".libs"):
            return _LIBRARIES
        if not is_folder and not below and module_name(top) is not None:
            return _MODULES
        return _PACKAGES

    def _is_shared(self, folder: str) -> bool:
        """Whether another distribution has files in the folder that must stay there."""
        if self.split:
            return True
        return any(
            path not in self.new and module_name(path.rpartition("/")[2]) is None
            for path in self.others
            if path.startswith(f"{folder}/")
        )

    def _add(self, rank: int, path: str, staged: Path) -> None:
        """A move that brings ``staged`` to ``path``; none where the very same file lies there."""
        self._taken.add(path)
        target = self.site / path
        if rank == _LIBRARIES and _same_file(target, staged):
            return
        self._ranked.append(
            (
                rank,
                Move(
                    target=path,
                    staged=os.path.relpath(staged, self.site),
                    old=identity(target),
                    new=identity(staged),
                ),
            )
        )

    def _remove(self, path: str) -> None:
        self._taken.add(path)
        self._removed += 1
        self.trash.mkdir(exist_ok=True)
        staged = self.trash / f"{self._removed}-{Path(path).name}"
        old = identity(self.site / path)
        if old is None:
            return
        self._ranked.append(
            (
                _REMOVALS,
                Move(target=path, staged=os.path.relpath(staged, self.site), old=old, new=None),
            )
        )

    def _remove_old(self, folder: str) -> None:
        """Moves that take away what only the old installation had, and its stale native files."""
        stems = {
            name.stem
            for path in self.new
            if path.rpartition("/")[0] == folder
            and (name := module_name(path.rpartition("/")[2])) is not None
        }
        for entry in self._listing(folder):
            path = f"{folder}/{entry.name}" if folder else entry.name
            if path in self._taken or path in self.others:
                continue
            if path in self._owned:
                self._remove(path)
            elif entry.is_dir(follow_symlinks=False):
                self._remove_folder(path)
            elif (name := module_name(entry.name)) is not None and name.stem in stems:
                self._remove(path)

    def _remove_folder(self, path: str) -> None:
        start = f"{path}/"
        if path in self._shared:
            self._remove_old(path)
        elif any(owned.startswith(start) for owned in self._owned):
            left = {f"{start}{name}" for name in _files(self.site / path)} - self._owned
            if self.split or {name for name in left if "/__pycache__/" not in name}:
                self._shared.add(path)
                self._remove_old(path)
            else:
                self._remove(path)

    def _remove_outside(self) -> None:
        """Commands and data that only the old installation had."""
        for path in sorted(self._owned):
            if path.startswith("../") and path not in self._taken:
                self._remove(path)

    def _listing(self, folder: str) -> Iterator[os.DirEntry[str]]:
        try:
            yield from sorted(os.scandir(self.site / folder), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return

    def _carry_over(self, folder: str) -> None:
        """Take the user's own files in a package along into the staged copy.

        They are those that no list names and that are neither bytecode nor native; without a list
        nothing tells them from the old installation's, and they stay behind.
        """
        if not any(one.listed for one in self.installed):
            return
        for name in _files(self.site / folder):
            path = f"{folder}/{name}"
            staged = self.tree / path
            if (
                path in self._owned
                or "__pycache__" in path.split("/")
                or module_name(path.rpartition("/")[2]) is not None
                or os.path.lexists(staged)
            ):
                continue
            try:
                staged.parent.mkdir(parents=True, exist_ok=True)
            except (FileExistsError, NotADirectoryError):
                continue
            shutil.copy2(self.site / path, staged, follow_symlinks=False)


def _files(folder: Path) -> Iterator[str]:
    """Every file below a folder, relative to it; links are files and are not followed."""
    for root, folders, files in os.walk(folder):
        base = os.path.relpath(root, folder)
        links = [name for name in folders if (Path(root) / name).is_symlink()]
        for name in (*files, *links):
            yield name if base == "." else f"{base}/{name}"


def _same_file(one: Path, other: Path) -> bool:
    import filecmp

    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False
