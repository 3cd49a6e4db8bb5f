"""Which system a tree is judged for: this machine with all its libraries, or a target by name."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from buildtools.archives import DiskFiles, Files
from buildtools.binaries import BinaryFacts
from buildtools.compatibility import baseline_libraries
from buildtools.doctor.facts import FactsCache
from buildtools.environment import Tree, TreeKind
from buildtools.host import Interpreter
from buildtools.loader import Loader, System, foreign_system, host_system
from buildtools.targets import Target


def system_for(
    tree: Tree, target: Target, *, host: Interpreter | None, library_path: str
) -> System:
    """The system of an examination.

    It is this machine's when ``host`` is given and its platform is the target's; a folder that
    holds a whole file system is looked up in itself. Else only names are known: the baseline of
    the target's wheels and what the target is configured to have.
    """
    if host is None or _platform(host.target) != _platform(target):
        return foreign_system(target, frozenset(baseline_libraries(target)))
    root = ""
    if tree.kind is TreeKind.FOLDER and {"etc", "usr", "lib"} <= tree.files.names(tree.root):
        root = tree.root.rstrip("/")
    return host_system(target, library_path=library_path, root=root)


def _platform(target: Target) -> tuple[object, ...]:
    return (target.os, target.arch, target.libc, target.min_os)


def program_of(tree: Tree, target: Target, host: Interpreter | None) -> Path | None:
    """The executable that would load the tree's modules on this machine; it is read, never run.

    A venv's own, else ``host``'s where that has the Python in question; None when neither is there.
    """
    if tree.interpreter is not None:
        return tree.interpreter.executable
    if tree.kind is TreeKind.VENV:
        own = Path(tree.root, "bin", "python")
        return own if own.exists() else None
    if host is None:
        return None
    wanted = target.python or tree.python
    return host.executable if wanted is None or wanted.abi == host.abi.abi else None


_EXECUTABLE_BYTES = 256 << 20

MOST_EFFORT = 2
"""What :meth:`Program.parts` takes at most."""


class Program:
    """The interpreter that will load the modules: its exports and what it has already loaded.

    Its executable's libraries, libpython among them, are in the process before any module.
    """

    def __init__(self, executable: Path | None, system: System, facts: FactsCache) -> None:
        self.system = system
        self._files: Files = DiskFiles()
        self._facts = facts
        self.executable = ""
        self._closure: tuple[tuple[str, str], ...] = ()
        if executable is not None and system.files is not None and not system.root:
            self._enter(os.path.realpath(executable))

    def _enter(self, executable: str) -> None:
        try:
            own = self._facts.candidate(self._files, executable)
        except OSError:
            return
        if own is None:
            return
        self.executable = executable
        loader = Loader(artefact=self._files, system=self.system, read=self._facts.candidate)
        libraries = loader.resolve(executable, own).libraries
        loaded = {found.name: found.path for found in libraries if found.path}
        loaded |= {
            found.facts.soname: found.path
            for found in libraries
            if found.path and found.facts is not None and found.facts.soname
        }
        self._closure = tuple((found.name, found.path) for found in libraries if found.path)
        self.system = replace(
            self.system,
            loaded=loaded,
            executable=executable,
            main_rpath=() if own.runpath else _origin_filled(own.rpath, executable),
        )

    def has_built_in(self, module: str) -> bool:
        """Whether a module is compiled into the executable or libpython.

        Its entry's name then stands there; the bare name does in every Python, in the list of
        ``sys.stdlib_module_names``. True where nothing can be read: then nothing is known.
        """
        paths = [self.executable, *(path for name, path in self._closure if "python" in name)]
        if not self.executable:
            return True
        for path in paths:
            try:
                with self._files.open(path) as stream:
                    if f"\0PyInit_{module}\0".encode() in stream.read(_EXECUTABLE_BYTES):
                        return True
            except OSError:
                return True
        return False

    def parts(self, effort: int) -> list[tuple[str, BinaryFacts]]:
        """Name and facts, with symbols, of what is in the process before any module.

        With ``effort`` 0 the executable and libpython, of which one exports Python's interface;
        with 1 libm as well, which modules use without asking for it; with 2 everything.
        """
        parts = ("python", "libm.so", "")[: effort + 1]
        wanted = [(Path(self.executable).name, self.executable)] if self.executable else []
        wanted += [
            (name, path) for name, path in self._closure if any(part in name for part in parts)
        ]
        read = [(name, self._facts.with_symbols(self._files, path)) for name, path in wanted]
        return [(name, facts) for name, facts in read if facts is not None]


def _origin_filled(rpath: tuple[str, ...], executable: str) -> tuple[str, ...]:
    folder = executable.rpartition("/")[0]
    filled = (part.replace("${ORIGIN}", folder).replace("$ORIGIN", folder) for part in rpath)
    return tuple(os.path.normpath(part) for part in filled if part.startswith("/"))
