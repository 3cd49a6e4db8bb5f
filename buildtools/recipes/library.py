"""Libraries that the source way compiles: ``native/libraries/<name>/library.yaml``, read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from buildtools.recipes.model import LIBRARY_SYSTEMS
from buildtools.recipes.nodes import NodeReader, RecipeError

if TYPE_CHECKING:
    from yaml import Node

KEYS = (
    "library", "summary", "licence", "licence_file", "needs", "link", "system", "version", "source",
    "build", "headers", "archives",
)  # fmt: skip
PLATFORMS = ("linux/x86_64", "linux/aarch64", "darwin/arm64", "darwin/x86_64")
"""The platforms that a library may be compiled for; glibc and musl are one here."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.+-]{0,62}[a-z0-9])?")
_LICENCE = re.compile(r"[A-Za-z0-9.+-]{1,64}")
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}")
_OPTION = re.compile(r"(?:--|no-|enable-)?[A-Za-z0-9_][A-Za-z0-9_.-]*(?:=[A-Za-z0-9_./{}-]*)?")
_PATH = re.compile(r"[A-Za-z0-9_*.+-]+(?:/[A-Za-z0-9_*.+-]+)*")
_MACRO = re.compile(r"[A-Z][A-Z0-9_]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class BuildSystem(StrEnum):
    """How a library is configured and compiled."""

    OPENSSL = "openssl"
    CONFIGURE = "configure"
    CMAKE = "cmake"


@dataclass(frozen=True, slots=True, kw_only=True)
class LibrarySource:
    """Where a library's source is from.

    ``debian`` is the name of the distribution's source package, ``folder`` the library's own in it
    (empty for the root), ``without`` the parts below ``folder`` that no build needs. ``archives``
    are upstream's, file name to SHA-256, newest first: the second way.
    """

    debian: str
    folder: str
    without: tuple[str, ...]
    archives: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryRecipe:
    """One library; ``docs/recipes.md`` says what each field means.

    ``link`` are the words behind ``-l``, ``system_libraries`` those of the system's own libraries
    that it needs, for each system; ``version`` the header and macro that name its version,
    ``platforms`` the options of each platform that it can be had for beside ``options``;
    ``headers`` and ``archives`` are what is kept of a build: where it stands, and under which
    folder of ``include``, or which name in ``lib``. ``text`` is the file itself, for the key of
    what was compiled by it.
    """

    name: str
    summary: str
    licence: str
    licence_file: str
    needs: tuple[str, ...]
    link: tuple[str, ...]
    system_libraries: Mapping[str, tuple[str, ...]]
    version: tuple[str, str]
    source: LibrarySource
    system: BuildSystem
    options: tuple[str, ...]
    platforms: Mapping[str, tuple[str, ...]]
    targets: tuple[str, ...]
    headers: Mapping[str, str]
    archives: Mapping[str, str]
    text: str


def read_library(file: Path) -> LibraryRecipe:
    """Read one ``library.yaml``; raises :class:`RecipeError` with every mistake in it."""
    reader = _Reader(file)
    root = reader.root()
    library = reader.library(root) if root is not None else None
    if reader.mistakes or library is None:
        raise RecipeError(file, tuple(sorted(reader.mistakes)))
    return library


class _Reader(NodeReader):
    """A library's own keys, each with its check."""

    def library(self, root: Node) -> LibraryRecipe:
        required = tuple(key for key in KEYS if key not in {"needs", "system"})
        get = self.fields(root, KEYS, required, "the library").get
        name = self.text(get("library"), "library", _NAME)
        if name and name != self.file.parent.name:
            self.wrong(get("library"), f"the folder is named {self.file.parent.name!r}, not so")
        needs = self.texts(get("needs"), "needs", _NAME)
        for other in needs:
            if other and not self.file.parent.with_name(other).joinpath("library.yaml").is_file():
                self.wrong(get("needs"), f"no library is named {other!r}")
        keys = ("system", "options", "platforms", "targets")
        build = self.fields(get("build"), keys, keys, "build")
        return LibraryRecipe(
            name=name,
            summary=self.text(get("summary"), "summary"),
            licence=self.text(get("licence"), "licence", _LICENCE),
            licence_file=self.path(get("licence_file"), "licence_file"),
            needs=needs,
            link=self.texts(get("link"), "link", _WORD),
            system_libraries=self.system_libraries(get("system")),
            version=self.version(get("version")),
            source=self.source(get("source")),
            system=self.system(build.get("system")),
            options=self.options(build.get("options"), "options", needs),
            platforms=self.platforms(build.get("platforms"), needs),
            targets=self.texts(build.get("targets"), "targets", _WORD),
            headers=self.places(get("headers"), "headers"),
            archives=self.places(get("archives"), "archives"),
            text=self.file.read_text(encoding="utf-8", errors="replace"),
        )

    def path(self, node: Node | None, what: str) -> str:
        """A path that stays below its folder; a ``*`` may stand for any part of a name."""
        value = self.text(node, what, _PATH)
        if ".." in value.split("/"):
            self.wrong(node, f"{value!r} must stay below its folder")
        return value

    def version(self, node: Node | None) -> tuple[str, str]:
        get = self.fields(node, ("header", "name"), ("header", "name"), "version").get
        return self.path(get("header"), "header"), self.text(get("name"), "name", _MACRO)

    def source(self, node: Node | None) -> LibrarySource:
        known = ("debian", "folder", "without", "archives")
        get = self.fields(node, known, ("debian",), "source").get
        archives = {}
        for key, (at, value) in self.pairs(get("archives"), "archives").items():
            if not _WORD.fullmatch(key):
                self.wrong(at, f"{key!r} is no good as the name of an archive")
            archives[key] = self.text(value, key, _SHA256)
        return LibrarySource(
            debian=self.text(get("debian"), "debian", _NAME),
            folder=self.path(get("folder"), "folder") if get("folder") is not None else "",
            without=self.texts(get("without"), "without", _PATH),
            archives=archives,
        )

    def system_libraries(self, node: Node | None) -> Mapping[str, tuple[str, ...]]:
        fields = self.fields(node, LIBRARY_SYSTEMS, (), "system")
        return {name: self.texts(value, name, _WORD) for name, value in fields.items()}

    def system(self, node: Node | None) -> BuildSystem:
        value = self.text(node, "system")
        try:
            return BuildSystem(value)
        except ValueError:
            if value:
                self.wrong(node, f"system must be one of {', '.join(BuildSystem)}, not {value!r}")
            return BuildSystem.CMAKE

    def options(self, node: Node | None, what: str, needs: tuple[str, ...]) -> tuple[str, ...]:
        values = self.texts(node, what, _OPTION)
        for value in values:
            for name in _PLACEHOLDER.findall(value):
                if name not in needs:
                    self.wrong(node, f"{{{name}}} is none of the libraries that it needs")
            if set("{}") & set(_PLACEHOLDER.sub("", value)) or ".." in re.split("[/=]", value):
                self.wrong(node, f"{value!r} is no good as an option")
        return values

    def platforms(self, node: Node | None, needs: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
        fields = self.fields(node, PLATFORMS, (), "platforms")
        return {name: self.options(value, name, needs) for name, value in fields.items()}

    def places(self, node: Node | None, what: str) -> Mapping[str, str]:
        places = {}
        for key, (at, value) in self.pairs(node, what).items():
            if not _PATH.fullmatch(key) or ".." in key.split("/"):
                self.wrong(at, f"{key!r} is no good as a place")
            places[key] = self.path(value, key)
        return places
