"""What git would deploy of a folder: the paths of its index, read here, and what it ignores.

The format of the index is that of git's ``Documentation/gitformat-index.txt`` (versions 2 to 4).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from buildtools.errors import CannotLookError
from buildtools.processes import run

_SECONDS = 20.0
_STAT_BYTES = 40
_EXTENDED = 0x4000
_VERSIONS = (2, 3, 4)
_COMPRESSED = 4


def read_index(data: bytes, hash_bytes: int = 20) -> tuple[str, ...]:
    """The paths in an index, in its order; ``ValueError`` for what is no whole index.

    ``hash_bytes`` is 20, or 32 in a repository of SHA-256. An index that is split in two holds
    only what changed, and is refused too.
    """
    if len(data) < 12 + hash_bytes or data[:4] != b"DIRC":
        raise ValueError("this is no index of git")
    version, count = struct.unpack(">II", data[4:12])
    if version not in _VERSIONS:
        raise ValueError(f"version {version} of the index is not known")
    end = len(data) - hash_bytes
    at, name, names = 12, b"", []
    for _ in range(count):
        start = at
        at += _STAT_BYTES + hash_bytes + 2
        if at > end:
            raise ValueError("the index is cut off")
        extended = int.from_bytes(data[at - 2 : at], "big") & _EXTENDED
        at += 2 if extended else 0
        if version == _COMPRESSED:
            dropped, at = _number(data, at, end)
            if dropped > len(name):
                raise ValueError("the index drops more of a name than there is")
            kept = name[: len(name) - dropped]
        else:
            kept = b""
        nul = data.find(b"\0", at, end)
        if nul < 0:
            raise ValueError("the index is cut off")
        name = kept + data[at:nul]
        at = nul + 1 if version == _COMPRESSED else start + (nul - start + 8) // 8 * 8
        names.append(name.decode("utf-8", "surrogateescape"))
    if data[at : at + 4] == b"link":
        raise ValueError("the index is split")
    return tuple(names)


def _number(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A number of variable width, as packs have for offsets, and where the next byte is."""
    value = -1
    while at < end:
        byte = data[at]
        at += 1
        value = ((value + 1) << 7) | (byte & 0x7F)
        if not byte & 0x80:
            return value, at
    raise ValueError("the index is cut off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A folder inside of a git work tree; ``tracked`` are paths relative to that folder."""

    folder: Path
    tracked: frozenset[str]

    def tracks(self, path: str) -> bool:
        """Whether git has this file, or anything in this folder."""
        return path in self.tracked or any(name.startswith(f"{path}/") for name in self.tracked)

    def left_out(self, paths: Iterable[str]) -> frozenset[str]:
        """Those of the paths that are neither in git nor about to be: it ignores them.

        Without a git that can be asked nothing is said to be ignored.
        """
        asked = [path for path in dict.fromkeys(paths) if path and path not in self.tracked]
        if not asked:
            return frozenset()
        words = ["git", "-C", str(self.folder), "-c", "core.fsmonitor=false", "check-ignore"]
        try:
            done = run(
                [*words, "-z", "--stdin"],
                timeout=_SECONDS,
                stdin="\0".join(asked).encode("utf-8", "surrogateescape"),
            )
        except CannotLookError:
            return frozenset()
        return frozenset(done.stdout.split("\0")) & frozenset(asked) if done.ok else frozenset()


def repository_of(folder: Path) -> Repository | None:
    """The repository that a folder lies in; None when it lies in none, or git's files are odd."""
    for parent in (folder, *folder.parents):
        if (parent / ".git").exists():
            names = _tracked(parent)
            if names is None:
                return None
            prefix = folder.relative_to(parent).as_posix()
            prefix = "" if prefix == "." else f"{prefix}/"
            below = (name.removeprefix(prefix) for name in names if name.startswith(prefix))
            return Repository(folder=folder, tracked=frozenset(below))
    return None


def _tracked(top: Path) -> tuple[str, ...] | None:
    """The paths of a work tree's index, by git itself where this module cannot read it."""
    try:
        index = _git_folder(top) / "index"
        if not index.exists():
            return ()
        data = index.read_bytes()
    except OSError:
        return None
    long = hashlib.sha256(data[:-32]).digest() == data[-32:]
    try:
        return read_index(data, 32 if long else 20)
    except ValueError:
        pass
    words = ["git", "-C", str(top), "-c", "core.fsmonitor=false", "ls-files", "-z"]
    try:
        done = run(words, timeout=_SECONDS)
    except CannotLookError:
        return None
    return tuple(done.stdout.rstrip("\0").split("\0")) if done.ok else None


def _git_folder(top: Path) -> Path:
    """``.git``, or the folder that a file of that name points at (work trees, submodules)."""
    git = top / ".git"
    if git.is_dir():
        return git
    first = git.read_text(encoding="utf-8", errors="surrogateescape").partition("\n")[0]
    return top / first.removeprefix("gitdir:").strip()
