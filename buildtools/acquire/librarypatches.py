"""A distribution's patches, as far as they change the part of its source that is compiled here.

They hold the security fixes that came after the release of the source itself. Source:
dpkg-source(1), format 3.0 (quilt).
"""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

from buildtools.acquire.caching import safe_name
from buildtools.acquire.programs import patch_program
from buildtools.acquire.request import AcquireError
from buildtools.acquire.tools import Tools
from buildtools.archives.entries import clean_name
from buildtools.processes import clean_environment, run
from buildtools.recipes import LibraryRecipe

_PATCH_SECONDS = 120.0
_SECTION = re.compile(rb"(?m)^(?=diff --git |Index: |--- [^\n]*\n\+\+\+ )")
_FILES = re.compile(rb"(?m)^--- (\S+)[^\n]*\n\+\+\+ (\S+)")


def part_of(library: LibraryRecipe, name: str) -> str | None:
    """A file's name below the library's own folder; None for what is not wanted of the archive."""
    folder = library.source.folder
    if folder:
        if not name.startswith(f"{folder}/"):
            return None
        name = name[len(folder) + 1 :]
    unwanted = any(name == part or name.startswith(f"{part}/") for part in library.source.without)
    return None if unwanted or not name else name


def patches_of(debian: Path, room: Path) -> list[Path]:
    """The patches of ``debian/patches/series``, in its order, as files in ``room``."""
    texts: dict[str, bytes] = {}
    with tarfile.open(debian, mode="r|*") as stream:
        for entry in stream:
            name = clean_name(debian.name, entry.name)
            content = stream.extractfile(entry) if entry.isreg() else None
            if content is not None and name.startswith("debian/patches/"):
                texts[name.removeprefix("debian/patches/")] = content.read()
    found = []
    for number, line in enumerate(texts.get("series", b"").decode("utf-8", "replace").splitlines()):
        word = line.partition("#")[0].split()[:1]
        if word and word[0] in texts:
            path = room / f"{number:04}-{safe_name(word[0])}"
            path.write_bytes(texts[word[0]])
            found.append(path)
    return found


def apply_patch(
    tools: Tools, patch: Path, folder: Path, library: LibraryRecipe, room: Path
) -> None:
    """Apply what a patch changes of the library's own part; raises :class:`AcquireError`."""
    text = own_sections(patch.read_bytes(), library)
    if not text:
        return
    own = room / f"{patch.name}.own"
    own.write_bytes(text)
    program = patch_program(tools)
    exact = ["-p1", "-F0", "-N", "-s", "--no-backup-if-mismatch", "-r", "-"]
    done = run(
        [program, *exact, "-d", folder, "-i", own],
        timeout=_PATCH_SECONDS,
        env=clean_environment({"TMPDIR": str(room)}),
    )
    if not done.ok:
        raise AcquireError(
            f"a patch of the distribution does not apply to {library.name}",
            where=patch.name,
            why=done.tail(4),
        )


def own_sections(patch: bytes, library: LibraryRecipe) -> bytes:
    """The sections of a patch that change the library's own part, their paths made its own."""
    kept = []
    # A header of its own (diff --git, Index) opens a section; without one, --- does.
    marks = [match.start() for match in _SECTION.finditer(patch)]
    ends = [*marks[1:], len(patch)]
    for start, end in zip(marks, ends, strict=True):
        files = _FILES.search(patch, start, end)
        if files is None:
            continue
        names = [word for word in (files[1], files[2]) if word != b"/dev/null"]
        inside = [
            part_of(library, name.decode("utf-8", "replace").partition("/")[2]) for name in names
        ]
        if not inside or any(name is None or ".." in name.split("/") for name in inside):
            continue
        old = b"/dev/null" if files[1] == b"/dev/null" else b"a/" + str(inside[0]).encode()
        new = b"/dev/null" if files[2] == b"/dev/null" else b"b/" + str(inside[-1]).encode()
        kept.append(b"--- " + old + b"\n+++ " + new + patch[files.end() : end])
    return b"".join(kept)
