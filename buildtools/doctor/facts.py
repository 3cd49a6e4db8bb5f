"""Reads native files once each, and remembers what they are or why they are nothing."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from typing import BinaryIO

from buildtools.archives import Files
from buildtools.binaries import Binary, BinaryFacts, BinaryInvalid, SizedFile
from buildtools.binaries.reading import read_binary
from buildtools.errors import CannotLookError
from buildtools.targets import Target


class FactsCache:
    """Facts by path, with and without symbols; counts the bytes of what was scanned."""

    def __init__(self, target: Target) -> None:
        self._arch = target.arch
        self._read: dict[tuple[bool, str], Binary | BinaryInvalid] = {}
        self._symbols: dict[tuple[bool, str], BinaryFacts | None] = {}
        self._sizes: dict[str, int] = {}
        self.bytes = 0

    def scanned(self, files: Files, path: str, *, symbols: bool = False) -> Binary | BinaryInvalid:
        """The binary at a path of the tree, whose size counts as looked at.

        With ``symbols`` it is read with them, at once: to read it again later costs twice.
        """
        key = (files.on_disk, path)
        known = self._read.get(key)
        if known is None:
            known = self._load(files, path, symbols=symbols)
            self._read[key] = known
            if symbols and isinstance(known, Binary):
                facts = self.slice(known)
                self._symbols[key] = facts if facts.defined is not None else None
        elif symbols and isinstance(known, Binary) and self.slice(known).defined is None:
            facts_then = self.with_symbols(files, path)  # it was read before, as a library
            if facts_then is not None:
                known = Binary(format=known.format, slices=(facts_then,))
        self.bytes += self._sizes.pop(path, 0)
        return known

    def candidate(self, files: Files, path: str) -> BinaryFacts | None:
        """What the loader would take at a path: the fitting slice, or None for no binary.

        Raises ``OSError`` when nothing can be opened there.
        """
        key = (files.on_disk, path)
        known = self._read.get(key)
        if known is None:
            known = self._read[key] = self._load(files, path)
        if isinstance(known, _Unopened):
            raise OSError(known.reason)
        return None if isinstance(known, BinaryInvalid) else self.slice(known)

    def with_symbols(self, files: Files, path: str) -> BinaryFacts | None:
        """The fitting slice with its symbols; None when there are none to be had."""
        key = (files.on_disk, path)
        if key not in self._symbols:
            try:
                with files.open(path) as stream:
                    self._symbols[key] = self.slice(read_binary(stream, symbols=True))
            except (OSError, BinaryInvalid, CannotLookError):
                self._symbols[key] = None
        return self._symbols[key]

    def slice(self, binary: Binary) -> BinaryFacts:
        """The slice for the target's machine, else the first."""
        for facts in binary.slices:
            if facts.arch == self._arch:
                return facts
        return binary.slices[0]

    def _load(self, files: Files, path: str, *, symbols: bool = False) -> Binary | BinaryInvalid:
        try:
            stream = files.open(path)
        except OSError as error:
            return _Unopened(error.strerror or str(error))
        with stream:
            self._sizes[path] = _size(stream)
            try:
                return _read(stream, symbols=symbols)
            except BinaryInvalid as error:
                return error
            except OSError as error:
                return _Unopened(error.strerror or str(error))


def _size(stream: BinaryIO) -> int:
    return stream.size if isinstance(stream, SizedFile) else stream.seek(0, io.SEEK_END)


def _read(stream: BinaryIO, *, symbols: bool) -> Binary:
    """A binary with its symbols; without them where only they are damaged."""
    if symbols:
        with suppress(BinaryInvalid):
            return read_binary(stream, symbols=True)
        stream.seek(0)
    return read_binary(stream)


class _Unopened(BinaryInvalid):
    """A file that stands in its folder but cannot be opened: a link to nothing, no permission."""


def why_unopened(files: Files, path: str, error: BinaryInvalid) -> str:
    """The evidence for a file that could not be opened; its reason otherwise."""
    if isinstance(error, _Unopened) and files.on_disk and os.path.islink(path):  # noqa: PTH114
        return f"a link to {os.readlink(path)}, which is not there"  # noqa: PTH115
    return error.reason
