"""Tar archives, plain or packed with gzip, bzip2 or xz, read entry by entry in memory."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from buildtools.archives.entries import (
    DEFAULT_LIMITS,
    Entry,
    EntryCollector,
    Limits,
    check_growth,
    damaged,
    refused,
)
from buildtools.errors import CannotLookError

_DAMAGE = (
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    OverflowError,
    ValueError,
    RecursionError,
    KeyError,
    IndexError,
)
"""What ``tarfile`` and the decompressors raise on damaged content."""

_CHUNK = 1 << 20
_HEADER_BYTES = 16 << 20
"""The longest single read: ``tarfile`` reads an extended header whole, however long."""


class BoundedReader(io.RawIOBase):
    """A decompressed stream that refuses to grow beyond the limits, however it is moved through."""

    def __init__(self, stream: BinaryIO, archive: str, packed: int, limits: Limits) -> None:
        self._stream = stream
        self._archive = archive
        self._packed = packed
        self._limits = limits
        self._at = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always; backwards starts the decompression anew."""
        return True

    def tell(self) -> int:
        """The place in the unpacked stream."""
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Read; a wish for more than a header can be is refused."""
        if size is None or size < 0 or size > _HEADER_BYTES:
            raise refused(self._archive, "", "a header of more than 16 MiB")
        data = self._stream.read(size)
        self._at += len(data)
        check_growth(self._archive, "", self._at, self._packed, self._limits)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to ``offset`` from the start; forward by reading on, within the limits."""
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation(str(whence))
        if offset < self._at:
            self._stream.seek(0)
            self._at = 0
        while self._at < offset:
            if not self.read(min(_CHUNK, offset - self._at)):
                break
        return self._at


class TarArchive:
    """An open tar; its entries are judged when it is opened. Raises :class:`CannotLookError`.

    Entries are best opened in the order of their offsets: a packed tar is unpacked again from its
    start to go backwards.
    """

    def __init__(self, path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        self.path = path
        self._file: BinaryIO | None = None
        self._members: dict[str, tarfile.TarInfo] = {}
        try:
            self._file = path.open("rb")
            reader = self._reader(self._file, path, limits)
            self._tar = tarfile.TarFile(fileobj=cast("BinaryIO", reader), mode="r")
            self.entries: Mapping[str, Entry] = self._collect(reader, limits)
        except CannotLookError:
            self.close()
            raise
        except _DAMAGE as error:
            self.close()
            raise damaged(str(path), error) from error

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def open(self, name: str) -> BinaryIO:
        """The content of an entry, whole, as a stream that seeks.

        Raises :class:`CannotLookError` where it is damaged, ``FileNotFoundError`` for an unknown
        name.
        """
        entry = self.entries.get(name)
        if entry is None:
            raise FileNotFoundError(name)
        try:
            return BytesIO(self._read(self._members[entry.link or name]))
        except CannotLookError:
            raise
        except _DAMAGE as error:
            raise damaged(f"{self.path}: {name}", error) from error

    def _read(self, member: tarfile.TarInfo) -> bytes:
        stream = self._tar.extractfile(member)
        if stream is None:  # pragma: no cover - only regular files are among the members
            raise damaged(str(self.path), f"{member.name} has no content")
        chunks: list[bytes] = []
        while chunk := stream.read(_CHUNK):
            chunks.append(chunk)
        data = b"".join(chunks)
        if len(data) != member.size:
            raise damaged(f"{self.path}: {member.name}", f"{len(data)} of {member.size} bytes")
        return data

    @staticmethod
    def _reader(file: BinaryIO, path: Path, limits: Limits) -> BoundedReader:
        magic = file.read(6)
        file.seek(0)
        stream: BinaryIO = file
        if magic.startswith(b"\x1f\x8b"):
            stream = cast("BinaryIO", gzip.GzipFile(fileobj=file))
        elif magic.startswith(b"BZh"):
            stream = cast("BinaryIO", bz2.BZ2File(file))
        elif magic.startswith(b"\xfd7zXZ\x00"):
            stream = cast("BinaryIO", lzma.LZMAFile(file))  # noqa: SIM115 - kept open
        return BoundedReader(stream, str(path), path.stat().st_size, limits)

    def _collect(self, reader: BoundedReader, limits: Limits) -> Mapping[str, Entry]:
        collector = EntryCollector(str(self.path), limits, path_size(self.path))
        for member in self._tar:
            if member.isdir():
                collector.folder(member.name)
            elif member.islnk():
                collector.link(member.name, member.linkname, hard=True)
            elif member.issym():
                collector.link(member.name, member.linkname)
            elif member.isreg():
                collector.file(member.name, size=member.size, offset=member.offset_data)
                clean = next(reversed(collector.entries))
                self._members[clean] = member
            else:
                collector.special(member.name)
        self._check_end(reader)
        return collector.finish()

    def _check_end(self, reader: BoundedReader) -> None:
        """``tarfile`` takes a damaged header behind the first entry for the end: look."""
        reader.seek(self._tar.offset)
        block = reader.read(tarfile.BLOCKSIZE)
        if len(block) < tarfile.BLOCKSIZE or block.strip(b"\0"):
            raise damaged(str(self.path), f"neither a header nor the end at {self._tar.offset}")
        while reader.read(_CHUNK):
            pass  # to the end: only there a packer notices that its stream was cut


def path_size(path: Path) -> int:
    """The size of the file in bytes."""
    return path.stat().st_size
