"""What a driver is linked to: the distribution's packages, or libraries compiled from source.

Packages are quick, but their floor is their release's. The source way is for an older glibc with a
current client library, for musl and for macOS; it takes minutes, once for each target.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from buildtools.acquire.apt import codename
from buildtools.acquire.compiled import compiled_libraries, link_order, not_for, platform_name
from buildtools.acquire.cross import Zig, build_floor
from buildtools.acquire.request import AcquireError, LibraryWay, WheelRequest
from buildtools.acquire.sources import SourceLibrary
from buildtools.acquire.sysroot import OLD_RELEASES, Sysroot, make_sysroot, older_releases
from buildtools.acquire.tools import Tools
from buildtools.binaries import BinaryInvalid, read_binary
from buildtools.findings import Cause
from buildtools.recipes import BuildRecipe, LibraryRecipe, PackageSet, load_libraries
from buildtools.targets import LibCFamily, Version

MakeZig = Callable[[Version | None], Zig]
"""A compiler for the target with this glibc as its floor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """What is linked to and bundled, and the glibc that this allows as a floor.

    ``way`` is None for a driver that links to nothing of the system's.
    """

    floor: Version | None
    way: LibraryWay | None = None
    sysroot: Sysroot | None = None
    libraries: tuple[Path, ...] = ()
    static: tuple[SourceLibrary, ...] = ()
    notes: tuple[str, ...] = ()


def link(request: WheelRequest, needs: BuildRecipe | None, tools: Tools, zig: MakeZig) -> Linked:
    """The libraries for a driver, by the way that is asked for, else by the first that will do.

    Raises :class:`AcquireError` that says what is in the way of each, and the floor that can be
    had.
    """
    if needs is None or not needs.link or needs.sources:
        return Linked(floor=build_floor(request.target, ()))
    failed: list[tuple[LibraryWay, AcquireError]] = []
    for way in ways(request, needs):
        try:
            return _linked(way, request, needs, tools, zig)
        except AcquireError as error:
            failed.append((way, error))
            if not may_go_on(way, error):
                break
            tools.on_event("libraries", f"not {way}: {error.what}; {error.why}", None)
    raise _all_failed(request, needs, failed)


def ways(request: WheelRequest, needs: BuildRecipe) -> tuple[LibraryWay, ...]:
    """The ways that a recipe has for a target, in the order in which they are tried."""
    libc = request.target.libc
    packaged = libc is not None and libc.family is LibCFamily.GLIBC and "debian" in needs.packages
    compiled = request.target.os.value in needs.libraries
    wanted = request.libraries
    possible = {LibraryWay.PACKAGES: packaged, LibraryWay.SOURCE: compiled}
    return tuple(way for way, can in possible.items() if can and wanted in {way, LibraryWay.AUTO})


def may_go_on(way: LibraryWay, error: AcquireError) -> bool:
    """Whether another way may be tried after this error: one that tells of harm ends it."""
    return way is LibraryWay.PACKAGES and error.cause not in {Cause.HASH_MISMATCH, Cause.NO_SPACE}


def may_be_refused(request: WheelRequest, needs: BuildRecipe | None) -> bool:
    """Whether a floor may still turn out to be impossible; no compiler is fetched before that.

    Source is compiled for any floor, and packages of the machine's own release need no newer C
    library than the machine has.
    """
    if needs is None or not needs.link or needs.sources:
        return False
    possible = ways(request, needs)
    if LibraryWay.SOURCE in possible and not _uncompiled(request, needs):
        return False
    own, wanted = request.python.target.libc, request.target.libc
    floors = [libc.version if libc is not None else None for libc in (own, wanted)]
    if LibraryWay.PACKAGES not in possible or None in floors:
        return True
    return floors[1] < floors[0]  # type: ignore[operator]  # neither is None


def compiles_libraries(request: WheelRequest, needs: BuildRecipe | None) -> bool:
    """Whether a library may be compiled for this, so that what is wrong is to be said before."""
    if needs is None or needs.edit:
        return False
    return bool(needs.sources) or LibraryWay.SOURCE in ways(request, needs)


def require_way(request: WheelRequest, needs: BuildRecipe | None) -> None:
    """Raise :class:`AcquireError` for a target that no way leads to, before anything is fetched."""
    if needs is None or not needs.link or needs.sources:
        return
    possible = ways(request, needs)
    if not possible:
        raise _all_failed(request, needs, [])
    if possible == (LibraryWay.SOURCE,):
        for library in _uncompiled(request, needs):
            raise not_for(library, request.target)


def _uncompiled(request: WheelRequest, needs: BuildRecipe) -> tuple[LibraryRecipe, ...]:
    """The libraries of the source way, all that they need too, that are not made for the target."""
    recipes = load_libraries()
    platform = platform_name(request.target)
    names = link_order(recipes, needs.libraries[request.target.os.value])
    return tuple(recipes[name] for name in names if platform not in recipes[name].platforms)


