"""A wheel by cibuildwheel: in its container on Linux, on a runner of the system's own on macOS.

The same recipe drives it: the packages of the image's distribution, the source bundles, the native
modules that the built wheel must import. Its configuration is made here and stands nowhere else.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from buildtools.acquire.caching import appearing, safe_name
from buildtools.acquire.request import AcquiredWheel, AcquireError, Backend, WheelRequest
from buildtools.acquire.requirements import missing_native_modules
from buildtools.acquire.sdist import source_folder
from buildtools.acquire.tools import Tools
from buildtools.acquire.wheelfiles import describe
from buildtools.findings import Cause
from buildtools.processes import PASSED_ON, clean_environment, run
from buildtools.recipes import Recipe
from buildtools.targets import LibCFamily, OperatingSystem, Target, build_identifier

LONGEST = 5400.0
"""Seconds for one wheel, the image's download included."""

IMAGES: Mapping[int, str] = {34: "manylinux_2_34", 28: "manylinux_2_28", 17: "manylinux2014"}
"""cibuildwheel's images by the minor version of their glibc, newest first."""

_INSTALL = {
    "fedora": "dnf install -y",
    "alpine": "apk add --no-cache",
    "homebrew": "brew install",
}
"""What installs packages in the images (AlmaLinux, Alpine) and on macOS runners."""


def build_with_cibuildwheel(
    request: WheelRequest, recipe: Recipe, tools: Tools, room: Path
) -> AcquiredWheel:
    """Build the one wheel and keep it; raises :class:`AcquireError`, with the log's path."""
    if importlib.util.find_spec("cibuildwheel") is None:
        raise AcquireError(
            "cibuildwheel is not installed beside this tool",
            where=sys.executable,
            next_step="pip install 'native-buildtools[cibuildwheel]', or use --backend zig",
        )
    _require_engine(request.place)
    configured = configuration(recipe, request.place)
    source = source_folder(request, recipe, tools, room)
    out = room / "wheelhouse"
    log = tools.cache / "wheels" / safe_name(request.place.spec)
    log.mkdir(parents=True, exist_ok=True)
    log /= f"{safe_name(request.distribution)}-cibuildwheel-{os.getpid()}.log"
    identifier = build_identifier(request.place, request.abi)
    tools.on_event("build", f"cibuildwheel --only {identifier}", None)
    own = {key: os.environ[key] for key in os.environ if key not in PASSED_ON}
    with log.open("w", encoding="utf-8") as stream:
        done = run(
            [
                *(sys.executable, "-m", "cibuildwheel", "--only", identifier),
                *("--output-dir", str(out), str(source)),
            ],
            timeout=LONGEST,
            env=clean_environment({**own, **configured}),
            cwd=room,
            merge=True,
            on_line=lambda line: print(line, file=stream),
        )
    found = sorted(out.glob("*.whl")) if out.is_dir() else []
    if not done.ok or len(found) != 1:
        raise AcquireError(
            f"cibuildwheel made no wheel of {request.requirement} for {identifier}",
            where=request.place.spec,
            why="it took too long" if done.timed_out else done.tail(30),
            next_step=f"buildtools explain {log}",
            log=log,
        )
    if absent := missing_native_modules(recipe, found[0], request.place):
        raise AcquireError(
            f"the build of {request.distribution} came out without its native part",
            cause=Cause.MISSING_NATIVE_MODULE,
            where=found[0].name,
            why=f"{', '.join(absent)} is not in it for {request.abi}",
            log=log,
        )
    final = log.parent / found[0].name
    with appearing(final) as partial:
        shutil.copyfile(found[0], partial)
    log.replace(final.with_suffix(".log"))
    return describe(
        final, source="sdist", backend=Backend.CIBUILDWHEEL, log=final.with_suffix(".log")
    )


def configuration(recipe: Recipe, target: Target) -> dict[str, str]:
    """The settings of cibuildwheel for one driver and target, as environment variables.

    Raises :class:`AcquireError` for a floor that no image has, and for a recipe that names no
    packages for the image's distribution.
    """
    if recipe.build is None:
        raise AcquireError(f"the recipe of {recipe.driver} says nothing of building it")
    settings = {"CIBW_BUILD_FRONTEND": "build"}
    family = package_family(target)
    packages = recipe.build.packages.get(family)
    if packages is not None and packages.build and not recipe.build.sources:
        words = shlex.join(packages.build)
        system = "MACOS" if target.os is OperatingSystem.DARWIN else "LINUX"
        settings[f"CIBW_BEFORE_ALL_{system}"] = f"{_INSTALL[family]} {words}"
    elif recipe.build.link and not recipe.build.sources:
        raise AcquireError(
            f"the recipe of {recipe.driver} names no {family} packages",
            where=target.spec,
            next_step="use --backend zig",
        )
    if target.os is OperatingSystem.DARWIN:
        settings["MACOSX_DEPLOYMENT_TARGET"] = str(target.min_os or "11.0")
    elif family == "fedora":
        settings[f"CIBW_MANYLINUX_{target.arch.upper()}_IMAGE"] = _image(target)
    modules = [one.module for one in recipe.native if one.required] or list(recipe.imports)
    if modules:
        code = f"import {', '.join(modules)}"
        settings["CIBW_TEST_COMMAND"] = f"python -c {shlex.quote(code)}"
    return settings


def package_family(target: Target) -> str:
    """Whose packages an image or runner of the target has."""
    if target.os is OperatingSystem.DARWIN:
        return "homebrew"
    musl = target.libc is not None and target.libc.family is LibCFamily.MUSL
    return "alpine" if musl else "fedora"


def _image(target: Target) -> str:
    floor = target.libc.version if target.libc else None
    for minor, image in IMAGES.items():
        if floor is None or floor.minor >= minor:
            return image
    raise AcquireError(
        f"cibuildwheel has no image for {target.libc}",
        cause=Cause.LIBC_TOO_OLD,
        where=target.spec,
        why=f"the oldest, {IMAGES[min(IMAGES)]}, has glibc 2.{min(IMAGES)}",
        next_step="use --backend zig, which links to any floor",
    )


def _require_engine(target: Target) -> None:
    if target.os is OperatingSystem.DARWIN:
        if os.uname().sysname != "Darwin":
            raise AcquireError(
                "cibuildwheel builds for macOS on macOS only",
                where=target.spec,
                next_step="run it in the architecture matrix (buildtools matrix)",
            )
        return
    engine = next((name for name in ("docker", "podman") if shutil.which(name)), None)
    if engine is None or not run([engine, "version"], timeout=30).ok:
        raise AcquireError(
            "cibuildwheel needs a container engine for Linux, and none answers here",
            where=target.spec,
            why="neither docker nor podman is on PATH"
            if engine is None
            else f"`{engine} version` ended with an error",
            next_step="use --backend zig, or run it in the architecture matrix (buildtools matrix)",
        )
