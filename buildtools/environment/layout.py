"""Which folders are searched: of a live interpreter, of a venv as it lies there, by path alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from buildtools.archives import Files
from buildtools.archives.files import join
from buildtools.environment.tree import Place, PlaceKind
from buildtools.host import Interpreter
from buildtools.targets import PythonAbi, Version

_PYTHON_FOLDER = re.compile(
    r"(?:^|/)lib(?:64|32)?/(?P<kind>python|pypy)(?P<major>3)\.(?P<minor>\d{1,2})(?P<flags>t?d?)(?=/|$)"
)
_SITE_FOLDER = re.compile(r"(?:^|/)(?:site|dist)-packages$")


def python_of_path(path: str) -> PythonAbi | None:
    """The Python that a folder such as ``lib/python3.13t/site-packages`` belongs to."""
    found = None
    for match in _PYTHON_FOLDER.finditer(path):
        found = match
    if found is None:
        return None
    return PythonAbi(
        version=Version(major=int(found["major"]), minor=int(found["minor"])),
        implementation="cpython" if found["kind"] == "python" else "pypy",
        free_threaded="t" in found["flags"],
        debug="d" in found["flags"],
    )


def is_site_folder(path: str) -> bool:
    """Whether the path ends as installed packages' folders do."""
    return _SITE_FOLDER.search(path) is not None


def interpreter_places(interpreter: Interpreter, files: Files) -> tuple[Place, ...]:
    """The places of ``sys.path``, in its order, each folder once.

    What stands before the standard library came from ``PYTHONPATH``; a folder behind it that is no
    site folder came from a ``.pth`` file (the documentation of CPython's ``site`` module).
    """
    sites = {files.real(str(path)) for path in (interpreter.purelib, interpreter.platlib)}
    user = files.real(str(interpreter.user_site)) if interpreter.user_site else ""
    stdlib = files.real(str(interpreter.stdlib))
    stdlib_paths = {stdlib, f"{stdlib}/lib-dynload"}
    places: list[Place] = []
    seen: set[str] = set()
    library_seen = False
    for entry in interpreter.sys_path:
        path = files.real(os.path.abspath(entry or "."))  # noqa: PTH100 - text in, text out
        if path in seen or not files.names(path):
            continue
        seen.add(path)
        if path in stdlib_paths or path.endswith("/lib-dynload"):
            kind = PlaceKind.STDLIB
            library_seen = True
        elif path == user:
            kind = PlaceKind.USER_SITE
        elif path in sites:
            kind = PlaceKind.SITE
        elif not library_seen:
            kind = PlaceKind.PYTHONPATH
        elif is_site_folder(path):
            kind = PlaceKind.SYSTEM_SITE if interpreter.is_venv else PlaceKind.SITE
        else:
            kind = PlaceKind.PTH
        places.append(Place(path=path, kind=kind, python=interpreter.abi))
    return tuple(places)


def read_venv(root: str, files: Files) -> dict[str, str]:
    """The settings of ``pyvenv.cfg``, keys in lower case; empty when it is not there."""
    settings: dict[str, str] = {}
    for line in files.text(join(root, "pyvenv.cfg")).splitlines():
        key, equals, value = line.partition("=")
        if equals:
            settings[key.strip().lower()] = value.strip()
    return settings


def venv_python(root: str, files: Files) -> PythonAbi | None:
    """The Python of a venv, by its folders, else by ``pyvenv.cfg``."""
    for site in venv_sites(root, files):
        if (python := python_of_path(site)) is not None:
            return python
    settings = read_venv(root, files)
    stated = settings.get("version") or settings.get("version_info", "")
    match = re.match(r"3\.\d{1,2}", stated)
    return PythonAbi(version=Version.parse(match[0])) if match else None


def venv_sites(root: str, files: Files) -> tuple[str, ...]:
    """The ``site-packages`` folders of a venv, on any system."""
    found: list[str] = []
    for lib in ("lib", "lib64", "Lib"):
        base = join(root, lib)
        if "site-packages" in files.names(base):
            found.append(f"{base}/site-packages")
        found += [
            f"{base}/{name}/site-packages"
            for name in sorted(files.names(base))
            if re.fullmatch(r"(?:python|pypy)3\.\d{1,2}t?d?", name)
            and "site-packages" in files.names(f"{base}/{name}")
        ]
    unique: dict[str, str] = {}
    for site in found:
        unique.setdefault(files.real(site), site)
    return tuple(unique.values())


def venv_places(root: str, files: Files, *, outside: bool) -> tuple[Place, ...]:
    """The places of a venv as it lies there, without running its Python.

    With ``outside`` the standard library of its base and, where ``pyvenv.cfg`` includes them, the
    system's packages come along, unjudged: they say what is hidden. Folders that ``.pth`` files
    add count then wherever they are, else only inside the venv.
    """
    python = venv_python(root, files)
    settings = read_venv(root, files)
    places: list[Place] = []
    home = settings.get("home", "")
    base = home.rstrip("/").rpartition("/")[0]
    folder = (
        f"{base}/lib/python{python.version}{'t' if python.free_threaded else ''}"
        if python and base
        else ""
    )
    if outside and folder:
        places += [
            Place(path=path, kind=PlaceKind.STDLIB, python=python, judged=False)
            for path in (folder, f"{folder}/lib-dynload")
            if files.names(path)
        ]
    for site in venv_sites(root, files):
        places.append(Place(path=site, kind=PlaceKind.SITE, python=python))
        places += [
            Place(path=path, kind=PlaceKind.PTH, python=python)
            for path in pth_folders(site, files)
            if outside or path.startswith(f"{root}/")
        ]
    if outside and folder and settings.get("include-system-site-packages", "").lower() == "true":
        system = f"{folder}/site-packages"
        if files.names(system):
            places.append(
                Place(path=system, kind=PlaceKind.SYSTEM_SITE, python=python, judged=False)
            )
    return tuple(places)


def pth_folders(site: str, files: Files) -> Iterator[str]:
    """The folders that the ``.pth`` files of a site folder add; lines with code are left alone."""
    for name in sorted(files.names(site)):
        if not name.endswith(".pth") or name.startswith("."):
            continue
        for raw in files.text(join(site, name)).splitlines():
            line = raw.strip()
            if not line or line.startswith(("#", "import ", "import\t")):
                continue
            path = os.path.normpath(os.path.join(site, line))  # noqa: PTH118 - text in, text out
            if files.names(path):
                yield path
