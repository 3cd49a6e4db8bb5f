"""What a wheel requires beside itself, laid out with it in a folder, as pip would."""

from __future__ import annotations

from pathlib import Path

from buildtools.acquire.caching import workroom
from buildtools.acquire.fetch import target_flags
from buildtools.acquire.pipping import explain_failure, run_pip
from buildtools.acquire.request import WheelRequest
from buildtools.acquire.tools import Tools
from buildtools.acquire.wheelfiles import dist_info, unpack
from buildtools.host import Interpreter
from buildtools.targets import Target
from buildtools.wheels.metadata import read_headers

_SECONDS = 300.0


def requirements_of(folder: Path) -> tuple[str, ...]:
    """What an unpacked wheel's METADATA requires without any extra, markers kept."""
    from packaging.requirements import InvalidRequirement, Requirement

    text = (dist_info(folder) / "METADATA").read_text(encoding="utf-8", errors="replace")
    wanted = []
    for line in read_headers(text).get("requires-dist", ()):
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if requirement.marker is None or "extra" not in str(requirement.marker):
            wanted.append(str(requirement))
    return tuple(wanted)


def unpack_with_dependencies(
    wheel: Path, folder: Path, target: Target, python: Interpreter, tools: Tools
) -> None:
    """Unpack the wheel, and beside it wheels of what it requires that fit the target.

    ``python`` runs pip. Raises :class:`AcquireError` when a dependency has no wheel there.
    """
    unpack(wheel, folder)
    wanted = requirements_of(folder)
    if not wanted:
        return
    request = WheelRequest(distribution="dependencies", target=target, python=python)
    with workroom(tools.cache, "dependencies") as room:
        words = ["download", "--only-binary=:all:", "--dest", str(room / "wheels")]
        if tools.offline:
            words.append("--no-index")
        done = run_pip(
            python,
            [*words, *target_flags(request), "--", *wanted],
            scratch=room / "tmp",
            timeout=_SECONDS,
        )
        if not done.ok:
            raise explain_failure(
                done, what=f"what {wheel.name} requires cannot be had", where=", ".join(wanted)
            )
        for one in sorted((room / "wheels").glob("*.whl")):
            unpack(one, folder)
