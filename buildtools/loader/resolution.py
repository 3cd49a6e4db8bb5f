"""The libraries that a module brings into the process, found as the target's loader finds them."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from buildtools.archives import Files
from buildtools.binaries import BinaryFacts, BinaryFormat
from buildtools.compatibility import Resolved, ResolvedLibrary
from buildtools.loader.macho import MachoPaths
from buildtools.loader.system import MULTIARCH, System

FactsReader = Callable[[Files, str], BinaryFacts | None]
"""Reads the facts of a candidate: the slice that fits the target, else any; None when it is no
binary. Raises ``OSError`` when it is not there."""

_MUSL_OWN = frozenset(f"lib{name}.so" for name in ("c", "pthread", "rt", "m", "dl", "util", "xnet"))
"""Names that musl's loader answers itself (musl's ``ldso/dynlink.c``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where a wanted name led: ``path`` is None for what is known by name only.

    ``how``: ``rpath``, ``runpath``, ``LD_LIBRARY_PATH``, ``cache``, ``default``, ``loaded``,
    ``known``, ``path`` (an absolute name), ``system`` (macOS), or ``corrupt``: a file of that name
    that the loader takes and chokes on.
    """

    files: Files | None
    path: str | None
    how: str


class Loader:
    """Resolves needed names for one system; remembers every answer.

    ``artefact`` are the files that were scanned, ``read`` reads a candidate's facts. Of a disk
    that isn't the target's own only the folders ``inside`` count.
    """

    def __init__(
        self,
        *,
        artefact: Files,
        system: System,
        read: FactsReader,
        inside: tuple[str, ...] = (),
    ) -> None:
        self._artefact = artefact
        self._system = system
        self._read = read
        self._inside = tuple(f"{folder}/" for folder in inside)
        self._found: dict[tuple[object, ...], Found | None] = {}
        self._known: dict[tuple[object, ...], Resolved] = {}
        self._run_paths: dict[tuple[tuple[str, ...], str], tuple[str, ...]] = {}
        self._macho = MachoPaths(system)

    def resolve(self, path: str, facts: BinaryFacts, *, inside: bool = True) -> Resolved:
        """The transitive closure of what ``path`` needs, each library once, and what is missing.

        ``inside`` says that ``path`` is the artefact's, not the system's.
        """
        folder = path.rpartition("/")[0] if facts.rpath or facts.runpath else ""
        same = (
            *(facts.needed, facts.weak_needed, facts.rpath, facts.runpath, facts.soname),
            *(facts.arch, facts.bits, folder, inside),
        )
        known = self._known.get(same)
        if known is not None:
            return Resolved(module=facts, libraries=known.libraries)
        libraries: list[ResolvedLibrary] = []
        missing: list[tuple[str, str]] = []
        seen: set[str] = {facts.soname} if facts.soname else set()
        origin_files = self._artefact if inside else self._system.files or self._artefact
        waiting: list[tuple[str, BinaryFacts, Files, tuple[str, ...]]] = [
            (path, facts, origin_files, ())
        ]
        while waiting:
            at, wanting, files, chain = waiting.pop(0)
            rpaths = self._inherited(at, wanting, chain)
            weak = frozenset(wanting.weak_needed)
            for name in (*wanting.needed, *wanting.weak_needed):
                if name in seen:
                    continue
                found = self._find(name, at, wanting, rpaths, files)
                if found is None:
                    if name not in weak:
                        seen.add(name)
                        missing.append((name, posixpath.basename(at)))
                    continue
                seen.add(name)
                library = self._facts(found)
                libraries.append(
                    ResolvedLibrary(name=name, path=found.path, facts=library, how=found.how)
                )
                if library is not None:
                    if library.soname:
                        seen.add(library.soname)
                    waiting.append((found.path or name, library, found.files or files, rpaths))
        result = Resolved(module=facts, libraries=tuple(libraries), missing=tuple(missing))
        if not missing and facts.format is BinaryFormat.ELF:
            self._known[same] = result
        return result

    def _facts(self, found: Found) -> BinaryFacts | None:
        if found.path is None or found.files is None or found.how == "corrupt":
            return None
        try:
            return self._read(found.files, found.path)
        except OSError:
            return None

    def _inherited(self, path: str, facts: BinaryFacts, chain: tuple[str, ...]) -> tuple[str, ...]:
        """The RPATH folders in force for what ``path`` needs: its own before its loaders'.

        With DT_RUNPATH an object's own DT_RPATH is ignored, and its loaders' are not asked for it
        (``ld.so(8)``); they are still passed on.
        """
        if facts.format is BinaryFormat.MACHO:
            return (*self._macho.rpaths(path, facts), *chain)
        if facts.runpath and not self._system.musl:
            return chain
        own = (*facts.rpath, *facts.runpath)
        return (*self._expanded(own, path), *chain) if own else chain

    def _find(
        self,
        name: str,
        path: str,
        facts: BinaryFacts,
        rpaths: tuple[str, ...],
        files: Files,
    ) -> Found | None:
        if facts.format is BinaryFormat.PE:
            return Found(files=None, path=None, how="known")
        if facts.format is BinaryFormat.MACHO:
            folder = posixpath.dirname(path)
            key: tuple[object, ...] = (name, rpaths, folder, files.on_disk)
            if key not in self._found:
                self._found[key] = self._first(
                    facts, self._macho.candidates(name, folder, rpaths), files
                )
            return self._found[key]
        runpath = () if self._system.musl else self._expanded(facts.runpath, path)
        searched = () if runpath else (*rpaths, *self._system.main_rpath)
        key = (name, searched, runpath, facts.arch, facts.bits, files.on_disk)
        if key not in self._found:
            self._found[key] = self._find_elf(name, facts, searched, runpath, files)
        return self._found[key]

    def _find_elf(
        self,
        name: str,
        facts: BinaryFacts,
        rpaths: tuple[str, ...],
        runpath: tuple[str, ...],
        files: Files,
    ) -> Found | None:
        system = self._system
        if name in system.loaded:
            return Found(files=system.files, path=system.loaded[name], how="loaded")
        if "/" in name:
            return self._first(facts, iter([(name, "path")]), files)
        if system.musl and name in _MUSL_OWN:
            return Found(files=None, path=None, how="known")
        found = self._first(facts, self._elf_candidates(name, rpaths, runpath), files)
        if found is None and name in system.known:
            return Found(files=None, path=None, how="known")
        return found

    def _elf_candidates(
        self, name: str, rpaths: tuple[str, ...], runpath: tuple[str, ...]
    ) -> Iterator[tuple[str, str]]:
        """Every path in the loader's order: ``ld.so(8)`` for glibc, ``dynlink.c`` for musl."""
        system = self._system
        path_first = [(f"{folder}/{name}", "LD_LIBRARY_PATH") for folder in system.library_path]
        if system.musl:
            yield from path_first
            yield from ((f"{folder}/{name}", "rpath") for folder in rpaths)
        else:
            yield from ((f"{folder}/{name}", "rpath") for folder in rpaths)
            yield from path_first
            yield from ((f"{folder}/{name}", "runpath") for folder in runpath)
            yield from ((path, "cache") for path in system.cache.get(name, ()))
        yield from ((f"{folder}/{name}", "default") for folder in system.default)

    def _first(
        self,
        facts: BinaryFacts,
        candidates: Iterator[tuple[str, str]],
        files: Files,
    ) -> Found | None:
        """The first candidate that is there and made for the machine of what wants it."""
        for path, how in candidates:
            if how == "system":
                return Found(files=None, path=None, how=how)
            for where, real in self._places(posixpath.normpath(path), files):
                try:
                    library = self._read(where, real)
                except OSError:
                    continue
                if library is None:
                    return Found(files=where, path=real, how="corrupt")
                if self._same_machine(facts, library):
                    return Found(files=where, path=real, how=how)
        return None

    def _places(self, path: str, files: Files) -> Iterator[tuple[Files, str]]:
        """Where a candidate's path may lie: in the artefact, on the system."""
        system = self._system
        if not path.startswith("/"):
            if not files.on_disk and not path.startswith("../"):
                yield files, path
            return
        if files.on_disk and self._reachable(path):
            yield files, path
        if system.files is not None and (system.root or system.files is not files):
            yield system.files, system.root + path

    def _reachable(self, path: str) -> bool:
        """Whether this part of the disk counts: all of the host's, else the artefact alone."""
        system = self._system
        if system.files is not None:
            return not system.root or path.startswith((f"{system.root}/", *self._inside))
        return path.startswith(self._inside)

    @staticmethod
    def _same_machine(wanting: BinaryFacts, library: BinaryFacts) -> bool:
        """The loader of glibc passes over a library of another machine or class, and looks on."""
        return (
            wanting.format is library.format
            and wanting.bits == library.bits
            and (
                wanting.format
                is BinaryFormat.MACHO  # a fat file's slice was chosen when it was read
                or wanting.arch == library.arch
            )
        )

    def _expanded(self, paths: tuple[str, ...], owner: str) -> tuple[str, ...]:
        """Run paths with ``$ORIGIN``, ``$LIB`` and ``$PLATFORM`` filled in (``ld.so(8)``).

        Relative entries, which mean the working directory, are left out.
        """
        if not paths:
            return ()
        origin = owner.rpartition("/")[0]
        known = self._run_paths.get((paths, origin))
        if known is None:
            known = self._run_paths[paths, origin] = tuple(self._expand(paths, origin))
        return known

    def _expand(self, paths: tuple[str, ...], origin: str) -> Iterator[str]:
        arch = self._system.target.arch
        libs = (f"lib/{MULTIARCH.get(arch, arch)}", "lib64", "lib")
        for raw in paths:
            text = raw
            for token, value in (("ORIGIN", origin), ("PLATFORM", arch)):
                text = text.replace("${" + token + "}", value).replace("$" + token, value)
            if not text.startswith("/") and "ORIGIN" not in raw:
                continue
            variants = (
                [text.replace("${LIB}", lib).replace("$LIB", lib) for lib in libs]
                if "$LIB" in text or "${LIB}" in text
                else [text]
            )
            for variant in variants:
                # An archive's root is "": what was "$ORIGIN/x" there became "/x", but is relative.
                clean = posixpath.normpath(variant)
                yield clean.lstrip("/") if not origin and "ORIGIN" in raw else clean
