"""One change to an ELF file, in place: a library that it no longer names as needed."""

from __future__ import annotations

from pathlib import Path

from buildtools.binaries.bytesource import ByteSource
from buildtools.binaries.elfimage import StringTable, read_image

_DT_NEEDED, _DT_STRTAB, _DT_STRSZ = 1, 5, 10


def drop_needed(path: Path, name: str) -> bool:
    """Take ``name`` out of what the file at ``path`` needs; gives whether it was there.

    The entries behind it move up and the dynamic section ends earlier: nothing else in the file
    moves. Whatever the file takes out of that library must come from another one. Raises
    :class:`BinaryInvalid` for what is no ELF file.
    """
    with path.open("r+b") as stream:
        source = ByteSource.of(stream)
        image = read_image(source)
        if image.table is None or not image.needed:
            return False
        strings = StringTable(
            source, image.offset(image.dynamic[_DT_STRTAB]), image.dynamic.get(_DT_STRSZ, 0)
        )
        gone = {offset for offset in image.needed if strings.get(offset) == name}
        entry = image.layout.dynamic
        start, length = image.table
        length -= length % entry.size
        rows = entry.iter_unpack(source.at(start, length))
        kept = [row for row in rows if not (row[0] == _DT_NEEDED and row[1] in gone)]
        if gone:
            stream.seek(start)
            stream.write(b"".join(entry.pack(*row) for row in kept).ljust(length, b"\0"))
        return bool(gone)
