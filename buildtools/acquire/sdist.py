"""A driver's source archive without a build: as the index has it, edited as its recipe says.

pip runs a distribution's own ``setup.py`` even where it only downloads, and what that wants (a
client library, a download of its own) is not there yet. So it is given no setuptools: it fetches
the archive, holds it against the index's hash, unpacks it, and ends before the archive's own code.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from buildtools.acquire.pipping import explain_failure, run_pip
from buildtools.acquire.request import AcquireError, WheelRequest
from buildtools.acquire.sources import sqlite_amalgamation, sqlite_version
from buildtools.acquire.tools import Tools
from buildtools.findings import Cause
from buildtools.recipes import BuildRecipe, Recipe

_BACKENDS = ("setuptools", "hatchling", "flit_core", "poetry", "mesonpy", "scikit_build_core")
_STOP = 'raise ImportError("only the archive is wanted")\n'


def bounded(request: WheelRequest, recipe: Recipe, tools: Tools) -> WheelRequest:
    """The request, held to versions that the source at hand serves where the recipe says so.

    Raises :class:`AcquireError` for a version that wants a newer one.
    """
    if recipe.build is None or not recipe.build.follows:
        return request
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version as ReleaseVersion

    served = sqlite_version(sqlite_amalgamation(tools) / "sqlite3.h")
    release = ReleaseVersion(served).release
    bound = f"<{'.'.join(map(str, (*release[:-1], release[-1] + 1)))}"
    if request.version is None:
        return replace(request, specifier=",".join(filter(None, (request.specifier, bound))))
    if SpecifierSet(bound).contains(request.version, prereleases=True):
        return request
    raise AcquireError(
        f"{request.requirement} cannot be built",
        cause=Cause.NO_MATCHING_DISTRIBUTION,
        where=request.place.spec,
        why=f"it wants a newer SQLite than {served}, the newest whose source the index has",
        next_step=f"ask for {request.distribution}=={served}.0 or older, or take the index's wheel "
        "with --backend auto",
    )


def source_folder(request: WheelRequest, recipe: Recipe, tools: Tools, room: Path) -> Path:
    """The archive unpacked, edited, the source bundles of the recipe beside its ``setup.py``.

    Raises :class:`AcquireError`, in pip's words when there is none.
    """
    top = _unpacked(request, tools, room)
    if recipe.build is not None:
        _edit(top, recipe.build, request.requirement)
        for file in sqlite_amalgamation(tools).iterdir() if recipe.build.sources else ():
            if file.suffix in {".c", ".h"}:
                shutil.copyfile(file, top / file.name)
    return top


def require_archive(request: WheelRequest, tools: Tools, room: Path) -> None:
    """Raise :class:`AcquireError` for a version that the index has no source archive of.

    Asked before libraries are compiled, which takes minutes. No version: the newest is there.
    """
    if request.version is not None:
        _unpacked(request, tools, room / "asked")


def _unpacked(request: WheelRequest, tools: Tools, room: Path) -> Path:
    """The folder that pip has unpacked the archive into and, told to, left there."""
    stop = room / "stop"
    for module in _BACKENDS:
        (stop / module).mkdir(parents=True, exist_ok=True)
        (stop / module / "__init__.py").write_text(_STOP, encoding="ascii")
    scratch = room / "fetched"
    words = ["download", "--no-deps", "--no-build-isolation", "--no-clean"]
    if request.offline or tools.offline:
        words.append("--no-index")
    tools.on_event("build", f"fetching the source of {request.requirement}", None)
    done = run_pip(
        request.python,
        [*words, f"--no-binary={request.distribution}", "--dest", str(room), request.requirement],
        scratch=scratch,
        extra={"PYTHONPATH": str(stop)},
    )
    found = sorted(path.parent for path in scratch.glob("pip-*/*/PKG-INFO"))
    if not found:
        error = explain_failure(
            done,
            what=f"the source archive of {request.requirement} could not be fetched",
            where=request.distribution,
        )
        if error.cause is Cause.NO_MATCHING_DISTRIBUTION and not error.next_step:
            error.next_step = f"pip index versions {request.distribution} lists what there is"
        raise error
    return found[0]


def _edit(top: Path, build: BuildRecipe, where: str) -> None:
    for name, changes in build.edit.items():
        path = top / name
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        for before, after in changes.items():
            if before not in text:
                raise AcquireError(
                    f"{name} is not what the recipe edits",
                    where=where,
                    why=f"{before!r} is not in it",
                    next_step="ask for an older version, or correct the recipe",
                )
            text = text.replace(before, after)
        path.write_text(text, encoding="utf-8")