def _linked(
    way: LibraryWay, request: WheelRequest, needs: BuildRecipe, tools: Tools, zig: MakeZig
) -> Linked:
    if way is LibraryWay.PACKAGES:
        return _packaged(request, needs, tools)
    for library in _uncompiled(request, needs):
        raise not_for(library, request.target)
    floor = build_floor(request.target, ())
    compiler = zig(floor)
    names = needs.libraries[request.target.os.value]
    tools.on_event("libraries", f"{', '.join(names)} from source, for {compiler.triple}", None)
    static = compiled_libraries(tools, compiler, request.target, names)
    notes = tuple(dict.fromkeys(note for library in static for note in library.notes))
    return Linked(floor=floor, way=way, static=static, notes=notes)


def _all_failed(
    request: WheelRequest, needs: BuildRecipe, failed: list[tuple[LibraryWay, AcquireError]]
) -> AcquireError:
    if not failed:
        wanted = request.libraries
        why = "distribution packages are of Linux with glibc"
        if wanted is not LibraryWay.PACKAGES:
            why += f", and its recipe names no libraries to compile for {request.target.os.value}"
        return AcquireError(
            f"no packages hold the client library for {request.target.spec}",
            cause=Cause.MISSING_CLIENT_HEADERS,
            where=request.distribution,
            why=why,
            next_step="--libraries source compiles it"
            if request.target.os.value in needs.libraries
            else "",
        )
    last = failed[-1][1]
    earlier = [f"{way}: {error.what}: {error.why}" for way, error in failed[:-1]]
    if earlier:
        last.why = "\n".join([last.why, *earlier]).strip()
        last.floor = last.floor or failed[0][1].floor
    return last


# -- packages


def _packaged(request: WheelRequest, needs: BuildRecipe, tools: Tools) -> Linked:
    """The libraries of the machine's release, else of an older one whose floor fits."""
    packages = _packages(needs)
    failed: list[AcquireError] = []
    for release in (None, *older_releases()):
        note = OLD_RELEASES.get(release or (codename() or ("", ""))[1], "")
        if note and not request.end_of_life:
            failed.append(_end_of_life(request, release, note))
            continue
        try:
            sysroot = make_sysroot(tools, request.target.arch, packages, release=release)
            libraries = _closure(sysroot, needs)
            floor = build_floor(request.target, libraries)
        except AcquireError as error:
            if not failed and error.cause is not Cause.LIBC_TOO_OLD:
                raise
            failed.append(error)
            continue
        if note:
            tools.on_event("packages", note, None)
        return Linked(
            floor=floor,
            way=LibraryWay.PACKAGES,
            sysroot=sysroot,
            libraries=libraries,
            notes=(note,) if note else (),
        )
    later = [f"{error.where}: {error.why or error.what}" for error in failed[1:]]
    failed[0].why = "; ".join([failed[0].why, *later])
    hints = dict.fromkeys(error.next_step for error in failed if error.next_step)
    failed[0].next_step = "; ".join(hints)
    raise failed[0]


def _end_of_life(request: WheelRequest, release: str | None, note: str) -> AcquireError:
    """The error for libraries that must not go into a wheel that others may install."""
    return AcquireError(
        f"the libraries of {release or 'this release'} are past their end of life",
        cause=Cause.LIBC_TOO_OLD,
        where=request.target.spec,
        why=f"refused: {note}",
        next_step="--libraries source compiles supported ones; --allow-end-of-life takes these, "
        "for a wheel that you keep to yourself",
    )


def _packages(needs: BuildRecipe) -> PackageSet:
    packages = needs.packages["debian"]
    plugins = needs.plugins.packages if needs.plugins is not None else ()
    runtime = tuple(dict.fromkeys((*packages.runtime, *plugins)))
    return PackageSet(build=packages.build, runtime=runtime)


def _closure(sysroot: Sysroot, needs: BuildRecipe) -> tuple[Path, ...]:
    """The shared libraries that the module will pull in, found in the sysroot, and the plugins.

    In the order in which they are pulled in: the client library itself comes first.
    """
    found: dict[str, Path] = {}
    for folder in sysroot.library_folders:
        for path in sorted(folder.glob("*.so*")):
            found.setdefault(path.name, path)
    queue = [found[f"lib{name}.so"] for name in needs.link if f"lib{name}.so" in found]
    if needs.plugins is not None:
        queue += sorted((sysroot.lib / needs.plugins.directory).glob("*.so"))
    closure: dict[str, Path] = {}
    while queue:
        path = queue.pop(0).resolve()
        if path.name in closure:
            continue
        closure[path.name] = path
        queue += [found[name] for name in _needed(path) if name in found]
    return tuple(closure.values())


def _needed(path: Path) -> tuple[str, ...]:
    try:
        with path.open("rb") as stream:
            return read_binary(stream).slices[0].needed
    except BinaryInvalid:
        return ()
