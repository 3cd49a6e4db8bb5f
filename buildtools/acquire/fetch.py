"""A ready-made wheel, through pip: never around the user's own index, credentials and proxies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from buildtools.acquire.caching import appearing, safe_name, workroom
from buildtools.acquire.pipping import explain_failure, run_pip
from buildtools.acquire.request import (
    AcquiredWheel,
    AcquireError,
    Backend,
    Candidate,
    WheelRequest,
)
from buildtools.acquire.requirements import missing_native_modules
from buildtools.acquire.tools import Tools
from buildtools.acquire.wheelfiles import describe
from buildtools.errors import CannotLookError
from buildtools.findings import Cause
from buildtools.recipes import Recipe
from buildtools.targets import platform_tags

_RESOLVE_SECONDS = 120.0


def target_flags(request: WheelRequest) -> tuple[str, ...]:
    """Pip's flags for the target; none when pip runs on that very place and knows it itself.

    pip takes each ``--platform`` literally, so every tag that runs there is named, best first.
    """
    if request.at_home:
        return ()
    abi = request.abi
    words = ["--implementation", "cp", "--python-version"]
    words.append(f"{abi.version.major}{abi.version.minor}")
    limited = () if abi.free_threaded else ("abi3",)
    for name in (*abi.abis, *limited, "none"):
        words += ["--abi", name]
    for tag in platform_tags(request.target):
        words += ["--platform", tag]
    return tuple(words)


def _source_flags(request: WheelRequest, tools: Tools) -> tuple[str, ...]:
    return ("--no-index",) if request.offline or tools.offline else ()


def resolve(request: WheelRequest, tools: Tools, *, recipe: Recipe | None = None) -> Candidate:
    """The wheel that :func:`fetch` would take, without downloading it where pip can avoid that.

    Raises :class:`AcquireError` when no wheel fits, and for a pure-Python wheel where the recipe
    demands a native part.
    """
    if recipe is not None:
        request = request.bounded_by(recipe.versions)
    with workroom(tools.cache, f"resolve-{request.distribution}") as room:
        report = room / "report.json"
        arguments = [
            "install",
            # Why a page of the index could not be read is told at this level only.
            "-vv",
            "--dry-run",
            "--ignore-installed",
            "--no-deps",
            "--only-binary=:all:",
            "--report",
            str(report),
            *_source_flags(request, tools),
            *target_flags(request),
        ]
        if not request.at_home:
            arguments += ["--target", str(room / "nowhere")]
        done = run_pip(
            request.python,
            [*arguments, request.requirement],
            scratch=room / "tmp",
            timeout=_RESOLVE_SECONDS,
        )
        if not done.ok:
            raise explain_failure(
                done,
                what=f"no wheel of {request.requirement} fits {request.place.spec}",
                where=request.distribution,
            )
        candidate = _candidate(request, report)
    if recipe is not None and _is_pure(candidate.filename) and _wants_native(recipe):
        raise _only_pure(request, candidate.filename)
    return candidate


def _candidate(request: WheelRequest, report: Path) -> Candidate:
    """Read pip's installation report (its specification, version 1)."""
    try:
        document = json.loads(report.read_text(encoding="utf-8"))
        entry = document["install"][0]
        url = str(entry["download_info"]["url"])
        archive = entry["download_info"].get("archive_info", {})
        hashes: Mapping[str, str] = archive.get("hashes") or {}
        sha256 = hashes.get("sha256") or archive.get("hash", "").removeprefix("sha256=")
        version = str(entry["metadata"]["version"])
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise CannotLookError(
            "pip's report could not be read", where=request.distribution, why=repr(error)
        ) from error
    from urllib.parse import unquote, urlsplit

    return Candidate(
        distribution=request.distribution,
        version=version,
        source="index",
        filename=unquote(urlsplit(url).path.rpartition("/")[2]),
        sha256=sha256,
    )


