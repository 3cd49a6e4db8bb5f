"""What a build is given: an environment, and where the libraries to bundle stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from buildtools.acquire.apt import codename
from buildtools.acquire.caching import require_plain
from buildtools.acquire.clientlibs import config_tool_answers, pkg_config_answers
from buildtools.acquire.cross import (
    PkgConfigAnswer,
    Zig,
    quoted,
    triple,
    write_compilers,
    write_config_tool,
    write_pkg_config,
)
from buildtools.acquire.headers import PythonHeaders, python_headers
from buildtools.acquire.licences import Bundled, debian_purl, plain_soname
from buildtools.acquire.linking import link, require_way
from buildtools.acquire.repair import Libraries
from buildtools.acquire.request import WheelRequest
from buildtools.acquire.sources import SOURCES, SourceLibrary, sqlite_bundle
from buildtools.acquire.sysroot import Sysroot
from buildtools.acquire.tools import Tools
from buildtools.recipes import BuildRecipe, Recipe
from buildtools.targets import OperatingSystem, Target, Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """Everything that one build needs beside pip.

    ``environment`` is added to the child's; ``summary`` is one line for the log; ``way`` says
    what it links to (``packages``, ``source``, empty for nothing or the machine's own); ``notes``
    go to the wheel's user; ``source`` is the driver's source where it was edited, else pip fetches
    it; ``warm``, where there is one, is worth running before the first file is
    compiled.
    """

    name: str
    environment: Mapping[str, str]
    libraries: Libraries
    summary: str
    way: str = ""
    notes: tuple[str, ...] = ()
    warm: Callable[[], None] | None = None
    source: Path | None = None


def zig_toolchain(request: WheelRequest, recipe: Recipe, tools: Tools, room: Path) -> Toolchain:
    """Way B: zig for exactly the target, headers and libraries in a private folder.

    Raises :class:`AcquireError` when a part cannot be had, or the floor cannot be met.
    """
    needs = recipe.build
    require_way(request, needs)
    if needs is not None and needs.link and not needs.sources:
        require_plain(tools.cache)
    headers = python_headers(request, tools)

    def zig_for(floor: Version | None) -> Zig:
        words = triple(request.target, floor)
        return Zig(program=tools.zig(), triple=words, cache=tools.cache / "zig")

    linked = link(request, needs, tools, zig_for)
    sysroot = linked.sysroot
    zig = zig_for(linked.floor)
    sources = _bundles(needs, tools, zig)
    environment = {
        **zig.environment(),
        **_compilers(zig, headers, sysroot, (*sources, *linked.static), room),
        **_platform(request),
    }
    client = _client(sysroot, linked.static, needs) if needs is not None else None
    if needs is not None and client is not None:
        environment |= _recipe_environment(needs, client, room)
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
            static=tuple(map(_static, (*sources, *linked.static, *_inside(needs, tools)))),
            owners=_owners(sysroot, linked.libraries, plugins) if sysroot is not None else (),
        ),
        summary=f"{zig.triple}; Python headers: {headers.origin}",
        way=linked.way.value if linked.way is not None else "",
        notes=linked.notes,
        warm=None if linked.static or sources else lambda: zig.warm(room / "warm"),
    )


def _bundles(needs: BuildRecipe | None, tools: Tools, zig: Zig) -> tuple[SourceLibrary, ...]:
    """The recipe's source bundles, compiled for the target once; none that setup.py compiles."""
    if needs is None or needs.edit:
        return ()
    return tuple(SOURCES[name](tools, zig) for name in needs.sources)


def _inside(needs: BuildRecipe | None, tools: Tools) -> tuple[SourceLibrary, ...]:
    """The bundles that the driver's own ``setup.py`` compiles into its module."""
    if needs is None or not needs.edit or not needs.sources:
        return ()
    return (sqlite_bundle(tools),)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Client:
    """Where a client library stands, and the words that link it."""

    include: Path
    lib: Path
    root: Path
    link: tuple[str, ...]
    plugins: str
    pkg_config: Mapping[str, PkgConfigAnswer]


def _client(
    sysroot: Sysroot | None, static: Sequence[SourceLibrary], needs: BuildRecipe
) -> _Client | None:
    """The client library of the packages or of the source way; None where nothing is linked."""
    if sysroot is not None:
        folder = f"/usr/lib/{sysroot.multiarch}/{needs.plugins.directory}" if needs.plugins else ""
        return _Client(
            include=header_folder(sysroot.include, needs.link),
            lib=sysroot.lib,
            root=sysroot.path,
            link=needs.link,
            plugins=folder,
            pkg_config=pkg_config_answers(sysroot, needs.pkg_config),
        )
    if not static:
        return None
    first = static[0]
    include = header_folder(first.include, needs.link)
    # A static library comes before what it needs, the system's libraries last.
    names = [name for library in static for name in library.link]
    names += [name for library in static for name in library.system]
    words = tuple(dict.fromkeys(names))
    answer = PkgConfigAnswer(
        version=first.version,
        cflags=(f"-I{include}",),
        libs=(f"-L{first.lib}", *(f"-l{name}" for name in words)),
    )
    return _Client(
        include=include,
        lib=first.lib,
        root=first.include.parent,
        link=words,
        plugins="",
        pkg_config=dict.fromkeys(needs.pkg_config, answer),
    )


def _compilers(
    zig: Zig,
    headers: PythonHeaders,
    sysroot: Sysroot | None,
    sources: Sequence[SourceLibrary],
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
    shared: tuple[str, ...] = (
        ("-dynamiclib", "-undefined", "dynamic_lookup") if darwin else ("-shared", "-s")
    )
    shared += _kept_private(sources, room, darwin=darwin)
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
        "LDFLAGS": quoted([*(f"-L{folder}" for folder in libs), *zig.musl_words(room / "musl")]),
        "SOURCE_DATE_EPOCH": "315532800",
    }


def _kept_private(sources: Sequence[SourceLibrary], room: Path, *, darwin: bool) -> tuple[str, ...]:
    """What keeps a static library inside the module: only Python's entry point is exported.

    The symbols of OpenSSL's assembly are not hidden by its compiler flags. On macOS a module's
    symbols are bound by library and name, and no other module can take them.
    """
    if not any(library.link for library in sources):
        return ()
    if darwin:
        return ("-Wl,-dead_strip",)
    exports = room / "exports.map"
    exports.write_text("{ global: PyInit_*; PyInitU_*; local: *; };\n", encoding="utf-8")
    return (f"-Wl,--version-script={exports}", "-Wl,--gc-sections")


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


def _recipe_environment(needs: BuildRecipe, client: _Client, room: Path) -> dict[str, str]:
    """The recipe's own variables with its placeholders filled, and its config tools as programs."""
    places = {
        "{include}": str(client.include),
        "{lib}": str(client.lib),
        "{link}": " ".join(f"-l{name}" for name in client.link),
        "{prefix}": str(client.lib.parent if not client.plugins else client.root / "usr"),
        "{sysroot}": str(client.root),
    }
    environment = {name: filled(template, places) for name, template in needs.environment.items()}
    answers = config_tool_answers(client.include, client.lib, client.link, client.plugins)
    for tool in needs.config_tools:
        write_config_tool(room / "bin" / tool, answers)
    for variable, tool in needs.config_tool_variables.items():
        environment[variable] = str(room / "bin" / tool)
    pkg_config = write_pkg_config(room / "bin" / "pkg-config", client.pkg_config)
    return {**environment, "PKG_CONFIG": str(pkg_config), "PATH": search_path(room / "bin")}


def filled(template: str, places: Mapping[str, str]) -> str:
    """A recipe's value with its placeholders replaced."""
    for placeholder, path in places.items():
        template = template.replace(placeholder, path)
    return template


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
        purl=library.purl or f"pkg:generic/{library.name}@{library.version}",
        licence_file=library.licence_file,
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
