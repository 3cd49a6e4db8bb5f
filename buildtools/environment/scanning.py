"""From an interpreter, a folder or an archive to a :class:`Tree`; nothing is imported or run."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from buildtools.archives import ArchiveFiles, DiskFiles, Files, is_archive, open_archive
from buildtools.archives.files import join
from buildtools.binaries.modulenames import ModuleKind, ModuleName, module_name
from buildtools.environment.collector import collector_paused
from buildtools.environment.distributions import Distribution, read_folder_name
from buildtools.environment.layout import (
    interpreter_places,
    is_site_folder,
    python_of_path,
    venv_places,
    venv_python,
)
from buildtools.environment.tree import NativeFile, Place, PlaceKind, Tree, TreeKind
from buildtools.errors import CannotLookError
from buildtools.folders import expanded
from buildtools.host import Interpreter
from buildtools.targets import PythonAbi, Version

_NATIVE = re.compile(r"(?!\._).+\.(?:so|so\.\d[\w.]*|pyd|dylib|node)")
_WHEEL_DATA = re.compile(r"[^/]+\.data/(?:purelib|platlib)/(?P<rest>.+)")
_WHEEL_PYTHON = re.compile(r"-cp(?P<major>3)(?P<minor>\d{1,2})-(?P<abi>[\w.]+)-[^-]+\.whl$")
_CODE_PLACES = frozenset({PlaceKind.PYTHONPATH, PlaceKind.PTH})


def scan(source: Interpreter | Path, *, outside: bool = True) -> Tree:
    """Look through an interpreter's search path, a venv, a folder, a wheel, a zip, a tar or a file.

    ``outside`` lets a venv's tree mention the standard library that it borrows, unjudged. Raises
    :class:`CannotLookError` for what is not there, cannot be read, or is refused.
    """
    with collector_paused():
        return (
            _scan_interpreter(source)
            if isinstance(source, Interpreter)
            else _scan_path(source, outside=outside)
        )


def _scan_path(source: Path, *, outside: bool) -> Tree:
    path = Path(os.path.abspath(expanded(source)))  # noqa: PTH100 - links stay as written
    if path.is_dir():
        if (path / "pyvenv.cfg").is_file():
            return _scan_venv(path, outside=outside)
        return _scan_folder(path)
    if not path.exists():
        raise CannotLookError(
            "there is nothing at this path",
            where=str(source),
            next_step="name a folder, a virtual environment, a wheel, a zip or a tar",
        )
    if not path.is_file():
        raise CannotLookError("this is neither a file nor a folder", where=str(source))
    if is_native_name(path.name) and not path.name.endswith(".whl"):
        return _scan_file(path)
    if is_archive(path):
        return _scan_archive(path)
    raise CannotLookError(
        "this is no artefact",
        where=str(source),
        why="neither a native module by its name, nor a zip, nor a tar",
        next_step="name a folder, a virtual environment, a wheel, a zip or a tar",
    )


def is_native_name(name: str) -> bool:
    """Whether a file's name is one of a native module, library or Node addon.

    ``._name`` is what macOS writes beside a file into archives (AppleDouble): no one loads it.
    """
    if ".so" not in name and not name.endswith((".pyd", ".dylib", ".node")):
        return False
    return _NATIVE.fullmatch(name) is not None


@dataclass(slots=True)
class _Gathered:
    """What a walk has found so far, and how its paths are shown."""

    files: Files
    base: str
    modules: list[NativeFile] = field(default_factory=list)
    distributions: list[Distribution] = field(default_factory=list)
    owners: dict[str, Distribution] = field(default_factory=dict)
    folders: dict[str, Distribution] = field(default_factory=dict)

    def take_distributions(self, place: Place, names: Iterable[str]) -> None:
        """Note the distributions of a place and which native files each owns."""
        for name in names:
            if not name.endswith((".dist-info", ".egg-info")):
                continue
            described = read_folder_name(name)
            if described is None:
                continue
            distribution = Distribution(
                name=described[0],
                version=described[1],
                site=place.path,
                info=join(place.path, name),
                files=self.files,
            )
            self.distributions.append(distribution)
            for path in distribution.natives:
                self.owners[path] = distribution
                folder = path.rpartition("/")[0]
                while folder not in self.folders and len(folder) > len(place.path):
                    self.folders[folder] = distribution
                    folder = folder.rpartition("/")[0]
            listed = distribution.has_record
            own_name = (distribution.name.replace("-", "_"),)
            for top in own_name if listed else distribution.top_level:
                self.folders.setdefault(join(place.path, top), distribution)

    def take_files(self, place: Place, folder: str, names: Iterable[str]) -> None:
        """Note the native files of one folder of a place."""
        prefix = f"{place.path}/" if place.path else ""
        for name in names:
            if ".so" not in name and not name.endswith((".pyd", ".dylib", ".node")):
                continue
            if _NATIVE.fullmatch(name) is None:
                continue
            path = join(folder, name)
            relative = path.removeprefix(prefix)
            named = module_name(name)
            self.modules.append(
                NativeFile(
                    path=path,
                    shown=self._shown(path),
                    relative=relative,
                    place=place,
                    name=named,
                    dotted=dotted_name(relative, named),
                    distribution=self._owner(place, path),
                )
            )

    def _owner(self, place: Place, path: str) -> Distribution | None:
        """Who lists the file, else who has listed native files in its folder or above it."""
        owner = self.owners.get(path)
        folder = path.rpartition("/")[0]
        if owner is None and folder == place.path:
            return self.folders.get(_bare(path))
        while owner is None and len(folder) > len(place.path):
            owner = self.folders.get(folder)
            folder = folder.rpartition("/")[0]
        return owner

    def _shown(self, path: str) -> str:
        return path.removeprefix(self.base) if self.base else path


def _bare(path: str) -> str:
    """The path without the suffixes of its file's name."""
    folder, _, name = path.rpartition("/")
    return join(folder, name.partition(".")[0])


