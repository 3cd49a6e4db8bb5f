"""What an archive may hold: names, links and sizes, judged before anything is read."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from buildtools.errors import CannotLookError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much an archive may hold, in entries and bytes.

    ``ratio`` bounds unpacked against packed bytes once more than ``ratio_from`` bytes have come
    out: artefacts of compiled code shrink three to five times, a bomb a thousand times.
    """

    entries: int = 400_000
    entry_bytes: int = 2 << 30
    total_bytes: int = 16 << 30
    ratio: int = 150
    ratio_from: int = 64 << 20


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One regular file: its clean name (``/`` between parts), its size, and where it starts."""

    name: str
    size: int
    offset: int = 0
    link: str = ""
    """For a link, the name of the entry that it leads to."""


def refused(archive: str, name: str, why: str) -> CannotLookError:
    """The error for an archive that no tool should unpack."""
    return CannotLookError(
        "the archive is refused",
        where=f"{archive}: {name!r}",
        why=why,
        next_step="make the archive anew from the folder itself; do not unpack this one",
    )


def damaged(archive: str, why: object) -> CannotLookError:
    """The error for an archive that cannot be read to its end."""
    return CannotLookError(
        "the archive is damaged",
        where=archive,
        why=str(why) or type(why).__name__,
        next_step="fetch or make the archive again",
    )


_DRIVE = re.compile(r"[A-Za-z]:")


def clean_name(archive: str, name: str) -> str:
    """The entry's name without ``.`` parts; empty for the root itself.

    Refuses absolute names, drive letters, ``..``, NUL and control characters, with
    :class:`CannotLookError`. A backslash counts as a separator, as it does where Windows unpacks.
    """
    if any(ord(char) < 32 or ord(char) == 127 for char in name):  # noqa: PLR2004 - ASCII controls
        raise refused(archive, name, "a control character in a name")
    slashed = name.replace("\\", "/")
    if slashed.startswith("/") or _DRIVE.match(slashed):
        raise refused(archive, name, "an absolute path")
    parts = [part for part in slashed.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise refused(archive, name, "a path with '..'")
    return "/".join(parts)


def link_target(archive: str, name: str, target: str, *, hard: bool) -> str:
    """Where a link in the archive leads, as an entry's name; refuses one that leaves the tree.

    A symbolic link is relative to its own folder, a hard link of a tar to the archive's root.
    """
    slashed = target.replace("\\", "/")
    if slashed.startswith("/") or _DRIVE.match(slashed) or "\0" in slashed:
        raise refused(archive, name, f"a link that leaves the tree: {target!r}")
    base = "" if hard else posixpath.dirname(name)
    joined = posixpath.normpath(posixpath.join(base, slashed))
    if joined == ".." or joined.startswith("../"):
        raise refused(archive, name, f"a link that leaves the tree: {target!r}")
    return "" if joined == "." else joined


@dataclass(slots=True)
class EntryCollector:
    """Gathers entries one by one and refuses the archive at the first that must not be there."""

    archive: str
    limits: Limits = DEFAULT_LIMITS
    packed_bytes: int = 0
    entries: dict[str, Entry] = field(default_factory=dict)
    total: int = 0
    _links: dict[str, str] = field(default_factory=dict)
    _seen: int = 0

    def file(self, raw_name: str, *, size: int, offset: int = 0) -> None:
        """Take a regular file."""
        name = self._name(raw_name)
        if size < 0 or size > self.limits.entry_bytes:
            raise refused(self.archive, name, f"an entry of {size} bytes")
        self.total += size
        self._check_total(name)
        self.entries[name] = Entry(name=name, size=size, offset=offset)

    def link(self, raw_name: str, target: str, *, hard: bool = False) -> None:
        """Take a link, whose target may come later."""
        name = self._name(raw_name)
        self._links[name] = link_target(self.archive, name, target, hard=hard)

    def folder(self, raw_name: str) -> None:
        """Take a folder: only its name is judged."""
        self._count(raw_name)
        clean_name(self.archive, raw_name)

    def special(self, raw_name: str) -> None:
        """Refuse a device, pipe or socket."""
        raise refused(self.archive, raw_name, "a device file, pipe or socket")

    def finish(self) -> Mapping[str, Entry]:
        """Every file by name, links beside them; refuses loops and a file used as a folder."""
        for name in self._links:
            reached = self._follow(name)
            if reached is not None:
                self.entries[name] = Entry(
                    name=name, size=reached.size, offset=reached.offset, link=reached.name
                )
        for folder in folders_of(self.entries):
            if folder in self.entries or folder in self._links:
                raise refused(self.archive, folder, "a file or link and a folder at once")
        return self.entries

    def _follow(self, name: str) -> Entry | None:
        """The file that a link leads to in the end; None for a folder or for nothing."""
        seen = {name}
        at = self._links[name]
        while at in self._links:
            if at in seen:
                raise refused(self.archive, name, "a link that leads back to itself")
            seen.add(at)
            at = self._links[at]
        return self.entries.get(at)

    def _name(self, raw_name: str) -> str:
        self._count(raw_name)
        name = clean_name(self.archive, raw_name)
        if not name:
            raise refused(self.archive, raw_name, "a file without a name")
        if name in self.entries or name in self._links:
            raise refused(self.archive, name, "the same name twice")
        return name

    def _count(self, name: str) -> None:
        self._seen += 1
        if self._seen > self.limits.entries:
            raise refused(self.archive, name, f"more than {self.limits.entries} entries")

    def _check_total(self, name: str) -> None:
        check_growth(self.archive, name, self.total, self.packed_bytes, self.limits)


def check_growth(archive: str, name: str, unpacked: int, packed: int, limits: Limits) -> None:
    """Refuse an archive that unpacks to more than the limits, or grows like a bomb."""
    if unpacked > limits.total_bytes:
        raise refused(archive, name, f"more than {limits.total_bytes} bytes in all")
    if unpacked > limits.ratio_from and unpacked > packed * limits.ratio:
        raise refused(
            archive, name, f"{packed} bytes that unpack to more than {limits.ratio} times as many"
        )


def folders_of(names: Iterable[str]) -> dict[str, tuple[list[str], list[str]]]:
    """The folders that the names imply: each with its subfolders and its files, sorted.

    The root is ``""``.
    """
    folders: dict[str, tuple[set[str], set[str]]] = {"": (set(), set())}

    def ensure(folder: str) -> tuple[set[str], set[str]]:
        if folder not in folders:
            folders[folder] = (set(), set())
            parent, _, last = folder.rpartition("/")
            ensure(parent)[0].add(last)
        return folders[folder]

    for name in names:
        folder, _, last = name.rpartition("/")
        ensure(folder)[1].add(last)
    return {folder: (sorted(below), sorted(files)) for folder, (below, files) in folders.items()}
