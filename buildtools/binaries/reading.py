"""One way in for every format: a stream goes in, facts come out."""

from __future__ import annotations

from typing import BinaryIO

from buildtools.binaries import elf, macho, pe
from buildtools.binaries.bytesource import ByteSource
from buildtools.binaries.facts import Binary, BinaryInvalid

_MAGICS = (elf.MAGIC, *macho.THIN_MAGICS, *macho.FAT_MAGICS)
_OTHERS = (
    (b"version https://git-lfs.github.com/spec/", "git-lfs-pointer", "a git-lfs pointer"),
    (b"PK\3\4", "zip", "a zip archive"),
    (b"PK\5\6", "zip", "an empty zip archive"),
    (b"\x1f\x8b", "gzip", "gzip data"),
    (b"!<arch>\n", "archive", "a static library"),
    (b"!<thin>\n", "archive", "a thin static library"),
)
_WEB = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--", b"<body")


def read_binary(stream: BinaryIO, *, symbols: bool = False) -> Binary:
    """The facts of an ELF, Mach-O or PE file.

    ``stream`` must be seekable; it is read by position, and where it stands afterwards is not
    defined. A file on disk is best opened with ``buffering=0``. ``symbols`` fills ``undefined`` and
    ``defined``, which costs time in proportion to their number; they stay None for files with more
    than is worth reading (16,384 symbols or 8 MiB of names).

    Raises :class:`BinaryInvalid` for anything that a loader would not take or that its own headers
    say is cut short; errors of the stream itself pass through.
    """
    source = ByteSource.of(stream)
    magic = source.head[:4]
    if magic == elf.MAGIC:
        return elf.read_elf(source, symbols=symbols)
    if magic in macho.THIN_MAGICS or magic in macho.FAT_MAGICS:
        return macho.read_macho(source, symbols=symbols)
    if magic[:2] == pe.MAGIC and not _is_text(source.head):
        return pe.read_pe(source, symbols=symbols)
    raise _not_a_binary(source)


def _not_a_binary(source: ByteSource) -> BinaryInvalid:
    """What the bytes are instead."""
    head = source.head
    if not head:
        return BinaryInvalid("the file is empty", looks_like="empty")
    if any(magic.startswith(head) for magic in _MAGICS):
        return BinaryInvalid(
            f"truncated at {source.size} bytes: not even a header", looks_like="truncated"
        )
    for magic, looks_like, what in _OTHERS:
        if head.startswith(magic):
            return BinaryInvalid(f"{what}, not a binary", looks_like=looks_like)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:256].lower()
    if start.startswith(_WEB):
        return BinaryInvalid("a web page, not a binary", looks_like="html")
    if _is_text(head):
        return BinaryInvalid("text, not a binary", looks_like="text")
    begins = f"it begins with {head[:8].hex(' ')}" if head.strip(b"\0") else "it is all zeros"
    return BinaryInvalid(f"no format that is known: {begins}")


def _is_text(head: bytes) -> bool:
    """Whether the first bytes are UTF-8 without control characters (the last may be cut)."""
    if b"\0" in head:
        return False
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return all(letter >= " " or letter in "\t\n\r\f\x1b" for letter in text)
