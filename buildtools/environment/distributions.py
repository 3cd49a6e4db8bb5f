"""Installed distributions: name and version from the folder's name, the rest when asked."""

from __future__ import annotations

import csv
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass

from buildtools.archives import Files
from buildtools.archives.files import join

_FOLDER = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+?)(?:-py\d[^-]*)?\.(?:dist|egg)-info")
_NATIVE_MARKS = (".so", ".pyd", ".dylib", ".node")
_COLUMNS = 3
_NATIVE_NAME = re.compile(r"(?:^|/)(?!\._)[^/]*\.(?:so|pyd|dylib|node)(?:\.|$)")
_REQUIRES = re.compile(r"^Requires-Dist:\s*(?P<name>[A-Za-z0-9][\w.-]*)(?P<rest>.*)$", re.MULTILINE)
_TAG = re.compile(r"^Tag:\s*(\S+)\s*$", re.MULTILINE)
_PURELIB = re.compile(r"^Root-Is-Purelib:\s*(\S+)", re.MULTILINE)


def normalized(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """What RECORD says of one native file: its path from the site folder, sha256, size in bytes.

    ``digest`` is urlsafe base64 without padding, empty where RECORD has none; ``size`` then -1.
    """

    path: str
    digest: str
    size: int


class Distribution:
    """One installed distribution, or one inside an artefact.

    ``key`` is the name as PEP 503 compares it, ``site`` the folder that its files are counted
    from, ``info`` its ``.dist-info`` or ``.egg-info``. RECORD and WHEEL are read at the first
    question.
    """

    __slots__ = ("_files", "_record", "_wheel", "info", "key", "name", "site", "version")

    def __init__(self, *, name: str, version: str, site: str, info: str, files: Files) -> None:
        self.name = name
        self.key = normalized(name)
        self.version = version
        self.site = site
        self.info = info
        self._files = files
        self._record: Mapping[str, RecordRow] | None = None
        self._wheel: tuple[tuple[str, ...], bool] | None = None

    def __repr__(self) -> str:
        return f"<Distribution {self.name} {self.version} in {self.site}>"

    @property
    def record_path(self) -> str:
        """Where RECORD lies, whether or not it is there."""
        return f"{self.info}/RECORD"

    @property
    def natives(self) -> Mapping[str, RecordRow]:
        """The native files that RECORD (or ``installed-files.txt``) lists, by full path."""
        if self._record is None:
            self._record = self._read_record()
        return self._record

    @property
    def has_record(self) -> bool:
        """Whether a list of its files is there."""
        return not self._files.names(self.info).isdisjoint({"RECORD", "installed-files.txt"})

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags in WHEEL, such as ``cp311-cp311-manylinux_2_17_x86_64``; () without WHEEL."""
        return self._read_wheel()[0]

    @property
    def purelib(self) -> bool:
        """Whether WHEEL says that the distribution is pure; False without WHEEL."""
        return self._read_wheel()[1]

    @property
    def pure_tags(self) -> bool:
        """Whether WHEEL promises that it is installed anywhere: every tag ends in ``none-any``."""
        return bool(self.tags) and all(tag.endswith("-none-any") for tag in self.tags)

    @property
    def requires(self) -> tuple[str, ...]:
        """The names that METADATA requires without an extra, as PEP 503 compares them."""
        headers = self._files.text(f"{self.info}/METADATA").partition("\n\n")[0]
        found = _REQUIRES.finditer(headers.replace("\r\n", "\n"))
        return tuple(
            dict.fromkeys(normalized(one["name"]) for one in found if "extra" not in one["rest"])
        )

    @property
    def top_level(self) -> tuple[str, ...]:
        """The top-level names of ``top_level.txt``, else the distribution's own name."""
        text = self._files.text(f"{self.info}/top_level.txt")
        names = tuple(line.strip() for line in text.splitlines() if line.strip())
        return names or (self.name.replace("-", "_"),)

    def _read_wheel(self) -> tuple[tuple[str, ...], bool]:
        if self._wheel is None:
            text = self._files.text(f"{self.info}/WHEEL")
            pure = _PURELIB.search(text)
            self._wheel = (
                tuple(_TAG.findall(text)),
                pure is not None and pure[1].lower() == "true",
            )
        return self._wheel

    def _read_record(self) -> Mapping[str, RecordRow]:
        text = self._files.text(self.record_path)
        if text:
            rows = record_rows(text)
            return {self._absolute(self.site, row.path): row for row in rows}
        listed = self._files.text(f"{self.info}/installed-files.txt")
        return {
            self._absolute(self.info, line): RecordRow(path=line, digest="", size=-1)
            for line in listed.splitlines()
            if _NATIVE_NAME.search(line)
        }

    @staticmethod
    def _absolute(base: str, path: str) -> str:
        joined = join(base, path)
        return posixpath.normpath(joined) if ".." in path or "//" in path else joined


def record_rows(text: str) -> list[RecordRow]:
    """The rows of a RECORD (PEP 376, PEP 427) that name native files.

    A RECORD has thousands of rows and a handful of natives: lines are cut out around the suffixes,
    and only those are read as CSV.
    """
    lines: dict[int, str] = {}
    for mark in _NATIVE_MARKS:
        at = text.find(mark)
        while at >= 0:
            start = text.rfind("\n", 0, at) + 1
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            lines[start] = text[start:end]
            at = text.find(mark, end)
    return [
        RecordRow(
            path=row[0],
            digest=row[1].removeprefix("sha256=") if row[1].startswith("sha256=") else "",
            size=int(row[2]) if row[2].isascii() and row[2].isdigit() else -1,
        )
        for row in csv.reader(lines[start] for start in sorted(lines))
        if len(row) >= _COLUMNS and _NATIVE_NAME.search(row[0])
    ]


def read_folder_name(folder: str) -> tuple[str, str] | None:
    """Name and version out of ``numpy-2.1.0.dist-info``; None for another kind of name."""
    match = _FOLDER.fullmatch(folder)
    return (match["name"], match["version"]) if match else None
