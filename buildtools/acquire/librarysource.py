"""A library's source out of the distribution's archive, its own patches applied.

apt checks what it downloads against the signed lists. The distribution's patches hold the security
fixes that came after the release of the source itself. Sources: dpkg-source(1), format 3.0 (quilt);
deb-src stanzas, sources.list(5).
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
import tarfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from buildtools.acquire.apt import Apt, codename
from buildtools.acquire.caching import appearing, is_whole, locked, made_once, safe_name, workroom
from buildtools.acquire.debsource import open_source_apt
from buildtools.acquire.librarypatches import apply_patch, part_of, patches_of
from buildtools.acquire.request import AcquireError
from buildtools.acquire.tools import Tools
from buildtools.acquire.wheelfiles import sha256_of
from buildtools.archives.entries import clean_name
from buildtools.errors import CannotLookError
from buildtools.findings import Cause
from buildtools.processes import run
from buildtools.recipes import LibraryRecipe

RELEASES: Mapping[str, tuple[str, ...]] = {
    "debian": ("trixie", "bookworm"),
    "ubuntu": ("resolute", "noble"),
}
"""The releases that sources are taken from, newest first: every one is supported, so is what it
holds. A release that its distribution no longer supports does not belong here."""

ALIASES: Mapping[str, str] = {"trixie": "stable", "bookworm": "oldstable"}
"""A second path to a release in the same archive, which a mirror may hold at another moment."""

_FRESH_SECONDS = 24 * 3600.0
_MAX_UNPACKED = 4 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTree:
    """A library's source, unpacked and patched.

    ``identity`` names the content (archives by hash, and which parts were taken); ``origin`` is for
    people, ``purl`` for the bill of materials; ``notes`` go to the wheel's user.
    """

    path: Path
    version: str
    identity: str
    origin: str
    purl: str
    notes: tuple[str, ...] = ()


def source_tree(tools: Tools, library: LibraryRecipe) -> SourceTree:
    """The source of a library: of the distribution's archive, else an archive laid by by hand.

    Asked again within a day, or offline, the one that is there is given. Raises
    :class:`AcquireError`.
    """
    shelf = tools.cache / "sources"
    key = hashlib.sha256(repr(library.source).encode()).hexdigest()[:12]
    note = shelf / f"{safe_name(library.name)}-{key}.json"
    with locked(note.with_suffix(".lock")):
        known = _known(tools, note)
        if known is not None:
            return known
        try:
            tree = _debian(tools, library, shelf)
        except AcquireError as error:
            by_hand = _by_hand(tools, library, shelf, error)
            if by_hand is None:
                raise
            tree = by_hand
        with appearing(note) as partial:
            body = {"folder": tree.path.name, "time": time.time(), **_as_json(tree)}
            partial.write_text(json.dumps(body, indent=1), encoding="utf-8")
        return tree


def _as_json(tree: SourceTree) -> dict[str, object]:
    names = ("version", "identity", "origin", "purl", "notes")
    return {name: getattr(tree, name) for name in names}


def _known(tools: Tools, note: Path) -> SourceTree | None:
    try:
        noted = json.loads(note.read_text(encoding="utf-8"))
        folder = note.parent / safe_name(str(noted["folder"]))
        if not is_whole(folder):
            return None
        if not tools.offline and time.time() - float(noted["time"]) > _FRESH_SECONDS:
            return None
        return SourceTree(
            path=folder,
            version=str(noted["version"]),
            identity=str(noted["identity"]),
            origin=str(noted["origin"]),
            purl=str(noted["purl"]),
            notes=tuple(str(entry) for entry in noted["notes"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


# -- the distribution's archive


def _debian(tools: Tools, library: LibraryRecipe, shelf: Path) -> SourceTree:
    """The newest source package that the mirror really holds."""
    machine = codename()
    if machine is None or tools.offline:
        raise AcquireError(
            f"the source of {library.name} cannot be had",
            cause=Cause.MISSING_CLIENT_HEADERS,
            where="offline" if tools.offline else "this machine",
            why="nothing may be fetched, and it is not in the cache"
            if tools.offline
            else "source packages come through apt, and this is no Debian or Ubuntu",
            next_step=_laying_by(tools, library),
        )
    distribution, _ = machine
    announced = ""
    failed: list[AcquireError] = []
    for apt, version in _offers(tools, distribution, library.source.debian, failed):
        announced = announced or f"{distribution} {apt.release}'s {version}"
        try:
            tree = _fetched(tools, apt, library, version, shelf)
        except AcquireError as error:
            if error.cause is not Cause.INDEX_UNREACHABLE:
                raise
            failed.append(error)
            continue
        if f"{distribution} {apt.release}'s {version}" == announced:
            return tree
        note = (
            f"{library.name} is {version}: the mirror announces {announced}, but does not hold it; "
            "build again once it does"
        )
        tools.on_event("source", note, None)
        return replace(tree, notes=(note,))
    if failed:
        failed[-1].next_step = _laying_by(tools, library)
        raise failed[-1]
    raise AcquireError(
        f"no release of this archive has the source of {library.name}",
        cause=Cause.MISSING_CLIENT_HEADERS,
        where=", ".join(RELEASES.get(distribution, ())),
        next_step=_laying_by(tools, library),
    )


def _offers(
    tools: Tools, distribution: str, package: str, failed: list[AcquireError]
) -> Iterator[tuple[Apt, str]]:
    """Every version of a source package, newest first in each release, newer releases first."""
    for release in RELEASES.get(distribution, ()):
        for suite in (release, ALIASES.get(release)):
            apt = open_source_apt(tools.cache, suite) if suite else None
            if apt is None:
                continue
            tools.on_event("source", f"reading {suite}'s list of sources", None)
            try:
                apt.update()
                if suite != release and apt.codename() != release:
                    continue
                versions = apt.source_versions(package)
            except AcquireError as error:
                failed.append(error)
                continue
            for version in sorted(versions, key=functools.cmp_to_key(_order), reverse=True):
                yield apt, version


def _order(one: str, other: str) -> int:
    """Debian's order of versions, by the program that defines it."""
    if one == other:
        return 0
    dpkg = shutil.which("dpkg") or "dpkg"
    return 1 if run([dpkg, "--compare-versions", one, "gt", other], timeout=30).ok else -1


