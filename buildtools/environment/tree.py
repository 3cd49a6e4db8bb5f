"""What a scan gives: places in the order of the search, native files, distributions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from buildtools.archives import Files
from buildtools.binaries.modulenames import ModuleName
from buildtools.environment.distributions import Distribution
from buildtools.host import Interpreter
from buildtools.targets import PythonAbi


class TreeKind(StrEnum):
    """What was scanned."""

    INTERPRETER = "interpreter"
    VENV = "venv"
    FOLDER = "folder"
    WHEEL = "wheel"
    ARCHIVE = "archive"
    FILE = "file"


class PlaceKind(StrEnum):
    """Why a folder is searched for modules; the words are shown to people."""

    PYTHONPATH = "PYTHONPATH"
    STDLIB = "standard library"
    USER_SITE = "user site"
    SITE = "site-packages"
    SYSTEM_SITE = "system site-packages"
    PTH = "a .pth file"
    FOLDER = "the folder itself"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One entry of the search path.

    ``path`` is as :class:`buildtools.archives.Files` takes it. ``python`` is the Python that the
    place belongs to, read off its path, or None. ``judged`` is False for a place that lies outside
    of what was to be audited and only says what would be imported from it.
    """

    path: str
    kind: PlaceKind
    python: PythonAbi | None = None
    judged: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeFile:
    """One file with the name of a native module or library, unread.

    ``path`` as ``Files`` takes it; ``shown`` the same, relative to what was scanned where that is
    shorter; ``relative`` to its place. ``dotted`` is the name that it is imported under, empty for
    a library, a Node addon, or a file that no import reaches.
    """

    path: str
    shown: str
    relative: str
    place: Place
    name: ModuleName | None
    dotted: str = ""
    distribution: Distribution | None = None

    @property
    def folder(self) -> str:
        """The folder that it lies in."""
        return self.path.rpartition("/")[0]

    @property
    def filename(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """An environment or artefact: what would be searched, in order, and what natives lie there.

    ``root`` is what was asked for, as a person would write it. ``interpreter`` is set when a live
    interpreter's environment was scanned, ``python`` when the tree says which Python it is for.
    ``committed_venvs`` are virtual environments inside a folder or archive.
    """

    kind: TreeKind
    root: str
    files: Files
    places: tuple[Place, ...]
    modules: tuple[NativeFile, ...]
    distributions: tuple[Distribution, ...]
    interpreter: Interpreter | None = None
    python: PythonAbi | None = None
    committed_venvs: tuple[str, ...] = ()

    def by_folder(self) -> Mapping[str, tuple[NativeFile, ...]]:
        """The native files of each folder."""
        folders: dict[str, list[NativeFile]] = {}
        for module in self.modules:
            folders.setdefault(module.folder, []).append(module)
        return {folder: tuple(files) for folder, files in folders.items()}
