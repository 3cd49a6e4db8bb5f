"""The programs that builds need, had through pip and kept in the user's cache: zig, repairwheel."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from buildtools.acquire.caching import is_whole, made_once, workroom
from buildtools.acquire.pipping import explain_failure, run_pip
from buildtools.acquire.request import AcquireError, OnEvent, silent
from buildtools.acquire.wheelfiles import unpack
from buildtools.findings import Cause
from buildtools.folders import cache_root
from buildtools.host import Interpreter, interpreter_facts
from buildtools.processes import run

ZIG = "ziglang>=0.14,<0.18"
REPAIRWHEEL = "repairwheel>=0.4"

_TOOL_SECONDS = 900.0

_NO_TARGETS = r"(?:windows|freebsd|netbsd|openbsd|wasm)"
_ZIG_LEFT_OUT = re.compile(
    r"ziglang/(?:doc/|lib/(?:docs|build-web|libtsan|libc/(?:mingw|wasi|freebsd|netbsd|openbsd))/"
    rf"|lib/libc/include/[^/]*{_NO_TARGETS}[^/]*/)"
)
"""Half of zig's 19,500 files: C libraries of systems that no target here is of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Where tools and built things are kept, and which Python fetches them.

    ``cache`` is a folder of the user's own; ``python`` the interpreter whose pip is used, None for
    this one; ``offline`` forbids the index: what is not in the cache is then an error.
    """

    cache: Path = field(default_factory=cache_root)
    python: Interpreter | None = None
    offline: bool = False
    on_event: OnEvent = silent

    def __post_init__(self) -> None:
        object.__setattr__(self, "cache", self.cache.absolute())

    @property
    def interpreter(self) -> Interpreter:
        """The interpreter that fetches and runs the tools."""
        return self.python or interpreter_facts()

    def zig(self) -> Path:
        """The zig program: of an importable ``ziglang``, else of the cache, else fetched.

        Raises :class:`AcquireError` when it cannot be had or does not run here.
        """
        found = _importable("ziglang", "zig")
        if found is not None and _runs(found):
            return found
        folder = self._tool("ziglang", ZIG, _prove_zig, leave=_ZIG_LEFT_OUT)
        return folder / "ziglang" / "zig"

    def zig_version(self, zig: Path) -> str:
        """What a zig program calls itself."""
        done = run([zig, "version"], timeout=60)
        if not done.ok:
            raise AcquireError("zig does not run", cause=Cause.MISSING_COMPILER, why=done.tail(3))
        return done.stdout.strip()

    def repairwheel(self) -> Path:
        """The folder that holds ``repairwheel`` and what it imports, for ``sys.path``."""
        return self._tool("repairwheel", REPAIRWHEEL, _prove_nothing)

    def program(self, name: str, requirement: str) -> Path:
        """A program that a wheel of the index carries, by the wheel's own name."""
        folder = self._tool(name, requirement, _prove_nothing)
        for path in sorted(folder.rglob(name)):
            if path.is_file() and path.parent.name in {"bin", "scripts"}:
                path.chmod(0o755)
                return path
        raise AcquireError(
            f"{name} is not in its wheel", cause=Cause.MISSING_COMPILER, where=str(folder)
        )

    def _tool(
        self,
        name: str,
        requirement: str,
        prove: Callable[[Path], None],
        *,
        leave: re.Pattern[str] | None = None,
    ) -> Path:
        """The cached folder of a tool, fetched through pip if it is not there."""
        # The bounds are part of the name: another release of this project may want other ones.
        bounds = re.sub(r"[^0-9.]+", "_", requirement).strip("_")
        folder = self.cache / "tools" / f"{name}-{bounds}"
        if is_whole(folder):
            return folder
        self.on_event("tools", f"fetching {name}", None)

        def fill(partial: Path) -> None:
            with workroom(self.cache, name) as room:
                for wheel in self._download(requirement, room):
                    unpack(wheel, partial, leave=leave)
            prove(partial)

        return made_once(folder, fill)

    def _download(self, requirement: str, room: Path) -> list[Path]:
        arguments = ["download", "--only-binary=:all:", "--dest", str(room / "wheels"), requirement]
        if self.offline:
            arguments.insert(1, "--no-index")
        done = run_pip(self.interpreter, arguments, scratch=room / "tmp", timeout=_TOOL_SECONDS)
        if not done.ok:
            error = explain_failure(
                done, what=f"{requirement} could not be fetched", where="the tools' cache"
            )
            if self.offline:
                error.next_step = "it is not in the cache yet: ask once without --offline"
            raise error
        return sorted((room / "wheels").glob("*.whl"))

    def versions(self) -> dict[str, str]:
        """The versions of the tools in the cache, for SBOMs: name to version."""
        found = {}
        for info in self.cache.glob("tools/*/*.dist-info"):
            name, _, version = info.name.removesuffix(".dist-info").partition("-")
            found[name] = version
        return found


def _importable(package: str, program: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(next(iter(spec.submodule_search_locations))) / program
    return path if path.is_file() else None


def _runs(zig: Path) -> bool:
    return run([zig, "version"], timeout=60).ok


def _prove_nothing(folder: Path) -> None:
    """Nothing to run: pip has checked what it fetched."""
    del folder


def _prove_zig(folder: Path) -> None:
    """The program runs here and is the version that its metadata names."""
    program = folder / "ziglang" / "zig"
    program.chmod(0o755)
    done = run([program, "version"], timeout=60)
    names = [path.name for path in folder.glob("ziglang-*.dist-info")]
    named = names[0].removeprefix("ziglang-").removesuffix(".dist-info") if names else ""
    said = done.stdout.strip()
    if not done.ok or not named.startswith(said):
        raise AcquireError(
            "the compiler that was fetched does not run here",
            cause=Cause.MISSING_COMPILER,
            where=str(program),
            why=f"it is {named} and said {json.dumps(said or done.tail(3))}",
            next_step="install a C compiler with the system's package manager",
        )
