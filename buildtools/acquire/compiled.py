"""The libraries of the source way: compiled by zig for exactly the target, once, and kept.

What was compiled is named by everything that decides its bytes: the source by its hashes, the
library's recipe, the compiler's version, the target, the libraries below it, and
:data:`PROCEDURE`. Drivers and Pythons share it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from buildtools.acquire.caching import fixed_room, made_once, safe_name
from buildtools.acquire.cross import Zig, write_compilers
from buildtools.acquire.librarysource import SourceTree, source_tree
from buildtools.acquire.pipping import cause_of
from buildtools.acquire.programs import cmake_program, make_program, ninja_program, perl_program
from buildtools.acquire.request import AcquireError
from buildtools.acquire.sources import SourceLibrary
from buildtools.acquire.tools import Tools
from buildtools.findings import Cause
from buildtools.processes import clean_environment, run
from buildtools.recipes import BuildSystem, LibraryRecipe, load_libraries
from buildtools.targets import OperatingSystem, Target

PROCEDURE = "2"
"""Raised whenever this module compiles the same source into other bytes."""

_CONFIGURE_SECONDS = 1200.0
_COMPILE_SECONDS = 5400.0
_TAIL_LINES = 20
_FLAGS = "-O2 -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections"
"""Hidden: a driver must not hand its OpenSSL to Python's own, nor take that. In sections: what no
driver calls is left out of the module."""

_COMPILERS = {"CC": "cc", "AR": "ar", "RANLIB": "ranlib", "CFLAGS": _FLAGS}
"""Found on PATH: OpenSSL compiles its compiler's name and flags in (buildinf.h), and no path may be
among them."""

_AT_ONCE = threading.BoundedSemaphore(2)
"""Libraries that are compiled at a time: each uses every core but while it is configured."""


def platform_name(target: Target) -> str:
    """``linux/x86_64``: what a library's recipe calls a target."""
    return f"{target.os.value}/{target.arch}"


def not_for(recipe: LibraryRecipe, target: Target) -> AcquireError:
    """The error for a library whose recipe does not know the target."""
    return AcquireError(
        f"{recipe.name} cannot be compiled for {target.spec}",
        cause=Cause.MISSING_LINK_LIBRARY,
        where=recipe.name,
        why=f"its recipe knows {', '.join(sorted(recipe.platforms))}",
        next_step="ask for one of these; for Linux with glibc, --libraries packages may have it",
    )


def compiled_libraries(
    tools: Tools,
    zig: Zig,
    target: Target,
    names: Sequence[str],
    recipes: Mapping[str, LibraryRecipe] | None = None,
) -> tuple[SourceLibrary, ...]:
    """These libraries and all that they need, in the order in which a linker wants them.

    ``recipes`` are those that ship unless others are given. Raises :class:`AcquireError` with the
    log of what did not compile.
    """
    recipes = load_libraries() if recipes is None else recipes
    made: dict[str, SourceLibrary] = {}

    def make(name: str) -> SourceLibrary:
        recipe = recipes[name]
        below = {other: make(other) for other in recipe.needs}
        if name not in made:
            made[name] = _compiled(tools, zig, target, recipe, below)
        return made[name]

    for name in names:
        make(name)
    return tuple(made[name] for name in link_order(recipes, names))


def link_order(recipes: Mapping[str, LibraryRecipe], names: Sequence[str]) -> tuple[str, ...]:
    """Every library once, each before all that it needs."""
    order: list[str] = []

    def visit(name: str) -> None:
        for other in reversed(recipes[name].needs):
            visit(other)
        if name in order:
            return
        order.insert(0, name)

    for name in reversed(names):
        visit(name)
    return tuple(order)


def _compiled(
    tools: Tools,
    zig: Zig,
    target: Target,
    recipe: LibraryRecipe,
    below: Mapping[str, SourceLibrary],
) -> SourceLibrary:
    platform = platform_name(target)
    if platform not in recipe.platforms:
        raise not_for(recipe, target)
    source = source_tree(tools, recipe)
    words = [
        PROCEDURE,
        _FLAGS,
        zig.triple,
        tools.zig_version(zig.program),
        recipe.text,
        source.identity,
        *(library.key for library in below.values()),
    ]
    key = hashlib.sha256(json.dumps(words).encode()).hexdigest()[:16]
    shelf = tools.cache / "libraries"
    folder = shelf / safe_name(f"{recipe.name}-{source.version}-{zig.triple}-{key}")

    def fill(partial: Path) -> None:
        with _AT_ONCE, fixed_room(tools.cache, f"library-{recipe.name}-{key}") as room:
            build = _Build(
                tools=tools,
                zig=zig,
                target=target,
                recipe=recipe,
                below=below,
                room=room,
                log=shelf / f"{folder.name}.log",
            )
            build.compile(source)
            build.keep(partial)

    made_once(folder, fill)
    facts = json.loads((folder / "library.json").read_text(encoding="utf-8"))
    return SourceLibrary(
        name=recipe.name,
        version=str(facts["version"]),
        include=folder / "include",
        lib=folder / "lib",
        licence=recipe.licence,
        licence_file=folder / Path(recipe.licence_file).name,
        link=recipe.link,
        system=recipe.system_libraries.get(target.os.value, ()),
        purl=source.purl,
        key=key,
        notes=source.notes,
    )


