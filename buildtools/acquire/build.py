"""A wheel from source: pip's own build isolation, with a compiler and libraries that are there.

Way A (``native``) uses what the machine really has, checked by compiling and linking; way B
(``zig``) needs nothing of it: compiler, headers and libraries come into a private folder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from buildtools.acquire.ahead import Ahead
from buildtools.acquire.caching import appearing, folder_of_cache, safe_name, workroom
from buildtools.acquire.cibuildwheel import build_with_cibuildwheel
from buildtools.acquire.linking import compiles_libraries, may_be_refused
from buildtools.acquire.machine import machine_toolchain
from buildtools.acquire.pipping import cause_of, pip_command, pip_environment
from buildtools.acquire.repair import repair
from buildtools.acquire.request import (
    AcquiredWheel,
    AcquireError,
    Backend,
    OnEvent,
    WheelRequest,
)
from buildtools.acquire.requirements import missing_native_modules
from buildtools.acquire.sdist import bounded, require_archive, source_folder
from buildtools.acquire.sources import sqlite_amalgamation
from buildtools.acquire.toolchain import Toolchain, zig_toolchain
from buildtools.acquire.tools import Tools
from buildtools.acquire.wheelfiles import describe
from buildtools.findings import Cause
from buildtools.processes import run
from buildtools.recipes import Recipe
from buildtools.targets import LibCFamily

_BUILD_SECONDS = 1800.0
_TAIL_LINES = 30

AUTO = (Backend.NATIVE, Backend.ZIG)
"""What is tried, in this order, when nothing is asked for."""


def build(
    request: WheelRequest,
    recipe: Recipe,
    tools: Tools,
    on_event: OnEvent | None = None,
    *,
    backend: Backend | None = None,
) -> AcquiredWheel:
    """Build the driver from its source archive into a self-contained wheel for the target.

    The log is kept beside the wheel. Raises :class:`AcquireError` with the cause, the log's tail
    and the log's path; with no ``backend`` asked for, what each way lacked is said.
    """
    if on_event is not None:
        tools = Tools(
            cache=tools.cache, python=tools.python, offline=tools.offline, on_event=on_event
        )
    request = bounded(request.bounded_by(recipe.versions), recipe, tools)
    failures: list[AcquireError] = []
    for way in AUTO if backend is None else (backend,):
        try:
            return _build_one(request, recipe, tools, way)
        except AcquireError as error:
            failures.append(error)
            tools.on_event("build", f"{way}: {error.what}", None)
    last = failures[-1]
    earlier = [f"{way}: {error.what}" for way, error in zip(AUTO, failures[:-1], strict=False)]
    if earlier:
        last.why = "\n".join([last.why, *earlier]).strip()
    raise last


def _build_one(request: WheelRequest, recipe: Recipe, tools: Tools, way: Backend) -> AcquiredWheel:
    with workroom(tools.cache, f"build-{request.distribution}") as room, Ahead() as ahead:
        if way is Backend.CIBUILDWHEEL:
            return build_with_cibuildwheel(request, recipe, tools, room)
        if way is Backend.NATIVE:
            toolchain = machine_toolchain(request, recipe, tools, room)
        elif way is Backend.ZIG:
            if compiles_libraries(request, recipe.build):
                require_archive(request, tools, room)
            if not may_be_refused(request, recipe.build):
                ahead.start(tools.zig)
                if not _musl(request):
                    ahead.start(tools.repairwheel)
            if recipe.build is not None and recipe.build.sources:
                ahead.start(lambda: sqlite_amalgamation(tools))
            toolchain = zig_toolchain(request, recipe, tools, room)
        else:
            raise AcquireError(
                f"{way} cannot build here",
                where=request.place.spec,
                next_step="use the backends native, zig or cibuildwheel",
            )
        if toolchain.warm is not None:
            ahead.start(toolchain.warm)
        log = _log_path(request, tools, way)
        if recipe.build is not None and recipe.build.edit:
            toolchain = replace(toolchain, source=source_folder(request, recipe, tools, room))
        raw = _pip_wheel(request, toolchain, tools, room, log)
        _check(request, recipe, raw, log)
        final = repair(raw, request, recipe, toolchain.libraries, tools=tools, room=room)
        kept = _keep(final, log)
    acquired = describe(kept, source="sdist", backend=way, log=kept.with_suffix(".log"))
    linked = tuple(f"{part.name} {part.version}" for part in toolchain.libraries.static)
    return replace(acquired, notes=toolchain.notes, libraries=toolchain.way, linked=linked)


def _musl(request: WheelRequest) -> bool:
    libc = request.target.libc
    return libc is not None and libc.family is LibCFamily.MUSL


def _log_path(request: WheelRequest, tools: Tools, way: Backend) -> Path:
    place = folder_of_cache(tools.cache / "wheels" / safe_name(request.place.spec))
    return place / f"{safe_name(request.distribution)}-{way}-{os.getpid()}.log"


def _keep(wheel: Path, log: Path) -> Path:
    """Put the wheel beside its log, whole or not at all, and name the log after it."""
    final = log.parent / wheel.name
    with appearing(final) as partial:
        shutil.copyfile(wheel, partial)
    log.replace(final.with_suffix(".log"))
    return final


@dataclass(slots=True)
class _Progress:
    """Turns a build's output into events: a line of what it does, and a count of what is done."""

    on_event: OnEvent
    write: Callable[[str], int]
    compiled: int = 0

    def line(self, text: str) -> None:
        """Take one line of pip's output."""
        self.write(text + "\n")
        stripped = text.strip()
        if stripped.startswith(("Collecting ", "Installing build dependencies", "Building wheel")):
            self.on_event("build", stripped[:100], None)
        elif " -c " in stripped and ("/cc " in stripped or stripped.startswith(("cc ", "gcc "))):
            self.compiled += 1
            source = next((word for word in stripped.split() if word.endswith((".c", ".cpp"))), "")
            self.on_event("build", f"compiling {Path(source).name} ({self.compiled})", None)


