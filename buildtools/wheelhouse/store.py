"""Wheels under their content: ``sha256/ab/cdef…/name.whl``, beside metadata and provenance.

A wheel is put together in a folder of its own and renamed into place: it is there whole or not.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from buildtools.errors import CannotLookError, UsageError
from buildtools.findings import Cause, Finding, Severity
from buildtools.targets import Target, wheel_tags
from buildtools.wheelhouse.index import write_index
from buildtools.wheelhouse.provenance import UNKNOWN, Provenance
from buildtools.wheels import (
    OpenWheel,
    WheelInvalidError,
    WheelName,
    audit_open,
    normalized_name,
    parse_wheel_name,
    read_wheel,
)
from buildtools.writing import sync_folder, write_lasting, write_whole

PROVENANCE = "provenance.json"
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWheel:
    """A wheel in the store; ``sha256`` is its content's and its address."""

    path: Path
    name: WheelName
    sha256: str

    @property
    def version(self) -> str:
        """The version in its file name."""
        return self.name.version

    @property
    def metadata(self) -> Path:
        """Its METADATA, as PEP 658 has it served."""
        return self.path.with_name(f"{self.path.name}.metadata")

    @property
    def log(self) -> Path:
        """The log of its build, which a fetched wheel has none of."""
        return self.path.with_suffix(".log")

    @property
    def provenance(self) -> Provenance:
        """Where it came from; :data:`UNKNOWN` when the document is lost or damaged."""
        try:
            return Provenance.read((self.path.parent / PROVENANCE).read_bytes())
        except (OSError, ValueError, TypeError):
            return UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a clean-up removed: files' names and the bytes that they took."""

    removed: tuple[str, ...]
    bytes: int


