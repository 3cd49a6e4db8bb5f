"""Two paths exchanged in one step of the kernel, where it has one.

Linux: ``renameat2`` with ``RENAME_EXCHANGE`` (rename(2)); macOS: ``renamex_np`` with
``RENAME_SWAP``. Elsewhere, and on file systems without it (NFS), two plain renames: the caller's
journal makes the moment between them recoverable.
"""

from __future__ import annotations

import errno
import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_RENAME_SWAP = 2
_SYSCALLS = {"x86_64": 316, "aarch64": 276, "riscv64": 276, "ppc64le": 357, "s390x": 347}
"""The number of ``renameat2`` (Linux's syscall tables), for C libraries that do not wrap it."""

_UNSUPPORTED = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})
"""What a kernel or file system without exchange answers."""


def exchange(one: Path, other: Path) -> None:
    """Exchange two existing paths of one file system; raises ``OSError`` when it cannot be done.

    At no moment is either name without a whole file or folder, where the kernel can do it.
    """
    call = _kernel_exchange()
    if call is not None:
        number = call(os.fsencode(one), os.fsencode(other))
        if number == 0:
            return
        if number not in _UNSUPPORTED:
            raise OSError(number, os.strerror(number), str(one), None, str(other))
    exchange_by_renames(one, other)


def exchange_by_renames(one: Path, other: Path) -> None:
    """Exchange by three renames; between the first two ``one`` does not exist.

    What stood at ``one`` is meanwhile at :func:`aside`; a journal that knows both finds it there.
    """
    waiting = aside(other)
    one.rename(waiting)
    other.rename(one)
    waiting.rename(other)


def aside(staged: Path) -> Path:
    """Where the old file waits while two renames do the work of one exchange."""
    return staged.with_name(f"{staged.name}.aside")


@cache
def _kernel_exchange() -> Callable[[bytes, bytes], int] | None:
    """A function that exchanges two paths and gives 0 or an errno; None without a kernel's help."""
    try:
        import ctypes  # some Pythons are built without it
    except ImportError:
        return None
    library = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "darwin":
        swap = getattr(library, "renamex_np", None)
        if swap is None:
            return None

        def on_darwin(one: bytes, other: bytes) -> int:
            ended: int = swap(one, other, ctypes.c_uint(_RENAME_SWAP))
            return ctypes.get_errno() if ended else 0

        return on_darwin
    rename = getattr(library, "renameat2", None)
    number = _SYSCALLS.get(os.uname().machine, 0)
    if not sys.platform.startswith("linux") or (rename is None and not number):
        return None

    def on_linux(one: bytes, other: bytes) -> int:
        words = (_AT_FDCWD, one, _AT_FDCWD, other, ctypes.c_uint(_RENAME_EXCHANGE))
        ended: int = rename(*words) if rename else library.syscall(ctypes.c_long(number), *words)
        return ctypes.get_errno() if ended else 0

    return on_linux


def identity(path: Path) -> int | None:
    """The inode's number, links not followed; None where nothing lies.

    It stays with a file or folder through every rename, so it says which of two stands at a name.
    """
    try:
        return path.lstat().st_ino
    except (FileNotFoundError, NotADirectoryError):
        return None
