"""Zip and tar read without unpacking to disk, and one face for them and for folders."""

from __future__ import annotations

from pathlib import Path

from buildtools.archives.entries import DEFAULT_LIMITS, Entry, Limits
from buildtools.archives.files import Archive, ArchiveFiles, DiskFiles, Files
from buildtools.errors import CannotLookError

__all__ = [
    "DEFAULT_LIMITS",
    "Archive",
    "ArchiveFiles",
    "DiskFiles",
    "Entry",
    "Files",
    "Limits",
    "is_archive",
    "open_archive",
]

_TAR_MAGIC_AT = 257
_HEAD_BYTES = 512


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_HEAD_BYTES)
    except OSError as error:
        raise CannotLookError(
            "the file cannot be read", where=str(path), why=error.strerror or str(error)
        ) from error


def _kind(head: bytes, name: str) -> str:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")):
        return "tar"
    if head[_TAR_MAGIC_AT : _TAR_MAGIC_AT + 5] == b"ustar":
        return "tar"
    lower = name.lower()
    if lower.endswith((".whl", ".zip")):
        return "zip"
    return "tar" if lower.endswith((".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")) else ""


def is_archive(path: Path) -> bool:
    """Whether the file's first bytes, or its name, are those of a zip or a tar."""
    return bool(_kind(_head(path), path.name))


def open_archive(path: Path, limits: Limits = DEFAULT_LIMITS) -> Archive:
    """Open a zip (``.whl``, ``.zip``) or a tar (plain, gzip, bzip2, xz) and judge its entries.

    Raises :class:`CannotLookError` for a file that is neither, is damaged, or holds what no archive
    should: absolute paths, ``..``, links out of the tree, devices, names twice, bombs.
    """
    kind = _kind(_head(path), path.name)
    if kind == "zip":
        from buildtools.archives.zips import ZipArchive

        return ZipArchive(path, limits)
    if kind == "tar":
        from buildtools.archives.tars import TarArchive

        return TarArchive(path, limits)
    raise CannotLookError(
        "this is no archive that can be read",
        where=str(path),
        why="neither a zip (or wheel) nor a tar",
        next_step="name a folder, a wheel, a zip or a tar",
    )