def resolve_sdist(request: WheelRequest, tools: Tools) -> Candidate:
    """The newest source release that the request allows, seen by its version only.

    ``pip index versions`` lists them without preparing a build, which would need the very
    libraries that are not there. Raises :class:`AcquireError` when there is none.
    """
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    with workroom(tools.cache, f"versions-{request.distribution}") as room:
        done = run_pip(
            request.python,
            [
                "index",
                "versions",
                "--no-binary=:all:",
                *_source_flags(request, tools),
                request.distribution,
            ],
            scratch=room,
            timeout=_RESOLVE_SECONDS,
        )
    if not done.ok:
        raise explain_failure(
            done,
            what=f"no source archive of {request.distribution} was found",
            where=request.distribution,
        )
    wanted = SpecifierSet(f"=={request.version}" if request.version else request.specifier)
    _, _, listed = done.stdout.partition("Available versions:")
    for word in listed.partition("\n")[0].split(","):
        try:
            version = Version(word.strip())
        except InvalidVersion:
            continue
        if wanted.contains(version):
            return Candidate(
                distribution=request.distribution, version=str(version), source="sdist"
            )
    raise AcquireError(
        f"no source archive of {request.requirement} was found",
        cause=Cause.NO_MATCHING_DISTRIBUTION,
        where=request.distribution,
        why=f"the index has {listed.partition(chr(10))[0].strip() or 'none'}",
    )


def fetch(request: WheelRequest, tools: Tools, *, recipe: Recipe | None = None) -> AcquiredWheel:
    """Download the best wheel for the target, through pip.

    The wheel is kept under the tools' cache until the caller has stored it. Raises
    :class:`AcquireError` with the cause in pip's words, and for a wheel without the native part
    that the recipe demands. The caller audits it before it is trusted.
    """
    if recipe is not None:
        request = request.bounded_by(recipe.versions)
    tools.on_event("fetch", f"asking the index for {request.requirement}", None)
    with workroom(tools.cache, f"fetch-{request.distribution}") as room:
        folder = room / "wheels"
        done = run_pip(
            request.python,
            [
                "download",
                # Why a page of the index could not be read is told at this level only.
                "-vv",
                "--no-deps",
                "--only-binary=:all:",
                "--dest",
                str(folder),
                *_source_flags(request, tools),
                *target_flags(request),
                request.requirement,
            ],
            scratch=room / "tmp",
        )
        found = sorted(folder.glob("*.whl")) if folder.is_dir() else []
        if not done.ok or len(found) != 1:
            raise explain_failure(
                done,
                what=f"no wheel of {request.requirement} fits {request.place.spec}",
                where=request.distribution,
            )
        if recipe is not None:
            _demand_native(request, recipe, found[0])
        kept = keep(found[0], tools, request)
    return describe(kept, source="index", backend=Backend.INDEX)


def keep(wheel: Path, tools: Tools, request: WheelRequest) -> Path:
    """Move a finished wheel to its place under the cache, in one step."""
    place = tools.cache / "wheels" / safe_name(request.place.spec)
    with appearing(place / wheel.name) as partial:
        shutil.copyfile(wheel, partial)
    return place / wheel.name


def _is_pure(filename: str) -> bool:
    return filename.endswith("-none-any.whl")


def _wants_native(recipe: Recipe) -> bool:
    return any(module.required for module in recipe.native)


def _only_pure(request: WheelRequest, filename: str) -> AcquireError:
    return AcquireError(
        f"{request.distribution} has no wheel with its native part for {request.place.spec}",
        cause=Cause.NO_MATCHING_DISTRIBUTION,
        where=filename,
        why="the only wheel that fits is pure Python: it would install and be the slow stand-in",
        next_step=f"allow it with --allow-fallback, or take another version of "
        f"{request.distribution}",
    )


def _demand_native(request: WheelRequest, recipe: Recipe, wheel: Path) -> None:
    """Raise unless the wheel holds every native module that the recipe requires."""
    absent = missing_native_modules(recipe, wheel, request.place)
    if not absent:
        return
    if _is_pure(wheel.name):
        raise _only_pure(request, wheel.name)
    raise AcquireError(
        f"the wheel of {request.distribution} lacks its native part",
        cause=Cause.MISSING_NATIVE_MODULE,
        where=wheel.name,
        why=f"it has no {', '.join(absent)} for {request.abi}",
        next_step="build it from source with --from-source",
    )
