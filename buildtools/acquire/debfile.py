"""A Debian package unpacked by pure Python: an ar archive with a tar of the files inside.

Source: deb(5). Nothing of the package is run, and nothing leaves the folder: absolute names and
``..`` are refused; an absolute link means the package's own root, as it would in a sysroot.
"""

from __future__ import annotations

import gzip
import io
import lzma
import os
import posixpath
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

from buildtools.archives.entries import clean_name, refused
from buildtools.errors import CannotLookError
from buildtools.processes import run

_MAGIC = b"!<arch>\n"
_HEADER_BYTES = 60
_HEADER_END = b"`\n"
_MAX_UNPACKED = 4 << 30
_DPKG_SECONDS = 300.0

Wanted = Callable[[str], bool]


def everything(name: str) -> bool:
    """A filter that takes every entry."""
    del name
    return True


def unpack_deb(package: Path, folder: Path, *, wanted: Wanted = everything) -> tuple[str, ...]:
    """Unpack the files whose name (``usr/lib/…``) is wanted; gives their names.

    Raises :class:`CannotLookError` for a package that is damaged or hostile.
    """
    try:
        with package.open("rb") as stream:
            name, content = _data_member(stream, package)
            with _decompressed(name, content, package) as data:
                return _unpack_tar(data, package.name, folder, wanted)
    except (tarfile.TarError, lzma.LZMAError, EOFError, gzip.BadGzipFile) as error:
        raise CannotLookError(
            "this package is damaged", where=package.name, why=str(error)
        ) from error


def _data_member(stream: IO[bytes], package: Path) -> tuple[str, IO[bytes]]:
    """The name and bytes of ``data.tar.*``; the members before it are passed over."""
    if stream.read(len(_MAGIC)) != _MAGIC:
        raise CannotLookError("this is no Debian package", where=package.name, why="no ar magic")
    while header := stream.read(_HEADER_BYTES):
        digits = header[48:58].strip()
        if len(header) < _HEADER_BYTES or header[58:60] != _HEADER_END or not digits.isdigit():
            break
        name = header[:16].decode("ascii", "replace").strip().rstrip("/")
        size = int(digits)
        if name.startswith("data.tar"):
            content = stream.read(size)
            if len(content) < size:
                break
            return name, io.BytesIO(content)
        stream.seek(size + size % 2, os.SEEK_CUR)
    raise CannotLookError("this package is damaged", where=package.name, why="no data.tar in it")


def _decompressed(name: str, content: IO[bytes], package: Path) -> IO[bytes]:
    """The tar inside; what this Python cannot decompress (zstd before 3.14) dpkg-deb does."""
    if name.endswith(".xz"):
        return cast("IO[bytes]", lzma.open(content))
    if name.endswith(".gz"):
        return cast("IO[bytes]", gzip.open(content))
    if name == "data.tar":
        return content
    if name.endswith(".zst"):
        try:
            from compression import zstd  # type: ignore[import-not-found,unused-ignore]
        except ImportError:
            return _by_dpkg(package)
        return cast("IO[bytes]", zstd.open(content))
    raise CannotLookError(
        "this package is compressed in a way that cannot be read", where=package.name, why=name
    )


def _by_dpkg(package: Path) -> IO[bytes]:
    target = package.with_suffix(".tar")
    program = shutil.which("dpkg-deb") or "dpkg-deb"
    # The tar may be larger than what a child's output is kept of: a file takes it.
    done = run(
        ["/bin/sh", "-c", 'exec "$1" --fsys-tarfile "$2" > "$3"', "sh", program, package, target],
        timeout=_DPKG_SECONDS,
    )
    if not done.ok:
        raise CannotLookError(
            "this package cannot be unpacked", where=package.name, why=done.tail(3)
        )
    stream = target.open("rb")
    target.unlink()
    return stream


def _unpack_tar(data: IO[bytes], package: str, folder: Path, wanted: Wanted) -> tuple[str, ...]:
    written: list[str] = []
    total = 0
    with tarfile.open(fileobj=data, mode="r|") as archive:
        for entry in archive:
            name = clean_name(package, entry.name)
            if not name or entry.isdir() or not wanted(name):
                continue
            target = folder / name
            _make_parents(folder, target, package)
            if entry.issym() or entry.islnk():
                _link(package, folder, name, entry)
            elif entry.isreg():
                total += entry.size
                if total > _MAX_UNPACKED:
                    raise refused(package, name, f"more than {_MAX_UNPACKED} bytes in all")
                source = archive.extractfile(entry)
                target.unlink(missing_ok=True)
                with target.open("xb") as sink:
                    if source is not None:
                        shutil.copyfileobj(source, sink)
                target.chmod(0o755 if entry.mode & 0o111 else 0o644)
            else:
                raise refused(package, name, "a device file, pipe or socket")
            written.append(name)
    return tuple(written)


def _make_parents(folder: Path, target: Path, package: str) -> None:
    """Make the folders above; a link among them must not lead out of the tree."""
    target.parent.mkdir(parents=True, exist_ok=True)
    root = folder.resolve()
    reached = target.parent.resolve()
    if reached != root and root not in reached.parents:
        raise refused(package, str(target), "a path through a link that leaves the tree")


def _link(package: str, folder: Path, name: str, entry: tarfile.TarInfo) -> None:
    """A link, relative to its folder; an absolute one is taken from the tree's own root."""
    if entry.islnk():
        reached = clean_name(package, entry.linkname)
    elif entry.linkname.startswith("/"):
        reached = posixpath.normpath(entry.linkname).lstrip("/")
    else:
        reached = posixpath.normpath(posixpath.join(posixpath.dirname(name), entry.linkname))
    if reached.startswith(".."):
        raise refused(package, name, f"a link that leaves the tree: {entry.linkname!r}")
    target = folder / name
    target.unlink(missing_ok=True)
    target.symlink_to(posixpath.relpath(reached, posixpath.dirname(name) or "."))


def shared_libraries(folder: Path) -> Iterator[Path]:
    """Every shared library file in an unpacked tree, links among them, sorted."""
    for path in sorted(folder.rglob("*.so*")):
        if path.is_file():
            yield path
