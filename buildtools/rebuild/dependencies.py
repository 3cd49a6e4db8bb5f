"""What a driver's wheel requires of other distributions, brought in before the driver is tried.

A driver that is installed alone does not import: ``mariadb`` wants ``packaging``, ``mysqlclient``
nothing. Only what is missing is added, each by the same atomic install; nothing that is there is
changed for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING

from buildtools import __version__
from buildtools.errors import NoWheelError
from buildtools.findings import Severity
from buildtools.install import Installation, info_folders
from buildtools.rebuild.obtaining import tools_for
from buildtools.rebuild.request import RebuildRequest
from buildtools.rebuild.survey import markers_of
from buildtools.wheelhouse import Provenance, Wheelhouse
from buildtools.wheels import OpenWheel, WheelFile, audit, normalized_name

if TYPE_CHECKING:
    from packaging.requirements import Requirement

DEEPEST = 50
"""Distributions added for one driver; more is a circle that no driver has."""


def add_missing(
    request: RebuildRequest, installation: Installation, wheel: Path, driver: str
) -> tuple[str, ...]:
    """Install what the wheel requires and the environment lacks, and what that requires in turn.

    Gives ``name version`` of each distribution that was added. Raises :class:`NoWheelError` for one
    that cannot be had, with nothing of the driver changed yet.
    """
    waiting = list(_missing(request, _described(wheel)))
    added: list[str] = []
    while waiting:
        requirement = waiting.pop(0)
        if len(added) >= DEEPEST:
            raise NoWheelError(f"{driver} requires more than {DEEPEST} distributions", where=driver)
        request.on_event(driver, "fetch", f"{requirement}, which it requires", None)
        found = _obtain(request, requirement, driver)
        with installation.stage(found, name=requirement.name) as staged:
            staged.commit()
            staged.finish()
        described = _described(found)
        added.append(f"{described.name} {described.version}")
        waiting += _missing(request, described)
    return tuple(added)


def _described(wheel: Path) -> WheelFile:
    with OpenWheel(wheel) as opened:
        return opened.wheel


def _missing(request: RebuildRequest, wheel: WheelFile) -> Iterator[Requirement]:
    """The wheel's requirements that hold here and that nothing installed meets."""
    from packaging.requirements import InvalidRequirement, Requirement

    markers = {**markers_of(request), "extra": ""}
    for line in message_from_bytes(wheel.metadata).get_all("requires-dist") or ():
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        wanted = requirement.marker is None or requirement.marker.evaluate(markers)
        if wanted and not _is_met(request, requirement):
            yield requirement


def _is_met(request: RebuildRequest, requirement: Requirement) -> bool:
    wanted = normalized_name(requirement.name)
    return any(
        normalized_name(name) == wanted
        and requirement.specifier.contains(version, prereleases=True)
        for folder in request.interpreter.sys_path
        for _info, name, version in info_folders(Path(folder))
    )


def _obtain(request: RebuildRequest, requirement: Requirement, driver: str) -> Path:
    """A wheel of the requirement: the wheelhouse's, else the index's, audited and kept."""
    house = Wheelhouse(request.wheelhouse)
    target = request.interpreter.target
    specifier = str(requirement.specifier)
    stored = house.find(requirement.name, target, specifier)
    if stored:
        return stored[0].path
    if request.choices.offline:
        raise NoWheelError(
            f"the wheelhouse has no wheel of {requirement}, which {driver} requires",
            where=str(request.wheelhouse),
            next_step="run the same without --offline once, where there is an index",
        )
    from buildtools.acquire import WheelRequest, fetch

    asked = WheelRequest(
        distribution=requirement.name,
        target=target,
        python=request.interpreter,
        specifier=specifier,
    )
    acquired = fetch(asked, tools_for(request, driver))
    wrong = [one for one in audit(acquired.path, target) if one.severity is Severity.ERROR]
    if wrong:
        raise NoWheelError(
            f"the index's wheel of {requirement} would not load here",
            where=acquired.path.name,
            why=f"{wrong[0].cause}: {wrong[0].evidence}",
        )
    provenance = Provenance(
        driver=requirement.name,
        target=target.spec,
        python=request.interpreter.abi.abi,
        backend=acquired.backend.value,
        source=acquired.source,
        tool=__version__,
        bundled=acquired.bundled,
        proven=(),
    )
    return house.add(acquired.path, provenance).path
