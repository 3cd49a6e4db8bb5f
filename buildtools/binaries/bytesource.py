"""Positioned reads from a stream, bounded by its real size."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from io import FileIO
from typing import BinaryIO

from buildtools.binaries.facts import BinaryInvalid

HEAD_BYTES = 4096
"""Read at once at the start: nearly every header, with its program headers, lies in it."""

NAME_BYTES = 4096
"""The longest name that is taken: PATH_MAX of Linux; longer ones belong to damaged files."""


class SizedFile(FileIO):
    """An unbuffered file on disk whose ``size`` in bytes was seen as it was opened.

    Each further question for it is a system call, in an examination of thousands of files.
    """

    __slots__ = ("size",)

    def __init__(self, descriptor: int, size: int) -> None:
        super().__init__(descriptor, "rb")
        self.size = size


class ByteSource:
    """A file's bytes by offset.

    ``size`` is the real size in bytes; ``head`` the first :data:`HEAD_BYTES`. A file on disk is
    read with ``pread`` (the stream's position stays), anything else with ``seek`` and ``read``.
    Errors of the stream itself (``OSError`` and those of an archive) pass through: they are not
    about the format.
    """

    __slots__ = ("_base", "_pread", "head", "size")

    def __init__(self, pread: Callable[[int, int], bytes], size: int, base: int = 0) -> None:
        self._pread = pread
        self._base = base
        self.size = size
        self.head = pread(min(size, HEAD_BYTES), base) if size else b""
        if len(self.head) < min(size, HEAD_BYTES):
            raise truncated("the file ends early", len(self.head))

    @classmethod
    def of(cls, stream: BinaryIO) -> ByteSource:
        """The bytes of a seekable binary stream, from its start whatever its position."""
        raw = stream.raw if isinstance(stream, io.BufferedReader) else stream
        if isinstance(raw, FileIO) and hasattr(os, "pread"):
            descriptor = raw.fileno()

            def pread(length: int, offset: int) -> bytes:
                return os.pread(descriptor, length, offset)

            size = raw.size if isinstance(raw, SizedFile) else os.fstat(descriptor).st_size
            return cls(pread, size)

        def seek_and_read(length: int, offset: int) -> bytes:
            stream.seek(offset)
            return stream.read(length)

        return cls(seek_and_read, stream.seek(0, io.SEEK_END))

    def part(self, offset: int, size: int) -> ByteSource:
        """A piece of the file as a source of its own, as the slice of a fat Mach-O file."""
        self.require(offset + size, "a slice")
        return ByteSource(self._pread, size, self._base + offset)

    def require(self, end: int, what: str) -> None:
        """Raise :class:`BinaryInvalid` (truncated) when ``end`` lies past the end of the file."""
        if end > self.size:
            raise truncated(f"{what} ends at byte {end}, past the end of the file", self.size)

    def at(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes at ``offset``; :class:`BinaryInvalid` if they are not there."""
        end = offset + length
        if end <= len(self.head):
            return self.head[offset:end]
        if end > self.size:
            raise truncated(f"bytes {offset} to {end} are past the end of the file", self.size)
        data = self._pread(length, self._base + offset)
        if len(data) != length:
            raise truncated(f"bytes {offset} to {end} cannot be read", self.size)
        return data

    def upto(self, offset: int, length: int) -> bytes:
        """At most ``length`` bytes at ``offset``, fewer at the end of the file."""
        return self.at(offset, max(0, min(length, self.size - offset)))

    def name(self, offset: int, limit: int = NAME_BYTES) -> str:
        """The text at ``offset`` up to its NUL; :class:`BinaryInvalid` without one in ``limit``."""
        return ended_text(self.upto(offset, limit), 0)


def ended_text(data: bytes, start: int) -> str:
    """The text in ``data`` from ``start`` to the next NUL; :class:`BinaryInvalid` without one."""
    end = data.find(b"\0", start)
    if start < 0 or end < 0:
        raise BinaryInvalid("a name has no end")
    return data[start:end].decode("utf-8", "backslashreplace")


def truncated(why: str, size: int) -> BinaryInvalid:
    """The error for a file that ends before what its own headers promise."""
    return BinaryInvalid(f"truncated at {size} bytes: {why}", looks_like="truncated")
