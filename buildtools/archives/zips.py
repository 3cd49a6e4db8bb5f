"""Zip archives, wheels among them, read entry by entry in memory."""

from __future__ import annotations

import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from buildtools.archives.entries import (
    DEFAULT_LIMITS,
    Entry,
    EntryCollector,
    Limits,
    check_growth,
    clean_name,
    damaged,
    refused,
)
from buildtools.errors import CannotLookError

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)
"""What ``zipfile`` raises on damaged, encrypted or unknown content."""

_CHUNK = 1 << 20
_LINK_BYTES = 4096
_UNIX = 3


class ZipArchive:
    """An open zip; its entries are judged when it is opened. Raises :class:`CannotLookError`."""

    def __init__(self, path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        self.path = path
        self._limits = limits
        self._stream: BinaryIO | None = None
        try:
            self._stream = path.open("rb")
            self._packed = path.stat().st_size
            self._zip = zipfile.ZipFile(self._stream)
            self._infos: dict[str, zipfile.ZipInfo] = {}
            self.entries: Mapping[str, Entry] = self._collect()
        except CannotLookError:
            self.close()
            raise
        except _DAMAGE as error:
            self.close()
            raise damaged(str(path), error) from error

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()

    def open(self, name: str) -> BinaryIO:
        """The content of an entry, whole, as a stream that seeks.

        Raises :class:`CannotLookError` where the content is damaged or grows like a bomb, and
        ``FileNotFoundError`` for an unknown name.
        """
        entry = self.entries.get(name)
        if entry is None:
            raise FileNotFoundError(name)
        info = self._infos[entry.link or name]
        try:
            return BytesIO(self._read(info, entry.size))
        except CannotLookError:
            raise
        except _DAMAGE as error:
            raise damaged(f"{self.path}: {name}", error) from error

    def _read(self, info: zipfile.ZipInfo, size: int) -> bytes:
        chunks: list[bytes] = []
        got = 0
        with self._zip.open(info) as stream:
            while chunk := stream.read(_CHUNK):
                got += len(chunk)
                check_growth(
                    str(self.path), info.filename, got, max(info.compress_size, 1), self._limits
                )
                chunks.append(chunk)
        if got != size:
            raise damaged(f"{self.path}: {info.filename}", f"{got} bytes where {size} are promised")
        return b"".join(chunks)

    def _collect(self) -> Mapping[str, Entry]:
        collector = EntryCollector(str(self.path), self._limits, self._packed)
        infos = self._zip.infolist()
        if sum(info.compress_size for info in infos) > self._packed:
            raise refused(str(self.path), "", "entries that overlap")
        for info in infos:
            name = info.orig_filename
            mode = info.external_attr >> 16 if info.create_system == _UNIX else 0
            kind = stat.S_IFMT(mode)
            if name.endswith(("/", "\\")):
                collector.folder(name)
            elif kind == stat.S_IFLNK:
                collector.link(name, self._link(info))
            elif kind in {0, stat.S_IFREG}:
                collector.file(name, size=info.file_size, offset=info.header_offset)
            else:
                collector.special(name)
            self._infos[clean_name(str(self.path), name)] = info
        return collector.finish()

    def _link(self, info: zipfile.ZipInfo) -> str:
        if info.file_size > _LINK_BYTES:
            raise refused(str(self.path), info.filename, "a link with an endless target")
        return self._zip.read(info).decode("utf-8", "surrogateescape")
