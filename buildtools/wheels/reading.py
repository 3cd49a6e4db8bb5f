"""A wheel opened: its names, its metadata and its files, each content proven by RECORD."""

from __future__ import annotations

import hashlib
import hmac
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from buildtools.archives import Archive, open_archive
from buildtools.errors import CannotLookError
from buildtools.wheels.metadata import (
    UNSIGNED,
    ConsoleScript,
    RecordEntry,
    read_headers,
    read_record,
    read_scripts,
)
from buildtools.wheels.names import (
    WheelInvalidError,
    WheelName,
    normalized_name,
    parse_wheel_name,
)

SCHEMES = ("purelib", "platlib", "scripts", "data", "headers")
"""The folders that may stand in a wheel's ``.data`` (the binary distribution format)."""

_EXECUTABLE = 0o111


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelFile:
    """What a wheel says of itself; nothing here proves that it is so, :func:`audit` does.

    ``name`` and ``version`` are METADATA's; ``tags`` WHEEL's, as triples joined with ``-``;
    ``record`` maps each file to what RECORD says of it (None where it gives no hash);
    ``executable`` names the files that carry an executable bit; ``sha256`` is the whole file's, in
    hexadecimal, ``size`` its bytes.
    """

    path: Path
    filename: WheelName
    name: str
    version: str
    tags: tuple[str, ...]
    root_is_purelib: bool
    requires_python: str
    dist_info: str
    metadata: bytes
    record: Mapping[str, RecordEntry | None]
    scripts: tuple[ConsoleScript, ...]
    executable: frozenset[str]
    sha256: str
    size: int

    @property
    def distribution(self) -> str:
        """The name as PEP 503 compares it."""
        return normalized_name(self.name)

    @property
    def data_folder(self) -> str:
        """The folder in the wheel whose parts go elsewhere: ``name-version.data``."""
        return f"{self.dist_info.removesuffix('.dist-info')}.data"


