"""What a system gives to a loader: where it looks, and what it is known to have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from buildtools.archives import DiskFiles, Files
from buildtools.loader.cache import parse_cache
from buildtools.targets import LibCFamily, OperatingSystem, Target

MULTIARCH: Mapping[str, str] = {
    "x86_64": "x86_64-linux-gnu",
    "aarch64": "aarch64-linux-gnu",
    "i686": "i386-linux-gnu",
    "armv7l": "arm-linux-gnueabihf",
    "ppc64le": "powerpc64le-linux-gnu",
    "s390x": "s390x-linux-gnu",
    "riscv64": "riscv64-linux-gnu",
}
"""Debian's names of machines, of which its folders of libraries are made."""

MUSL_DEFAULT = ("/lib", "/usr/local/lib", "/usr/lib")
"""musl's folders without ``/etc/ld-musl-<arch>.path`` (musl's ``ldso/dynlink.c``)."""

_MUSL_ARCH: Mapping[str, str] = {"i686": "i386", "armv7l": "armhf", "ppc64le": "powerpc64le"}


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The system that an artefact is to be loaded on.

    ``files`` is its disk, or None for a foreign target, of which only names are known: then
    ``known`` are the sonames that it certainly has. ``root`` is put before absolute paths, empty
    for the machine itself. ``library_path`` is ``LD_LIBRARY_PATH``, ``cache`` the loader's cache,
    ``default`` the folders that it knows by itself. ``loaded`` are libraries that are in the
    process before any module, by name: the interpreter's own. ``executable`` is the interpreter,
    for ``@executable_path``, and ``main_rpath`` its RPATH.
    """

    target: Target
    files: Files | None = None
    root: str = ""
    library_path: tuple[str, ...] = ()
    cache: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    loaded: Mapping[str, str] = field(default_factory=dict)
    executable: str = ""
    main_rpath: tuple[str, ...] = ()

    @property
    def musl(self) -> bool:
        """Whether the loader is musl's."""
        libc = self.target.libc
        return libc is not None and libc.family is LibCFamily.MUSL


def host_system(
    target: Target, *, library_path: str = "", root: str = "", files: Files | None = None
) -> System:
    """This machine, or a whole file system below ``root``, as its loader sees it.

    ``library_path`` is the value of ``LD_LIBRARY_PATH`` (of the host only).
    """
    files = DiskFiles() if files is None else files
    if target.os is OperatingSystem.DARWIN:
        return System(target=target, files=files, root=root)
    folders = tuple(part for part in re.split("[:;]", library_path) if part.startswith("/"))
    if target.libc is not None and target.libc.family is LibCFamily.MUSL:
        return System(
            target=target,
            files=files,
            root=root,
            library_path=folders,
            default=musl_folders(target.arch, files, root),
        )
    return System(
        target=target,
        files=files,
        root=root,
        library_path=folders,
        cache=read_cache(files, root),
        default=glibc_folders(target.arch),
    )


def foreign_system(target: Target, known: frozenset[str]) -> System:
    """A target of which only the names of its libraries are known."""
    return System(target=target, known=known | (target.libraries or frozenset()))


def read_cache(files: Files, root: str) -> Mapping[str, tuple[str, ...]]:
    """The loader's cache of a system; empty when it has none.

    Without its cache glibc's loader looks in its default folders only: ``/etc/ld.so.conf`` is
    ``ldconfig``'s, so it isn't read here either.
    """
    try:
        with files.open(f"{root}/etc/ld.so.cache") as stream:
            return parse_cache(stream.read(16 << 20))
    except OSError:
        return {}


def glibc_folders(arch: str) -> tuple[str, ...]:
    """The folders that glibc's loaders search by themselves, Debian's and Fedora's alike."""
    triplet = MULTIARCH.get(arch, "")
    multiarch = (f"/lib/{triplet}", f"/usr/lib/{triplet}") if triplet else ()
    wide = () if arch in {"i686", "armv7l"} else ("/lib64", "/usr/lib64")
    return (*multiarch, *wide, "/lib", "/usr/lib")


def musl_folders(arch: str, files: Files, root: str = "") -> tuple[str, ...]:
    """The folders that musl's loader searches: its path file's, separated by ``:`` or newlines."""
    text = files.text(f"{root}/etc/ld-musl-{_MUSL_ARCH.get(arch, arch)}.path")
    folders = tuple(part for part in re.split("[:\n]", text) if part.startswith("/"))
    return folders or MUSL_DEFAULT