def _fetched(
    tools: Tools, apt: Apt, library: LibraryRecipe, version: str, shelf: Path
) -> SourceTree:
    name = library.source.debian
    folder = shelf / safe_name(f"{library.name}-{version}-{_taken(library)}")
    upstream = re.sub(r"^\d+:|-[^-]*$", "", version)

    def fill(partial: Path) -> None:
        with workroom(tools.cache, f"source-{name}") as room:
            tools.on_event("source", f"fetching {name} {version}", None)
            files = apt.download_source(name, version, room)
            tools.on_event("source", f"unpacking {name} {version}", None)
            hashes = _unpack_package(tools, files, library, partial)
        (partial / ".identity").write_text(hashes, encoding="utf-8")

    made_once(folder, fill)
    hashes = (folder / ".identity").read_text(encoding="utf-8")
    return SourceTree(
        path=folder,
        version=upstream,
        identity=f"{hashes} {_taken(library)}",
        origin=f"{apt.distribution} {apt.release}, source package {name} {version}",
        purl=f"pkg:deb/{apt.distribution}/{name}@{version.partition(':')[2] or version}"
        f"?arch=source&distro={apt.release}",
    )


def _taken(library: LibraryRecipe) -> str:
    """Names which parts of a source are unpacked."""
    words = json.dumps([library.source.folder, library.source.without])
    return hashlib.sha256(words.encode()).hexdigest()[:12]