class OpenWheel:
    """A wheel whose files are read; a context manager.

    Raises :class:`WheelInvalidError` when it is opened for what is no wheel, and
    :class:`CannotLookError` for an archive that is damaged or refused.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        named = parse_wheel_name(path.name)
        sha256, size = _digest(path)
        self._archive: Archive = open_archive(path)
        try:
            self.wheel = self._describe(named, sha256, size)
        except BaseException:
            self._archive.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._archive.close()

    @property
    def names(self) -> tuple[str, ...]:
        """Every file's name, ``/``-separated, in the archive's order."""
        return tuple(self._archive.entries)

    def read(self, name: str) -> bytes:
        """A file's content as it stands; :meth:`proven` checks it against RECORD."""
        return self._archive.open(name).read()

    def proven(self, name: str) -> bytes:
        """A file's content, checked against RECORD's hash and size.

        Raises :class:`WheelInvalidError` where they differ.
        """
        content = self.read(name)
        entry = self.wheel.record.get(name)
        if entry is None:
            return content
        digest = hashlib.new(entry.algorithm, content).digest()
        sized = entry.size is None or entry.size == len(content)
        if not hmac.compare_digest(digest, entry.digest) or not sized:
            raise WheelInvalidError(
                "a file in this wheel is not what its RECORD says",
                where=f"{self.path.name}: {name}",
                why=f"{entry.algorithm} {digest.hex()[:16]}…, not {entry.digest.hex()[:16]}…",
                next_step="fetch or build the wheel again; do not install this one",
            )
        return content

    def placed(self) -> Iterator[tuple[str, str, str]]:
        """Each file as ``(name in the wheel, scheme, path below it)``; RECORD and signatures not.

        ``scheme`` is ``site`` for what lies at the root, else one of :data:`SCHEMES`.
        """
        skipped = {f"{self.wheel.dist_info}/{name}" for name in UNSIGNED}
        prefix = f"{self.wheel.data_folder}/"
        for name in self.names:
            if name in skipped:
                continue
            if not name.startswith(prefix):
                yield name, "site", name
                continue
            scheme, _, rest = name.removeprefix(prefix).partition("/")
            yield name, scheme, rest

    def _describe(self, named: WheelName, sha256: str, size: int) -> WheelFile:
        where = self.path.name
        info = self._dist_info(named)
        metadata = self.read(f"{info}/METADATA")
        about = read_headers(metadata.decode("utf-8", "replace"))
        wheel = read_headers(self._text(f"{info}/WHEEL"))
        record = read_record(self._text(f"{info}/RECORD"), f"{where}: RECORD")
        entry_points = f"{info}/entry_points.txt"
        scripts = (
            read_scripts(self._text(entry_points), f"{where}: entry_points.txt")
            if entry_points in self._archive.entries
            else ()
        )
        major = _one(wheel, "wheel-version", where).partition(".")[0]
        if major != "1":
            raise WheelInvalidError(
                "this version of the wheel format is not known", where=where, why=f"{major}.x"
            )
        described = WheelFile(
            path=self.path,
            filename=named,
            name=_one(about, "name", where),
            version=_one(about, "version", where),
            tags=tuple(tag for value in wheel.get("tag", ()) for tag in _expanded(value)),
            root_is_purelib=_one(wheel, "root-is-purelib", where).lower() == "true",
            requires_python=(about.get("requires-python") or ("",))[0],
            dist_info=info,
            metadata=metadata,
            record=record,
            scripts=scripts,
            executable=_executables(self.path),
            sha256=sha256,
            size=size,
        )
        self._check(described)
        return described

    def _dist_info(self, named: WheelName) -> str:
        """The ``.dist-info`` folder, whose name must be the file name's."""
        found = {
            name.partition("/")[0]
            for name in self.names
            if ".dist-info/" in name.partition("/")[0] + "/"
        }
        if len(found) != 1:
            raise WheelInvalidError(
                "a wheel has one .dist-info folder",
                where=self.path.name,
                why=", ".join(sorted(found)) or "this one has none",
            )
        info = found.pop()
        name, _, version = info.removesuffix(".dist-info").rpartition("-")
        if normalized_name(name) != named.distribution or not _same_version(version, named.version):
            raise WheelInvalidError(
                "the file's name and its .dist-info folder differ", where=self.path.name, why=info
            )
        missing = [
            part for part in ("METADATA", "WHEEL", "RECORD") if f"{info}/{part}" not in self.names
        ]
        if missing:
            raise WheelInvalidError(
                "the wheel lacks what every wheel has",
                where=self.path.name,
                why=", ".join(f"{info}/{part}" for part in missing),
            )
        return info

    def _text(self, name: str) -> str:
        return self.read(name).decode("utf-8", "replace")

    def _check(self, wheel: WheelFile) -> None:
        """RECORD lists every file once and no other; METADATA and the file name agree."""
        where = self.path.name
        if wheel.distribution != wheel.filename.distribution or not _same_version(
            wheel.version, wheel.filename.version
        ):
            raise WheelInvalidError(
                "the file's name and its METADATA differ",
                where=where,
                why=f"METADATA says {wheel.name} {wheel.version}",
            )
        unsigned = {f"{wheel.dist_info}/{name}" for name in UNSIGNED}
        unlisted = [
            name for name in self.names if name not in unsigned and wheel.record.get(name) is None
        ]
        absent = [name for name in wheel.record if name not in self._archive.entries]
        if unlisted or absent:
            raise WheelInvalidError(
                "RECORD and the wheel's files do not agree",
                where=where,
                why="; ".join(
                    [f"{name} has no hash in RECORD" for name in unlisted[:3]]
                    + [f"{name} is in RECORD only" for name in absent[:3]]
                ),
                next_step="fetch or build the wheel again; do not install this one",
            )
        prefix = f"{wheel.data_folder}/"
        for name in self.names:
            if name.startswith(prefix):
                scheme, _, rest = name.removeprefix(prefix).partition("/")
                if scheme not in SCHEMES or not rest:
                    raise WheelInvalidError(
                        "a file of this wheel has no place to go", where=f"{where}: {name}"
                    )


def read_wheel(path: Path) -> WheelFile:
    """What a wheel says of itself.

    Raises :class:`WheelInvalidError`, or :class:`CannotLookError` where it cannot be read at all.
    """
    with OpenWheel(path) as opened:
        return opened.wheel


def _digest(path: Path) -> tuple[str, int]:
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            return digest, stream.tell()
    except OSError as error:
        raise CannotLookError(
            "the wheel cannot be read", where=str(path), why=error.strerror or str(error)
        ) from error


def _executables(path: Path) -> frozenset[str]:
    with zipfile.ZipFile(path) as archive:
        return frozenset(
            info.filename for info in archive.infolist() if (info.external_attr >> 16) & _EXECUTABLE
        )


def _one(headers: Mapping[str, tuple[str, ...]], key: str, where: str) -> str:
    values = headers.get(key, ())
    if len(values) != 1 or not values[0]:
        raise WheelInvalidError(
            f"the wheel says {key} {len(values)} times", where=where, why="it must say it once"
        )
    return values[0]


def _expanded(tag: str) -> Iterator[str]:
    """A compressed tag set's triples; WHEEL should hold expanded ones, and some do not."""
    parts = tag.split("-")
    if len(parts) != 3:  # noqa: PLR2004 - python, abi, platform
        return
    for python in parts[0].split("."):
        for abi in parts[1].split("."):
            for platform in parts[2].split("."):
                yield f"{python}-{abi}-{platform}"


def _same_version(one: str, other: str) -> bool:
    """Whether two spellings are one version, as PEP 440 reads them: ``1.0.post1`` and ``1.0-1``."""
    if re.sub(r"[-_]", "_", one) == re.sub(r"[-_]", "_", other):
        return True
    from packaging.version import InvalidVersion, Version

    try:
        return Version(one.replace("_", "-")) == Version(other.replace("_", "-"))
    except InvalidVersion:
        return False