class Wheelhouse:
    """The store below one folder, which is made when the first wheel is added."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def wheels(self) -> tuple[StoredWheel, ...]:
        """Every stored wheel, by name, then version as text, then tags."""
        found = [stored for folder in self._folders() if (stored := _stored(folder)) is not None]
        return tuple(sorted(found, key=lambda stored: stored.path.name))

    def add(self, wheel: Path, provenance: Provenance, *, log: Path | None = None) -> StoredWheel:
        """Take a wheel in, by content: one that is there already is left as it is.

        ``log`` is kept beside it. It is held against its own words first: raises
        :class:`WheelInvalidError` for one that lies about itself, :class:`CannotLookError` when the
        store cannot be written.
        """
        with OpenWheel(wheel) as opened:
            _refuse_liars(audit_open(opened, None), wheel)
            described = opened.wheel
        place = self._place(described.sha256)
        known = _stored(place)
        if known is not None and _sha256(known.path) == described.sha256:
            return known
        try:
            with self._held(exclusive=False):
                self._put(wheel, described.metadata, described.sha256, provenance, log)
        except OSError as error:
            raise CannotLookError(
                "the wheel could not be stored",
                where=str(self.root),
                why=error.strerror or str(error),
                next_step="free some space, or name another folder with --wheelhouse"
                if error.errno in {errno.ENOSPC, errno.EDQUOT}
                else "name a folder that can be written with --wheelhouse",
            ) from error
        stored = _stored(place)
        if stored is None:
            raise CannotLookError("the wheel was stored and is gone", where=str(place))
        return stored

    def note_proven(self, stored: StoredWheel, target: Target | str) -> None:
        """Write down that a probe of this wheel passed on a target; a read-only store is let be."""
        known = stored.provenance
        proven = known.proven_on(target if isinstance(target, str) else target.spec)
        if proven != known and os.access(stored.path.parent, os.W_OK):
            write_whole(stored.path.parent / PROVENANCE, proven.document())

    def find(
        self, distribution: str, target: Target, specifier: str = ""
    ) -> tuple[StoredWheel, ...]:
        """The wheels that install on the target, newest version first, best tag first.

        ``target`` must name a Python. Pre-releases count only where the specifier asks for them.
        Raises :class:`UsageError` for a specifier that is none.
        """
        from packaging.specifiers import InvalidSpecifier, SpecifierSet
        from packaging.version import InvalidVersion, Version

        wanted = normalized_name(distribution)
        candidates = [s for s in self.wheels() if s.name.distribution == wanted]
        if not candidates:
            return ()
        try:
            versions = SpecifierSet(specifier)
        except InvalidSpecifier as error:
            raise UsageError("no version specifier", where=distribution, why=str(error)) from error
        ranks = {"-".join(tag): rank for rank, tag in enumerate(wheel_tags(target))}
        fitting: list[tuple[Version, int, int, StoredWheel]] = []
        for stored in candidates:
            rank = min((ranks[tag] for tag in stored.name.tags if tag in ranks), default=None)
            try:
                version = Version(stored.version)
            except InvalidVersion:
                continue
            if version.is_prerelease and not versions.prereleases:
                continue
            if rank is not None and versions.contains(version):
                fitting.append((version, -rank, stored.path.stat().st_mtime_ns, stored))
        fitting.sort(key=lambda item: item[:3], reverse=True)
        return tuple(item[3] for item in fitting)

    def index(self) -> Path:
        """Write the simple repository index; gives its folder, for ``--index-url file://…``."""
        folder = self.root / "simple"
        files = [(stored.path, stored.metadata, stored.sha256) for stored in self.wheels()]
        try:
            write_index(folder, files)
        except OSError as error:
            raise CannotLookError(
                "the index could not be written",
                where=str(folder),
                why=error.strerror or str(error),
            ) from error
        return folder

    def gc(self, keep: int = 2) -> Collected:
        """Remove what a killed ``add`` left behind, and all but the newest versions.

        ``keep`` is how many versions stay of each distribution for each set of tags; of one version
        with the same tags the latest stays.
        """
        removed: list[str] = []
        freed = 0
        if not self.root.is_dir():
            return Collected(removed=(), bytes=0)
        with self._held(exclusive=True):
            for left in sorted((self.root / "tmp").glob("*")):
                freed += _size(left)
                shutil.rmtree(left)
                removed.append(f"tmp/{left.name}")
            for stored in self._superseded(keep):
                freed += _size(stored.path.parent)
                going = self.root / "tmp" / stored.sha256[:16]
                going.parent.mkdir(exist_ok=True)
                stored.path.parent.rename(going)
                shutil.rmtree(going)
                removed.append(stored.path.name)
        return Collected(removed=tuple(removed), bytes=freed)

    def check(self) -> tuple[Finding, ...]:
        """Hash every wheel again and hold it against its own words; empty when all is well."""
        found: list[Finding] = []
        for folder in self._folders():
            stored = _stored(folder)
            shown = folder.relative_to(self.root).as_posix()
            if stored is None:
                found.append(_bad(Cause.CORRUPT_BINARY, shown, "there is no single wheel in it"))
                continue
            try:
                with OpenWheel(stored.path) as opened:
                    if opened.wheel.sha256 != stored.sha256:
                        evidence = f"its content is {opened.wheel.sha256}"
                        found.append(
                            _bad(Cause.HASH_MISMATCH, f"{shown}/{stored.path.name}", evidence)
                        )
                        continue
                    found.extend(audit_open(opened, None))
            except CannotLookError as error:
                found.append(
                    _bad(
                        Cause.CORRUPT_BINARY, f"{shown}/{stored.path.name}", error.why or error.what
                    )
                )
        return tuple(found)

    def _put(
        self,
        wheel: Path,
        metadata: bytes,
        sha256: str,
        provenance: Provenance,
        log: Path | None,
    ) -> None:
        partial = self.root / "tmp" / f"{os.getpid()}-{secrets.token_hex(6)}"
        partial.mkdir(parents=True)
        try:
            copy = partial / wheel.name
            write_lasting(copy, wheel.read_bytes())
            if read_wheel(copy).sha256 != sha256:
                raise WheelInvalidError("the wheel changed while it was read", where=str(wheel))
            write_lasting(partial / f"{wheel.name}.metadata", metadata)
            if log is not None and log.is_file():
                write_lasting(copy.with_suffix(".log"), log.read_bytes())
            stamped = provenance if provenance.created else _now(provenance)
            write_lasting(partial / PROVENANCE, stamped.document())
            place = self._place(sha256)
            place.parent.mkdir(parents=True, exist_ok=True)
            self._settle(partial, place, sha256)
            sync_folder(place.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _settle(self, partial: Path, place: Path, sha256: str) -> None:
        """Rename a finished folder to its address; what lies there damaged makes way."""
        try:
            partial.rename(place)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
                raise
            there = _stored(place)
            if there is not None and _sha256(there.path) == sha256:
                return
            place.rename(partial.with_name(f"{partial.name}.damaged"))
            partial.rename(place)
            shutil.rmtree(partial.with_name(f"{partial.name}.damaged"), ignore_errors=True)

    def _superseded(self, keep: int) -> Iterator[StoredWheel]:
        from packaging.version import InvalidVersion, Version

        groups: dict[tuple[str, tuple[str, ...]], list[tuple[Version, int, StoredWheel]]] = {}
        for stored in self.wheels():
            try:
                version = Version(stored.version)
            except InvalidVersion:
                continue
            key = (stored.name.distribution, tuple(sorted(stored.name.tags)))
            row = (version, stored.path.stat().st_mtime_ns, stored)
            groups.setdefault(key, []).append(row)
        for rows in groups.values():
            seen: set[Version] = set()
            for version, _, stored in sorted(rows, key=lambda row: row[:2], reverse=True):
                if version in seen or len(seen) >= keep:
                    yield stored
                seen.add(version)

    def _folders(self) -> Iterator[Path]:
        """The folder of each address, in order."""
        try:
            shards = sorted((self.root / "sha256").iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise CannotLookError(
                "the wheelhouse cannot be read",
                where=str(self.root),
                why=error.strerror or str(error),
            ) from error
        for shard in shards:
            if shard.is_dir():
                yield from (entry for entry in sorted(shard.iterdir()) if entry.is_dir())

    def _place(self, sha256: str) -> Path:
        return self.root / "sha256" / sha256[:2] / sha256[2:]

    @contextmanager
    def _held(self, *, exclusive: bool) -> Iterator[None]:
        """Adding may go on beside adding, but not beside a clean-up."""
        self.root.mkdir(parents=True, exist_ok=True)
        opened = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
            yield
        finally:
            os.close(opened)


def _stored(folder: Path) -> StoredWheel | None:
    """What lies at an address; None when it is no address or holds no wheel."""
    sha256 = folder.parent.name + folder.name
    if _HEX.fullmatch(sha256) is None:
        return None
    try:
        wheels = [entry.name for entry in os.scandir(folder) if entry.name.endswith(".whl")]
        if len(wheels) != 1:
            return None
        return StoredWheel(path=folder / wheels[0], name=parse_wheel_name(wheels[0]), sha256=sha256)
    except (OSError, WheelInvalidError):
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _refuse_liars(findings: tuple[Finding, ...], wheel: Path) -> None:
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        raise WheelInvalidError(
            "this wheel is not what it says",
            where=wheel.name,
            why="; ".join(f"{one.cause}: {one.evidence}" for one in errors[:3]),
            next_step=errors[0].remedy,
        )


def _bad(cause: Cause, path: str, evidence: str) -> Finding:
    return Finding(
        cause=cause,
        severity=Severity.ERROR,
        path=path,
        evidence=evidence,
        remedy="Remove this folder of the wheelhouse and fetch or build the wheel again.",
    )


def _now(provenance: Provenance) -> Provenance:
    return replace(provenance, created=int(time.time()))


def _size(path: Path) -> int:
    return sum(file.lstat().st_size for file in path.rglob("*") if file.is_file())
