"""What a build is given: an environment, and where the libraries to bundle stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from buildtools.acquire.apt import codename
from buildtools.acquire.clientlibs import config_tool_answers, pkg_config_answers
from buildtools.acquire.cross import (
    Zig,
    build_floor,
    quoted,
    triple,
    write_compilers,
    write_config_tool,
    write_pkg_config,
)
from buildtools.acquire.headers import PythonHeaders, python_headers
from buildtools.acquire.licences import Bundled, debian_purl, plain_soname
from buildtools.acquire.repair import Libraries
from buildtools.acquire.request import AcquireError, WheelRequest
from buildtools.acquire.sources import SOURCES, SourceLibrary
from buildtools.acquire.sysroot import (
    OLD_RELEASES,
    Sysroot,
    make_sysroot,
    older_releases,
)
from buildtools.acquire.tools import Tools
from buildtools.binaries import BinaryInvalid, read_binary
from buildtools.findings import Cause
from buildtools.recipes import BuildRecipe, PackageSet, Recipe
from buildtools.targets import LibCFamily, OperatingSystem, Target, Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """Everything that one build needs beside pip.

    ``environment`` is added to the child's; ``summary`` is one line for the log; ``notes`` go to
    the wheel's user.
    """

    name: str
    environment: Mapping[str, str]
    libraries: Libraries
    summary: str
    notes: tuple[str, ...] = ()


def zig_toolchain(request: WheelRequest, recipe: Recipe, tools: Tools, room: Path) -> Toolchain:
    """Way B: zig for exactly the target, headers and libraries in a private folder.

    Raises :class:`AcquireError` when a part cannot be had, or the floor cannot be met.
    """
    needs = recipe.build
    headers = python_headers(request, tools)
    linked = _link(request, needs, tools)
    sysroot = linked.sysroot
    triplet = triple(request.target, linked.floor)
    zig = Zig(program=tools.zig(), triple=triplet, cache=tools.cache / "zig")
    sources = tuple(SOURCES[name](tools, zig) for name in (needs.sources if needs else ()))
    environment = {
        **zig.environment(),
        **_compilers(zig, headers, sysroot, sources, room),
        **_platform(request),
        **(_recipe_environment(needs, sysroot, room) if needs is not None else {}),
    }
    plugins = None
    if sysroot is not None and needs is not None and needs.plugins is not None:
        folder = sysroot.lib / needs.plugins.directory
        plugins = folder if folder.is_dir() else None
    return Toolchain(
        name="zig",
        environment=environment,
        libraries=Libraries(
            folders=sysroot.library_folders if sysroot is not None else (),
            plugins=plugins,
            static=tuple(_static(library) for library in sources),
            owners=_owners(sysroot, linked.libraries, plugins) if sysroot is not None else (),
        ),
        summary=f"{zig.triple}; Python headers: {headers.origin}",
        notes=linked.notes,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Linked:
    """What is linked to and bundled, and the glibc that this allows as a floor."""

    sysroot: Sysroot | None
    libraries: tuple[Path, ...]
    floor: Version | None
    notes: tuple[str, ...] = ()


def _link(request: WheelRequest, needs: BuildRecipe | None, tools: Tools) -> _Linked:
    """The libraries of the machine's release, else of an older one whose floor fits.

    Raises :class:`AcquireError` naming the library in the way when no release will do.
    """
    packages = _packages(request, needs)
    if packages is None:
        return _Linked(sysroot=None, libraries=(), floor=build_floor(request.target, ()))
    failed: list[AcquireError] = []
    for release in (None, *older_releases()):
        try:
            sysroot = make_sysroot(tools, request.target.arch, packages, release=release)
            libraries = _closure(sysroot, needs)
            floor = build_floor(request.target, libraries)
        except AcquireError as error:
            if not failed and error.cause is not Cause.LIBC_TOO_OLD:
                raise
            failed.append(error)
            continue
        notes = (OLD_RELEASES[release],) if release and release in OLD_RELEASES else ()
        for note in notes:
            tools.on_event("packages", note, None)
        return _Linked(sysroot=sysroot, libraries=libraries, floor=floor, notes=notes)
    later = [f"{error.where}: {error.why or error.what}" for error in failed[1:]]
    failed[0].why = "; ".join([failed[0].why, *later])
    raise failed[0]


def _packages(request: WheelRequest, needs: BuildRecipe | None) -> PackageSet | None:
    """What the recipe links to; None when it links to nothing of the system's."""
    if needs is None or "debian" not in needs.packages or not needs.link or needs.sources:
        return None
    target = request.target
    if target.libc is None or target.libc.family is not LibCFamily.GLIBC:
        raise _only_glibc(request)
    packages = needs.packages["debian"]
    plugins = needs.plugins.packages if needs.plugins is not None else ()
    runtime = tuple(dict.fromkeys((*packages.runtime, *plugins)))
    return PackageSet(build=packages.build, runtime=runtime)


def _only_glibc(request: WheelRequest) -> AcquireError:
    return AcquireError(
        f"no packages hold the client library for {request.target.spec}",
        cause=Cause.MISSING_CLIENT_HEADERS,
        where=request.distribution,
        why="distribution packages are of Linux with glibc",
    )