def _pip_wheel(
    request: WheelRequest, toolchain: Toolchain, tools: Tools, room: Path, log: Path
) -> Path:
    """Run ``pip wheel`` for the one distribution; gives the wheel as the backend made it."""
    tools.on_event("build", f"building {request.requirement} with {toolchain.name}", None)
    out = room / "built"
    scratch = room / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    words = [
        *pip_command(request.python),
        "wheel",
        "--verbose",
        "--no-deps",
        # A wheel that pip cached was built with other flags, perhaps for another target.
        "--no-cache-dir",
        f"--no-binary={request.distribution}",
        "--wheel-dir",
        str(out),
    ]
    if request.offline or tools.offline:
        words.append("--no-index")
    with log.open("w", encoding="utf-8") as stream:
        progress = _Progress(on_event=tools.on_event, write=stream.write)
        stream.write(f"{toolchain.name}: {toolchain.summary}\n")
        done = run(
            [*words, str(toolchain.source or request.requirement)],
            timeout=_BUILD_SECONDS,
            env=pip_environment(scratch, toolchain.environment),
            cwd=scratch,
            merge=True,
            on_line=progress.line,
        )
    found = sorted(out.glob("*.whl")) if out.is_dir() else []
    if done.ok and len(found) == 1:
        return found[0]
    why = f"it was ended after {done.seconds:.0f} s" if done.timed_out else done.tail(_TAIL_LINES)
    raise AcquireError(
        f"{request.requirement} could not be built with {toolchain.name}",
        cause=cause_of(done.stdout),
        where=request.place.spec,
        why=why,
        next_step=f"buildtools explain {log}",
        log=log,
    )


def _check(request: WheelRequest, recipe: Recipe, wheel: Path, log: Path) -> None:
    """Refuse a build that quietly left its native part out."""
    absent = missing_native_modules(recipe, wheel, request.place)
    if absent:
        raise AcquireError(
            f"the build of {request.distribution} came out without its native part",
            cause=Cause.MISSING_NATIVE_MODULE,
            where=wheel.name,
            why=f"{', '.join(absent)} is not in it for {request.abi}",
            log=log,
        )
