"""Folders made once: filled under another name, renamed when whole, shared by processes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from buildtools.acquire.request import AcquireError
from buildtools.findings import Cause

_SAFE = re.compile(r"[^A-Za-z0-9._+~=-]+")
_MARKER = ".whole"
_STALE_SECONDS = 24 * 3600.0

_MISREAD = re.compile(r"[^\w./+~=@-]")
"""What a path must be without, for make, and for a ``setup.py`` that parts words at spaces."""


def safe_name(text: str) -> str:
    """A file name made of outside words: nothing in it is a separator, a space or a shell's."""
    return _SAFE.sub("_", text).strip(".") or "_"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file; it is let go of when the process ends, however it ends.

    Raises :class:`AcquireError` for a cache that cannot be written.
    """
    folder_of_cache(path.parent)
    try:
        stream = path.open("a")
    except OSError as error:
        raise disk_error(error, path) from error
    with stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(stream, fcntl.LOCK_UN)


def folder_of_cache(path: Path) -> Path:
    """The folder, made if need be; raises :class:`AcquireError` where that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(error, path) from error
    return path


def require_plain(cache: Path) -> None:
    """Raise :class:`AcquireError` for a cache whose path other people's builds would misread."""
    odd = _MISREAD.search(str(cache))
    if odd is not None:
        raise AcquireError(
            "nothing can be linked to what is in this cache",
            where=str(cache),
            why=f"make, and the setup.py of drivers, misread a path with {odd[0]!r} in it",
            next_step="point XDG_CACHE_HOME at a folder whose path has none",
        )


def is_whole(folder: Path) -> bool:
    """Whether the folder was filled to its end; raises :class:`AcquireError` if none may look."""
    try:
        return (folder / _MARKER).is_file()
    except OSError as error:
        raise disk_error(error, folder) from error


def made_once(folder: Path, fill: Callable[[Path], None]) -> Path:
    """The folder, filled by ``fill`` if it is not there yet.

    ``fill`` gets an empty folder beside it, which takes its name only once ``fill`` has returned:
    killed at any moment there is the whole folder or none. Two processes that want the same one
    wait for each other. A full disk is an :class:`AcquireError` that says so.
    """
    if is_whole(folder):
        return folder
    with locked(folder.parent / f".{folder.name}.lock"):
        if is_whole(folder):
            return folder
        sweep(folder.parent, folder.name)
        partial = Path(
            tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent)
        )
        try:
            fill(partial)
            (partial / _MARKER).touch()
            partial.chmod(0o755)
            if folder.exists():
                shutil.rmtree(folder)
            partial.replace(folder)
        except OSError as error:
            raise disk_error(error, folder) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder


@contextlib.contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A file of its own to write, which takes the name ``path`` once the block has ended well."""
    folder_of_cache(path.parent)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        partial.chmod(0o644)
        partial.replace(path)
    except OSError as error:
        raise disk_error(error, path) from error
    finally:
        partial.unlink(missing_ok=True)


def disk_error(error: OSError, where: Path) -> AcquireError:
    """The error for a disk that would not take what was to be written."""
    import errno

    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    return AcquireError(
        "the cache could not be written",
        cause=Cause.NO_SPACE if full else Cause.UNKNOWN,
        where=str(where),
        why=error.strerror or str(error),
        next_step="free some space, or point XDG_CACHE_HOME at a disk that has some"
        if full
        else "make the folder writable, or point XDG_CACHE_HOME elsewhere",
    )


def sweep(parent: Path, name: str = "") -> None:
    """Remove what killed processes left half-made beside ``name``; the lock is the caller's."""
    for left in parent.glob(f".{name}*.part"):
        if name or time.time() - left.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def workroom(root: Path, name: str) -> Iterator[Path]:
    """A scratch folder below the cache, gone afterwards; old ones of killed processes go too."""
    parent = folder_of_cache(root / "work")
    for left in parent.iterdir():
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
    try:
        room = Path(tempfile.mkdtemp(prefix=f"{safe_name(name)}-", dir=parent))
    except OSError as error:
        raise disk_error(error, parent) from error
    try:
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)


@contextlib.contextmanager
def fixed_room(root: Path, name: str) -> Iterator[Path]:
    """A scratch folder whose path is always the same; the lock of what is made in it is held.

    With the same path no path can make a difference to the bytes.
    """
    room = root / "work" / safe_name(name)
    if room.exists():
        # What a killed run has started may still write: it goes on in a folder of another name.
        left = room.with_name(f"{room.name}.left-{os.getpid()}")
        room.rename(left)
        shutil.rmtree(left, ignore_errors=True)
    room.mkdir(parents=True)
    try:
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)