@dataclass(slots=True, kw_only=True)
class _Build:
    """One library being compiled in ``room``; ``log`` takes everything that its tools say."""

    tools: Tools
    zig: Zig
    target: Target
    recipe: LibraryRecipe
    below: Mapping[str, SourceLibrary]
    room: Path
    log: Path
    done: int = 0
    total: int = 0

    @property
    def tree(self) -> Path:
        return self.room / "source"

    def compile(self, source: SourceTree) -> None:
        """Configure and compile; what fails is an :class:`AcquireError` with the log's tail."""
        self.say(f"{source.origin}, for {self.zig.triple}")
        shutil.copytree(source.path, self.tree)
        programs = write_compilers(
            self.zig, self.room / "bin", last=(f"-ffile-prefix-map={self.room}=.",)
        )
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_text(f"{source.origin}; {source.identity}; {self.zig.triple}\n")
        match self.recipe.system:
            case BuildSystem.OPENSSL:
                self.openssl()
            case BuildSystem.CONFIGURE:
                self.configure()
            case BuildSystem.CMAKE:
                self.cmake(programs)
            case _ as never:
                assert_never(never)

    def options(self) -> list[str]:
        """The recipe's options, the folders of the libraries below filled in."""
        platform = self.recipe.platforms[platform_name(self.target)]
        found = []
        for option in (*self.recipe.options, *platform):
            value = option
            for name, library in self.below.items():
                value = value.replace(f"{{{name}}}", str(library.include.parent))
            found.append(value)
        return found

    def openssl(self) -> None:
        """OpenSSL's own ``Configure`` and make, in the tree: its files name themselves by it."""
        perl = perl_program(self.tools)
        environment = {**perl.environment, **_COMPILERS}
        options = self.options()
        words: list[str | Path] = [perl.path, self.tree / "Configure", *options]
        done = self.run("configuring", words, environment, self.tree, check=False)
        unknown = re.search(r"\*+ Unsupported options: (.*)", done)
        if unknown is not None:
            # An option of another release: what cannot be left out by name is not there.
            left = [option for option in options if option not in unknown[1].split()]
            words = [perl.path, self.tree / "Configure", *left]
            self.run("configuring", words, environment, self.tree)
        makefile = self.tree / "Makefile"
        if not makefile.is_file():
            raise self.failed("configuring", done)
        self.total = len(re.findall(r"(?m)^[^\s:]+\.o: ", makefile.read_text(errors="replace")))
        self.make({**environment, "PERL": str(perl.path)})

    def configure(self) -> None:
        """A ``configure`` script that asks the compiler alone, and make, in the tree."""
        words: list[str | Path] = ["/bin/sh", self.tree / "configure", *self.options()]
        self.run("configuring", words, _COMPILERS, self.tree)
        self.make(_COMPILERS)

    def make(self, environment: Mapping[str, str]) -> None:
        """Run make on every core for the recipe's targets."""
        jobs = f"-j{os.cpu_count() or 1}"
        words: list[str | Path] = [make_program(self.tools), jobs, *self.recipe.targets]
        self.run("compiling", words, environment, self.tree)

    def cmake(self, programs: Mapping[str, Path]) -> None:
        """Run cmake and ninja, in ``build`` below the tree."""
        cmake, ninja = cmake_program(self.tools), ninja_program(self.tools)
        darwin = self.target.os is OperatingSystem.DARWIN
        given = {
            "CMAKE_SYSTEM_NAME": "Darwin" if darwin else "Linux",
            "CMAKE_SYSTEM_PROCESSOR": self.target.arch,
            "CMAKE_BUILD_TYPE": "Release",
            "CMAKE_C_COMPILER": str(programs["cc"]),
            "CMAKE_CXX_COMPILER": str(programs["c++"]),
            "CMAKE_AR": str(programs["ar"]),
            "CMAKE_RANLIB": str(programs["ranlib"]),
            "CMAKE_MAKE_PROGRAM": str(ninja),
            "CMAKE_C_FLAGS": _FLAGS,
            "CMAKE_C_FLAGS_RELEASE": "-DNDEBUG",
            "CMAKE_COMPILE_WARNING_AS_ERROR": "OFF",
            "CMAKE_FIND_USE_CMAKE_SYSTEM_PATH": "OFF",
            "CMAKE_FIND_USE_PACKAGE_REGISTRY": "OFF",
            **({"CMAKE_OSX_SYSROOT": "", "CMAKE_OSX_ARCHITECTURES": ""} if darwin else {}),
        }
        build = self.tree / "build"
        words: list[str | Path] = [
            cmake,
            "-S",
            self.tree,
            "-B",
            build,
            "-G",
            "Ninja",
            *(f"-D{name}={value}" for name, value in given.items()),
            *(f"-D{option}" for option in self.options()),
        ]
        self.run("configuring", words, {}, self.room)
        self.run("compiling", [ninja, "-C", build, "-v", *self.recipe.targets], {}, self.room)

    def run(
        self,
        stage: str,
        words: Sequence[str | Path],
        environment: Mapping[str, str],
        cwd: Path,
        *,
        check: bool = True,
    ) -> str:
        """Run one tool, its output into the log; gives the output."""
        self.say(f"{stage} for {self.zig.triple}")
        (self.room / "tmp").mkdir(exist_ok=True)
        path = f"{self.room / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        with self.log.open("a", encoding="utf-8") as stream:

            def line(text: str) -> None:
                stream.write(text + "\n")
                self.count(text)

            done = run(
                words,
                timeout=_COMPILE_SECONDS if stage == "compiling" else _CONFIGURE_SECONDS,
                env=clean_environment(
                    {
                        **self.zig.environment(),
                        **environment,
                        "PATH": path,
                        "TMPDIR": str(self.room / "tmp"),
                        "SOURCE_DATE_EPOCH": "315532800",
                        "ZERO_AR_DATE": "1",
                        "LC_ALL": "C",
                    }
                ),
                cwd=cwd,
                merge=True,
                on_line=line,
            )
        if check and not done.ok:
            why = f"it was ended after {done.seconds:.0f} s\n" if done.timed_out else ""
            raise self.failed(stage, why + done.stdout)
        return done.stdout

    def failed(self, stage: str, text: str) -> AcquireError:
        """The error for a step that did not work; the log stays."""
        cause = cause_of(text)
        return AcquireError(
            f"{self.recipe.name} could not be compiled for {self.target.spec}",
            cause=cause if cause is not Cause.UNKNOWN else Cause.MISSING_LINK_LIBRARY,
            where=f"{stage}, {self.zig.triple}",
            why="\n".join(text.strip().splitlines()[-_TAIL_LINES:]),
            next_step=f"read {self.log}",
            log=self.log,
        )

    def count(self, text: str) -> None:
        """How far a compilation is: ninja says it, make's commands are counted."""
        ninja = re.match(r"\[(\d+)/(\d+)\] ", text)
        if ninja is not None:
            done, total = int(ninja[1]), int(ninja[2])
        elif self.total and re.match(r"\S*cc .* -c ", text):
            done, total = self.done + 1, self.total
        else:
            return
        before = self.done * 10 // max(1, total)
        self.done = done
        if done * 10 // max(1, total) > before or done == total:
            self.say(f"compiled {done} of {total} files", min(1.0, done / max(1, total)))

    def say(self, detail: str, fraction: float | None = None) -> None:
        """Tell the progress."""
        self.tools.on_event("libraries", f"{self.recipe.name}: {detail}", fraction)

    def keep(self, folder: Path) -> None:
        """Copy what the recipe names out of the build: headers, archives, licence, version."""
        for pattern, place in self.recipe.headers.items():
            target = folder / "include" / place
            target.mkdir(parents=True, exist_ok=True)
            for path in self.found(pattern):
                shutil.copyfile(path, target / path.name)
        (folder / "lib").mkdir()
        for pattern, name in self.recipe.archives.items():
            for path in self.found(pattern):
                shutil.copyfile(path, folder / "lib" / name)
        licence = self.tree / self.recipe.licence_file
        shutil.copyfile(licence, folder / licence.name)
        header, macro = self.recipe.version
        text = (folder / "include" / header).read_text(encoding="utf-8", errors="replace")
        match = re.search(rf'(?m)^\s*#\s*define\s+{macro}\s+"([^"]+)"', text)
        version = match[1] if match is not None else "unknown"
        (folder / "library.json").write_text(json.dumps({"version": version}), encoding="utf-8")

    def found(self, pattern: str) -> list[Path]:
        """The files of a pattern; none is an error: the recipe is not this release's."""
        found = sorted(path for path in self.tree.glob(pattern) if path.is_file())
        if not found:
            raise AcquireError(
                f"{self.recipe.name} was compiled, and {pattern} is not there",
                cause=Cause.MISSING_LINK_LIBRARY,
                where=self.zig.triple,
                next_step=f"read {self.log}",
                log=self.log,
            )
        return found
