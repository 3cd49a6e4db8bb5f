"""One rebuild at a time in an environment: a lock that ends with its process."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from buildtools.errors import BusyError


class EnvironmentLock:
    """``flock`` on a file: the kernel drops it when the process ends, however it ends.

    The file itself stays and means nothing. Its text, the holder's process id, is there for people.
    A context manager; raises :class:`BusyError` at once when another process holds it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: int | None = None

    def __enter__(self) -> Self:
        opened = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(opened, 32).decode("ascii", "replace").strip()
            os.close(opened)
            if not isinstance(error, BlockingIOError):
                raise
            raise BusyError(
                "another rebuild holds this environment",
                where=str(self._path.parent.parent),
                why=f"process {holder}" if holder.isdigit() else "",
                next_step="wait until it has ended, then run this again",
            ) from error
        with contextlib.suppress(OSError):  # a full disk: the lock itself needs no room
            os.ftruncate(opened, 0)
            os.pwrite(opened, f"{os.getpid()}\n".encode("ascii"), 0)
        self._opened = opened
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._opened is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._opened, 0)
            os.close(self._opened)
            self._opened = None