def _closure(sysroot: Sysroot, needs: BuildRecipe | None) -> tuple[Path, ...]:
    """The shared libraries that the module will pull in, found in the sysroot, and the plugins."""
    if needs is None:
        return ()
    found: dict[str, Path] = {}
    for folder in sysroot.library_folders:
        for path in sorted(folder.glob("*.so*")):
            found.setdefault(path.name, path)
    queue = [found[f"lib{name}.so"] for name in needs.link if f"lib{name}.so" in found]
    if needs.plugins is not None:
        queue += sorted((sysroot.lib / needs.plugins.directory).glob("*.so"))
    closure: dict[str, Path] = {}
    while queue:
        path = queue.pop().resolve()
        if path.name in closure:
            continue
        closure[path.name] = path
        queue += [found[name] for name in _needed(path) if name in found]
    return tuple(closure[name] for name in sorted(closure))


def _needed(path: Path) -> tuple[str, ...]:
    try:
        with path.open("rb") as stream:
            return read_binary(stream).slices[0].needed
    except BinaryInvalid:
        return ()


def _compilers(
    zig: Zig,
    headers: PythonHeaders,
    sysroot: Sysroot | None,
    sources: Iterable[SourceLibrary],
    room: Path,
) -> dict[str, str]:
    """The variables that setuptools, meson, cmake and make read for their compilers."""
    programs = write_compilers(zig, room / "bin")
    includes = [*headers.folders, *(library.include for library in sources)]
    libs = [library.lib for library in sources]
    if sysroot is not None:
        includes.append(sysroot.include)
        libs.append(sysroot.lib)
    darwin = "-macos" in zig.triple
    shared = ("-dynamiclib", "-undefined", "dynamic_lookup") if darwin else ("-shared", "-s")
    flags = ["-O2", "-fPIC", *(f"-I{folder}" for folder in dict.fromkeys(includes))]
    return {
        "CC": quoted([programs["cc"]]),
        "CXX": quoted([programs["c++"]]),
        "AR": quoted([programs["ar"]]),
        "RANLIB": quoted([programs["ranlib"]]),
        "LDSHARED": quoted([programs["cc"], *shared]),
        "LDCXXSHARED": quoted([programs["c++"], *shared]),
        "CFLAGS": quoted(flags),
        "CXXFLAGS": quoted(flags),
        "LDFLAGS": quoted([f"-L{folder}" for folder in libs]),
        "SOURCE_DATE_EPOCH": "315532800",
    }


def _platform(request: WheelRequest) -> dict[str, str]:
    """What makes a host's setuptools name its output for the target."""
    from buildtools.targets import extension_suffixes

    if request.target.same_machine == request.python.target.same_machine:
        return {}
    return {
        "_PYTHON_HOST_PLATFORM": host_platform(request.target),
        "SETUPTOOLS_EXT_SUFFIX": extension_suffixes(request.place, request.abi)[0],
    }


def host_platform(target: Target) -> str:
    """``sysconfig.get_platform()`` as the target's own Python would say it."""
    if target.os is OperatingSystem.DARWIN:
        floor = target.min_os
        return f"macosx-{floor}-{target.arch}" if floor else f"macosx-11.0-{target.arch}"
    return f"linux-{target.arch}"


def _recipe_environment(needs: BuildRecipe, sysroot: Sysroot | None, room: Path) -> dict[str, str]:
    """The recipe's own variables with its placeholders filled, and its config tools as programs."""
    if sysroot is None:
        return {}
    include, lib = header_folder(sysroot.include, needs.link), sysroot.lib
    places = {
        "{include}": str(include),
        "{lib}": str(lib),
        "{prefix}": str(sysroot.path / "usr"),
        "{sysroot}": str(sysroot.path),
    }
    environment = {}
    for name, template in needs.environment.items():
        value = template
        for placeholder, path in places.items():
            value = value.replace(placeholder, path)
        environment[name] = value
    plugins = f"/usr/lib/{sysroot.multiarch}/{needs.plugins.directory}" if needs.plugins else ""
    answers = config_tool_answers(include, lib, needs.link, plugins)
    for tool in needs.config_tools:
        write_config_tool(room / "bin" / tool, answers)
    for variable, tool in needs.config_tool_variables.items():
        environment[variable] = str(room / "bin" / tool)
    pkg_config = write_pkg_config(
        room / "bin" / "pkg-config", pkg_config_answers(sysroot, needs.pkg_config)
    )
    return {**environment, "PKG_CONFIG": str(pkg_config), "PATH": search_path(room / "bin")}


def header_folder(include: Path, link: Iterable[str]) -> Path:
    """The folder of the client library's own header: ``include/mariadb`` for ``mariadb``."""
    for name in link:
        folder = include / {"mysqlclient": "mysql"}.get(name, name)
        if folder.is_dir():
            return folder
    return include


def search_path(first: Path) -> str:
    """``PATH`` with a folder of ours in front of the system's."""
    import os

    return f"{first}{os.pathsep}{os.environ.get('PATH', os.defpath)}"


def _static(library: SourceLibrary) -> Bundled:
    return Bundled(
        soname="",
        name=library.name,
        version=library.version,
        purl=f"pkg:generic/{library.name}@{library.version}",
        licence=library.licence,
    )


def _owners(sysroot: Sysroot, linked: Iterable[Path], plugins: Path | None) -> tuple[Bundled, ...]:
    """The package behind each library and plugin that may be bundled."""
    distribution = (codename() or ("debian", ""))[0]
    files = [*linked, *(sorted(plugins.glob("*.so")) if plugins is not None else ())]
    owners = []
    for path in files:
        package = sysroot.owner(path)
        if package is None:
            continue
        purl = debian_purl(
            distribution, package.name, package.version, package.architecture, package.release
        )
        owners.append(
            Bundled(
                soname=plain_soname(path.name),
                name=package.name,
                version=package.version,
                purl=purl,
                licence_file=sysroot.copyright(package),
            )
        )
    return tuple(owners)
