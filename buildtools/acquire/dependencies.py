"""What a wheel requires beside itself, laid out with it in a folder, as pip would on the target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from buildtools.acquire.caching import workroom
from buildtools.acquire.fetch import target_flags
from buildtools.acquire.pipping import explain_failure, run_pip
from buildtools.acquire.request import AcquireError, WheelRequest
from buildtools.acquire.tools import Tools
from buildtools.acquire.wheelfiles import dist_info, unpack
from buildtools.host import Interpreter
from buildtools.targets import marker_environment
from buildtools.wheels.metadata import read_headers

_SECONDS = 300.0


def requirements_of(
    folder: Path, environment: Mapping[str, str], extras: Iterable[str] = ()
) -> tuple[str, ...]:
    """What an unpacked wheel requires there, with these extras; without the markers, which held."""
    from packaging.requirements import InvalidRequirement, Requirement

    text = (dist_info(folder) / "METADATA").read_text(encoding="utf-8", errors="replace")
    wanted = []
    for line in read_headers(text).get("requires-dist", ()):
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        marker, requirement.marker = requirement.marker, None
        if marker is None or any(
            marker.evaluate({**environment, "extra": extra}) for extra in ("", *extras)
        ):
            wanted.append(str(requirement))
    return tuple(wanted)


def unpack_with_dependencies(
    wheel: Path, folder: Path, there: Interpreter, python: Interpreter, tools: Tools
) -> None:
    """Unpack the wheel, and beside it wheels of what it requires that fit ``there``.

    ``python`` runs pip, which holds markers against its own Python and no other: so each wheel is
    asked for alone, and what it requires is read out of it. Raises :class:`AcquireError` when a
    dependency has no wheel there.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    unpack(wheel, folder)
    environment = marker_environment(there.target, there.version)
    request = WheelRequest(distribution="dependencies", target=there.target, python=python)
    wanted = list(requirements_of(folder, environment))
    _spread(folder)
    seen: set[str] = set()
    while wanted:
        requirement = Requirement(wanted.pop(0))
        name = canonicalize_name(requirement.name)
        if name in seen:
            continue
        seen.add(name)
        with workroom(tools.cache, "dependencies") as room:
            try:
                one = _download(str(requirement), request, tools, room)
            except AcquireError as error:
                error.what = f"what {wheel.name} requires cannot be had"
                raise
            tree = room / "tree"
            unpack(one, tree)
            wanted += requirements_of(tree, environment, requirement.extras)
            unpack(one, folder, over=True)
            _spread(folder)


def _spread(folder: Path) -> None:
    """Put what wheels keep under ``*.data/purelib`` and ``platlib`` where it is installed."""
    for scheme in ("purelib", "platlib"):
        for held in sorted(folder.glob(f"*.data/{scheme}")):
            for path in sorted(held.rglob("*")):
                if path.is_file():
                    target = folder / path.relative_to(held)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    path.replace(target)


def _download(requirement: str, request: WheelRequest, tools: Tools, room: Path) -> Path:
    """The one wheel of a requirement."""
    words = ["download", "--only-binary=:all:", "--no-deps", "--dest", str(room / "wheels")]
    if tools.offline:
        words.append("--no-index")
    done = run_pip(
        request.python,
        [*words, *target_flags(request), "--", requirement],
        scratch=room / "tmp",
        timeout=_SECONDS,
    )
    found = sorted((room / "wheels").glob("*.whl"))
    if not done.ok or not found:
        raise explain_failure(done, what=f"{requirement} cannot be had", where=requirement)
    return found[0]