def _unpack_package(
    tools: Tools, files: tuple[Path, ...], library: LibraryRecipe, folder: Path
) -> str:
    """Unpack a source package's tree and apply its patches; gives the archives' hashes."""
    source = next((path for path in files if re.search(r"\.orig\.tar\.\w+$", path.name)), None)
    debian = next((path for path in files if re.search(r"\.debian\.tar\.\w+$", path.name)), None)
    if source is None or debian is None:
        raise AcquireError(
            f"the source package of {library.name} is of a format that is not read",
            where=", ".join(path.name for path in files),
            why="there is no .orig.tar and .debian.tar in it (source format 3.0, quilt)",
        )
    unpack_source(source, folder, library)
    with workroom(tools.cache, "patches") as room:
        patches = patches_of(debian, room)
        for path in patches:
            apply_patch(tools, path, folder, library, room)
    return f"{sha256_of(source)} {sha256_of(debian)}"


def unpack_source(archive: Path, folder: Path, library: LibraryRecipe) -> None:
    """Unpack the library's own part of a source archive, its first folder taken off.

    Only plain files are taken. Raises :class:`CannotLookError` for a hostile or damaged archive.
    """
    total = 0
    try:
        with tarfile.open(archive, mode="r|*") as stream:
            for entry in stream:
                name = clean_name(archive.name, entry.name).partition("/")[2]
                inside = part_of(library, name) if entry.isreg() else None
                if inside is None:
                    continue
                total += entry.size
                if total > _MAX_UNPACKED:
                    raise CannotLookError("this source is too large", where=archive.name)
                content = stream.extractfile(entry)
                target = folder / inside
                target.parent.mkdir(parents=True, exist_ok=True)
                if content is not None:
                    with target.open("wb") as sink:
                        shutil.copyfileobj(content, sink, 1 << 20)
                    target.chmod(0o755 if entry.mode & 0o111 else 0o644)
                    os.utime(target, (entry.mtime, entry.mtime))
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise CannotLookError(
            "this source archive is damaged", where=archive.name, why=str(error)
        ) from error
    if not total:
        raise AcquireError(
            f"the source of {library.name} is not where it was",
            where=archive.name,
            why=f"the folder {library.source.folder or '.'} in it is empty or not there",
        )


# -- the second way: upstream's archive, laid by by hand


def archives_folder(tools: Tools) -> Path:
    """Where archives are looked for that somebody has laid by."""
    return tools.cache / "archives"


def _laying_by(tools: Tools, library: LibraryRecipe) -> str:
    if not library.source.archives:
        return ""
    name, digest = next(iter(library.source.archives.items()))
    return f"lay {name} (SHA-256 {digest}) into {archives_folder(tools)}"


def _by_hand(
    tools: Tools, library: LibraryRecipe, shelf: Path, before: AcquireError
) -> SourceTree | None:
    """Upstream's own archive, by its pinned hash; None when nobody has laid one by."""
    if before.cause not in {Cause.INDEX_UNREACHABLE, Cause.MISSING_CLIENT_HEADERS}:
        return None
    for name, digest in library.source.archives.items():
        archive = archives_folder(tools) / name
        if not archive.is_file():
            continue
        found = sha256_of(archive)
        if found != digest:
            raise AcquireError(
                "this source archive is not the one that is pinned",
                cause=Cause.HASH_MISMATCH,
                where=str(archive),
                why=f"its SHA-256 is {found}, wanted is {digest}",
                next_step="fetch it again from the library's own site",
            )
        folder = shelf / safe_name(f"{library.name}-{digest[:16]}-{_taken(library)}")

        def fill(partial: Path, archive: Path = archive) -> None:
            tools.on_event("source", f"unpacking {archive.name}", None)
            unpack_source(archive, partial, library)

        made_once(folder, fill)
        version = re.sub(r"^[a-z-]+-|\.tar\.\w+$", "", name)
        return SourceTree(
            path=folder,
            version=version,
            identity=f"{digest} {_taken(library)}",
            origin=name,
            purl=f"pkg:generic/{library.source.debian}@{version}?checksum=sha256:{digest}",
        )
    return None
