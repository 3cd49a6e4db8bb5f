"""Folders on disk and archives behind one face: names below a folder, and streams."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, Protocol, cast

from buildtools.archives.entries import Entry, folders_of
from buildtools.binaries import SizedFile
from buildtools.errors import CannotLookError

SKIPPED_FOLDERS = frozenset({"__pycache__", ".git", ".hg", ".svn", ".mypy_cache", ".ruff_cache"})
"""Folders in which nothing lies that an interpreter or Node would load."""

TEXT_BYTES = 32 << 20
"""No RECORD or metadata file is longer."""


class Archive(Protocol):
    """An open zip or tar."""

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Every file and link by its clean name."""

    def open(self, name: str) -> BinaryIO:
        """The content of an entry."""

    def close(self) -> None:
        """Close the file."""


class Files(Protocol):
    """A tree of files.

    Paths are ``/``-separated: absolute on disk, relative to the root in an archive, whose root is
    the empty string. A folder that is not there is empty; a file that is not there raises
    ``FileNotFoundError``; an unreadable one raises another ``OSError`` or ``CannotLookError``.
    """

    on_disk: bool

    def walk(self, top: str) -> Iterator[tuple[str, list[str], list[str]]]:
        """Each folder from ``top`` down: its path, its subfolders, its files; links not followed.

        The caller may take subfolders out of the list, as with ``os.walk``.
        """

    def names(self, folder: str) -> frozenset[str]:
        """What lies in a folder: files, links and folders."""

    def open(self, path: str) -> BinaryIO:
        """A stream that seeks."""

    def text(self, path: str) -> str:
        """A text file, UTF-8 with replacement; empty when it is not there."""

    def real(self, path: str) -> str:
        """The path with links followed."""

    def order(self, path: str) -> int:
        """A number that sorts paths in the order in which they are cheapest to open."""

    def close(self) -> None:
        """Let go of what is open."""


def join(folder: str, name: str) -> str:
    """``folder/name``, also below an archive's root."""
    return f"{folder}/{name}" if folder else name


class DiskFiles:
    """The machine's own files."""

    on_disk = True

    def __init__(self) -> None:
        self._names: dict[str, frozenset[str]] = {}

    def walk(self, top: str) -> Iterator[tuple[str, list[str], list[str]]]:
        """See :class:`Files`; one ``scandir`` per folder and no ``stat`` of files."""
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            below: list[str] = []
            files: list[str] = []
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            if entry.name not in SKIPPED_FOLDERS:
                                below.append(entry.name)
                        else:
                            files.append(entry.name)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise CannotLookError(
                    "a folder cannot be read",
                    where=folder,
                    why=error.strerror or str(error),
                    next_step="run this as a user who may read it",
                ) from error
            yield folder, below, files
            below.sort(reverse=True)
            waiting.extend(f"{folder}/{name}" for name in below)

    def names(self, folder: str) -> frozenset[str]:
        """See :class:`Files`; remembered."""
        known = self._names.get(folder)
        if known is None:
            try:
                known = frozenset(os.listdir(folder))  # noqa: PTH208 - names, not paths
            except OSError:
                known = frozenset()
            self._names[folder] = known
        return known

    def open(self, path: str) -> BinaryIO:
        """See :class:`Files`; unbuffered, regular files only: a pipe would wait for ever."""
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        status = os.fstat(opened)
        if not stat.S_ISREG(status.st_mode):
            os.close(opened)
            raise OSError(f"{path} is not a regular file")
        return cast("BinaryIO", SizedFile(opened, status.st_size))

    def text(self, path: str) -> str:
        """See :class:`Files`."""
        try:
            with self.open(path) as stream:
                return stream.read(TEXT_BYTES).decode("utf-8", "replace")
        except OSError:
            return ""

    def real(self, path: str) -> str:
        """See :class:`Files`."""
        return os.path.realpath(path)

    def order(self, path: str) -> int:  # noqa: ARG002 - a disk does not care
        """See :class:`Files`."""
        return 0

    def close(self) -> None:
        """See :class:`Files`; nothing stays open here."""


class ArchiveFiles:
    """The files of an archive; ``rename`` says where an entry lies once it is installed."""

    on_disk = False

    def __init__(self, archive: Archive, rename: Callable[[str], str] = str) -> None:
        self._archive = archive
        self._entries = {rename(name): entry for name, entry in archive.entries.items()}
        self._stored = {rename(name): name for name in archive.entries}
        self._folders = folders_of(self._entries)

    def close(self) -> None:
        """Close the archive."""
        self._archive.close()

    def walk(self, top: str) -> Iterator[tuple[str, list[str], list[str]]]:
        """See :class:`Files`."""
        waiting = [top.strip("/")]
        while waiting:
            folder = waiting.pop()
            if folder not in self._folders:
                continue
            subfolders, files = self._folders[folder]
            below = [name for name in subfolders if name not in SKIPPED_FOLDERS]
            yield folder, below, list(files)
            waiting.extend(join(folder, name) for name in reversed(below))

    def names(self, folder: str) -> frozenset[str]:
        """See :class:`Files`."""
        subfolders, files = self._folders.get(folder.strip("/"), ((), ()))
        return frozenset((*subfolders, *files))

    def open(self, path: str) -> BinaryIO:
        """See :class:`Files`."""
        stored = self._stored.get(posixpath.normpath(path))
        if stored is None:
            raise FileNotFoundError(path)
        return self._archive.open(stored)

    def text(self, path: str) -> str:
        """See :class:`Files`."""
        entry = self._entries.get(path)
        if entry is None or entry.size > TEXT_BYTES:
            return ""
        with self.open(path) as stream:
            return stream.read().decode("utf-8", "replace")

    def real(self, path: str) -> str:
        """See :class:`Files`."""
        entry = self._entries.get(path)
        return entry.link if entry is not None and entry.link else path

    def order(self, path: str) -> int:
        """See :class:`Files`: the offset in the archive."""
        entry = self._entries.get(path)
        return entry.offset if entry is not None else 0
