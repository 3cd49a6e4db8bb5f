"""The Python headers that a build needs: the interpreter's own, else a distribution's package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from buildtools.acquire.apt import codename
from buildtools.acquire.cross import Zig, build_floor, triple
from buildtools.acquire.pyconfig import derived_headers, real_pyconfig
from buildtools.acquire.request import AcquireError, WheelRequest
from buildtools.acquire.sysroot import make_sysroot
from buildtools.acquire.tools import Tools
from buildtools.findings import Cause
from buildtools.recipes import PackageSet
from buildtools.targets import LibCFamily, OperatingSystem

RELEASES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "debian": {"3.11": ("bookworm",), "3.13": ("trixie", "forky", "sid"), "3.14": ("forky", "sid")},
    "ubuntu": {
        "3.11": ("mantic",),
        "3.12": ("noble",),
        "3.13": ("plucky", "questing"),
        "3.14": ("resolute",),
    },
}
"""The releases that carry ``libpythonX.Y-dev``, for each distribution and Python."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonHeaders:
    """Where ``Python.h`` and the target's ``pyconfig.h`` stand, and where they are from."""

    folders: tuple[Path, ...]
    origin: str


def python_headers(request: WheelRequest, tools: Tools) -> PythonHeaders:
    """Headers of the wanted Python for the target.

    Raises :class:`AcquireError` with ``missing-python-headers`` once every route has been tried.
    """
    if _own_fit(request):
        include = request.python.include
        if include is not None:
            return PythonHeaders(folders=(include,), origin=str(request.python.executable))
    tried: list[str] = [_why_not_own(request)]
    abi = request.abi
    if request.target.os is OperatingSystem.LINUX and not (abi.free_threaded or abi.debug):
        for release in _releases(str(abi.version)):
            try:
                return _packaged(request, tools, release)
            except AcquireError as error:
                if error.cause is Cause.NO_SPACE:
                    raise
                tried.append(f"{release or 'packages'}: {error.why or error.what}")
    try:
        return _derived(request, tools)
    except AcquireError as error:
        tried.append(f"derived: {error.why or error.what}")
    raise AcquireError(
        f"there are no headers of Python {abi.version} ({abi}) for {request.target.spec}",
        cause=Cause.MISSING_PYTHON_HEADERS,
        where=str(request.python.executable),
        why="; ".join(tried),
        next_step="use a Python that comes with its headers (pyenv's, python.org's, the "
        f"distribution's with its package libpython{abi.version}-dev), named with --python",
    )


def _own_fit(request: WheelRequest) -> bool:
    return (
        request.python.include is not None
        and request.abi.abi == request.python.abi.abi
        and request.target.same_machine == request.python.target.same_machine
    )


def _why_not_own(request: WheelRequest) -> str:
    if request.python.include is None:
        return f"{request.python.executable} has no Python.h"
    return f"{request.python.executable} is {request.python.target.spec}"


def _releases(version: str) -> Iterator[str | None]:
    """The machine's own release (None) first, then those of its archive that have this Python."""
    machine = codename()
    if machine is None:
        return
    yield None
    distribution, own = machine
    for release in RELEASES.get(distribution, {}).get(version, ()):
        if release != own:
            yield release


def _derived(request: WheelRequest, tools: Tools) -> PythonHeaders:
    """Headers of the wanted Python as this machine has them, ``pyconfig.h`` made for the target.

    Headers are the same everywhere but for that one file.
    """
    include = request.python.include
    if include is not None and request.abi.abi == request.python.abi.abi:
        folder, origin = include, str(request.python.executable)
    elif request.abi.free_threaded or request.abi.debug:
        raise AcquireError(f"no package has headers of {request.abi}")
    else:
        packaged = _packaged_here(request, tools)
        folder, origin = packaged.folders[0], packaged.origin
    return _asked_again(request, tools, folder, real_pyconfig(folder), origin)


def _packaged_here(request: WheelRequest, tools: Tools) -> PythonHeaders:
    """The headers as a package of this machine's own kind has them, of the first release that does.

    Raises :class:`AcquireError` with what each release lacked.
    """
    here = replace(request, target=request.python.target.with_python(request.abi))
    tried = []
    for release in _releases(str(request.abi.version)):
        try:
            return _packaged(here, tools, release)
        except AcquireError as error:
            if error.cause is Cause.NO_SPACE:
                raise
            tried.append(f"{release or 'packages'}: {error.why or error.what}")
    raise AcquireError(
        f"no package has headers of Python {request.abi.version}",
        why="; ".join(tried) or "this is no Debian or Ubuntu",
    )


def _asked_again(
    request: WheelRequest, tools: Tools, folder: Path, config: Path, origin: str
) -> PythonHeaders:
    """The headers with a ``pyconfig.h`` whose tests zig has answered anew for the target."""
    floor = build_floor(request.target, ())
    zig = Zig(program=tools.zig(), triple=triple(request.target, floor), cache=tools.cache / "zig")
    made = derived_headers(tools, zig, folder, config, request.abi.abi)
    return PythonHeaders(folders=(made,), origin=f"{origin}; pyconfig.h derived for {zig.triple}")


def _packaged(request: WheelRequest, tools: Tools, release: str | None) -> PythonHeaders:
    """The headers of ``libpythonX.Y-dev``, with the target architecture's own ``pyconfig.h``."""
    version = f"{request.abi.version}"
    packages = PackageSet(build=(f"libpython{version}-dev",), runtime=())
    sysroot = make_sysroot(tools, request.target.arch, packages, release=release)
    folder = sysroot.include / f"python{version}"
    config = sysroot.include / sysroot.multiarch / f"python{version}" / "pyconfig.h"
    if not (folder / "Python.h").is_file() or not config.is_file():
        raise AcquireError(
            "the package has no headers",
            cause=Cause.MISSING_PYTHON_HEADERS,
            where=str(folder),
            why="Python.h or pyconfig.h is not in it",
        )
    package = sysroot.packages[0]
    origin = f"{package.name} {package.version} ({package.architecture})"
    libc = request.target.libc
    if libc is not None and libc.family is LibCFamily.MUSL:
        # The package's own was configured with glibc.
        return _asked_again(request, tools, folder, config, origin)
    return PythonHeaders(folders=(folder, sysroot.include), origin=origin)
