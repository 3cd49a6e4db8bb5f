"""Files that are there whole or not at all, whatever ends the process or the machine."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

_UNSUPPORTED = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})
"""What a file system that cannot sync a folder answers."""


def write_whole(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file under another name, make it last, and rename it."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        write_lasting(partial, content, mode)
        partial.rename(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_lasting(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a new file and wait until the disk has it."""
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with open(opened, "wb") as stream:  # noqa: PTH123 - a descriptor
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a loss of power; a file system that cannot is let be."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(opened)