def dotted_name(relative: str, name: ModuleName | None) -> str:
    """The name under which a file is imported from its place; empty where no import reaches it."""
    if name is None or name.kind is not ModuleKind.EXTENSION:
        return ""
    *folders, _ = relative.split("/")
    parts = [*folders, name.stem]
    if not all(part.isidentifier() for part in parts):
        return ""
    if parts[-1] == "__init__" and folders:
        parts.pop()
    return ".".join(parts)


def _scan_interpreter(interpreter: Interpreter) -> Tree:
    files = DiskFiles()
    places = interpreter_places(interpreter, files)
    base = f"{files.real(str(interpreter.prefix))}/"
    gathered = _walk_places(files, base, places)
    return Tree(
        kind=TreeKind.INTERPRETER,
        root=str(interpreter.executable),
        files=files,
        places=places,
        modules=tuple(gathered.modules),
        distributions=tuple(gathered.distributions),
        interpreter=interpreter,
        python=interpreter.abi,
    )


def _scan_venv(root: Path, *, outside: bool) -> Tree:
    files = DiskFiles()
    places = venv_places(str(root), files, outside=outside)
    gathered = _walk_places(files, f"{root}/", places)
    return Tree(
        kind=TreeKind.VENV,
        root=str(root),
        files=files,
        places=places,
        modules=tuple(gathered.modules),
        distributions=tuple(gathered.distributions),
        python=venv_python(str(root), files),
    )


def _walk_places(files: Files, base: str, places: tuple[Place, ...]) -> _Gathered:
    """Walk each place of a search path, but never into another of them."""
    gathered = _Gathered(files, base)
    roots = {place.path for place in places}
    for place in places:
        if place.kind is PlaceKind.STDLIB:
            gathered.take_files(place, place.path, sorted(files.names(place.path)))
            continue
        top = sorted(files.names(place.path))
        gathered.take_distributions(place, top)
        code_only = place.kind in _CODE_PLACES and not any(n.endswith("-info") for n in top)
        for folder, below, names in files.walk(place.path):
            gathered.take_files(place, folder, names)
            if code_only:
                # A checkout on the path: only what an import would reach, not its venvs and tests.
                below[:] = [n for n in below if "__init__.py" in files.names(join(folder, n))]
            below[:] = [name for name in below if join(folder, name) not in roots]
    return gathered


def _scan_folder(root: Path) -> Tree:
    files = DiskFiles()
    return _scan_artefact(TreeKind.FOLDER, str(root), files, str(root))


def _scan_archive(path: Path) -> Tree:
    wheel = path.name.endswith(".whl")
    files = ArchiveFiles(open_archive(path), _installed_name if wheel else str)
    tree = _scan_artefact(TreeKind.WHEEL if wheel else TreeKind.ARCHIVE, str(path), files, "")
    if not wheel:
        return tree
    match = _WHEEL_PYTHON.search(path.name)
    if match is None or match["abi"] == "none":
        return tree
    python = PythonAbi(
        version=Version(major=int(match["major"]), minor=int(match["minor"])),
        free_threaded=match["abi"].endswith("t"),
    )
    return Tree(
        kind=tree.kind,
        root=tree.root,
        files=files,
        places=tree.places,
        modules=tree.modules,
        distributions=tree.distributions,
        python=python,
    )


def _installed_name(name: str) -> str:
    match = _WHEEL_DATA.fullmatch(name)
    return match["rest"] if match else name


def _scan_file(path: Path) -> Tree:
    files = DiskFiles()
    folder = str(path.parent)
    place = Place(path=folder, kind=PlaceKind.FOLDER, python=python_of_path(folder))
    gathered = _Gathered(files, f"{folder}/")
    gathered.take_files(place, folder, [path.name])
    return Tree(
        kind=TreeKind.FILE,
        root=str(path),
        files=files,
        places=(place,),
        modules=tuple(gathered.modules),
        distributions=(),
        python=place.python,
    )


def _scan_artefact(kind: TreeKind, root: str, files: Files, top: str) -> Tree:
    """Walk a folder or archive once; every folder with installed packages in it is a place."""
    gathered = _Gathered(files, f"{top}/" if top else "")
    places: list[Place] = []
    place_of: dict[str, Place] = {}
    venvs: list[str] = []
    for folder, below, names in files.walk(top):
        if "pyvenv.cfg" in names or ("conda-meta" in below and folder != top):
            venvs.append(folder)
        place = place_of.get(folder.rpartition("/")[0]) if folder != top else None
        infos = [name for name in below if name.endswith((".dist-info", ".egg-info"))]
        if place is None or infos or is_site_folder(folder):
            place = Place(
                path=folder,
                kind=PlaceKind.SITE if infos or is_site_folder(folder) else PlaceKind.FOLDER,
                python=python_of_path(folder),
            )
            places.append(place)
            gathered.take_distributions(place, [*infos, *names])
        place_of[folder] = place
        gathered.take_files(place, folder, names)
    pythons = {place.python for place in places if place.python is not None}
    return Tree(
        kind=kind,
        root=root,
        files=files,
        places=tuple(places),
        modules=tuple(gathered.modules),
        distributions=tuple(gathered.distributions),
        python=pythons.pop() if len(pythons) == 1 else None,
        committed_venvs=tuple(venvs),
    )
