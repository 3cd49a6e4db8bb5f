"""What a run leaves behind, so that the next one can say at once that nothing is due."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from buildtools import __version__
from buildtools.binaries import module_name
from buildtools.install import find_installed
from buildtools.probes import Verdict
from buildtools.rebuild.selection import Wanted
from buildtools.rebuild.survey import Survey
from buildtools.stamps import (
    DriverStamp,
    FileStamp,
    PlaceStamp,
    Selection,
    Stamp,
    file_stamp,
    place_stamp,
    recipe_digest,
    recipe_files,
    source_stamps,
    stamp_path,
)
from buildtools.writing import write_whole

UNKNOWN_TIME = 0
"""The time of no folder: a run without names has to look which drivers it is about."""


def leave_stamp(
    survey: Survey,
    proven: Mapping[str, tuple[Wanted, Verdict]],
    kept: Iterable[str],
) -> None:
    """Write the environment's stamp: ``proven`` drivers anew, ``kept`` ones as they were.

    Drivers that this run was not about stay as they were too, while the place is the same. An
    environment that cannot be written is let be: the next run looks again.
    """
    place = _place(survey)
    before = survey.stamp
    old = before.drivers if before else {}
    # What this run was not about is still as it was, as long as the place is.
    same = before is not None and before.place == place
    asked = {standing.wanted.name for standing in survey.standings}
    drivers = {name: old[name] for name in old if name in set(kept) or (same and name not in asked)}
    for name, (wanted, verdict) in proven.items():
        stamp = _driver(survey, wanted, verdict)
        if stamp is not None:
            drivers[name] = stamp
    request = survey.request
    project = str(request.configuration.root)
    selections = dict(before.selections) if before else {}
    selections[project] = _selection(survey, selections.get(project))
    stamp_file = stamp_path(request.interpreter.platlib)
    whole = Stamp(tool=__version__, place=place, drivers=drivers, selections=selections)
    with contextlib.suppress(OSError):
        stamp_file.parent.mkdir(exist_ok=True)
        content = whole.document()
        if not stamp_file.exists() or stamp_file.read_bytes() != content:
            write_whole(stamp_file, content)


def _place(survey: Survey) -> PlaceStamp:
    interpreter = survey.request.interpreter
    library = str(interpreter.stdlib)
    return place_stamp(
        executable=interpreter.executable,
        prefix=interpreter.prefix,
        site=interpreter.platlib,
        version=interpreter.version,
        target=interpreter.target.spec,
        search_path=[
            entry
            for entry in interpreter.sys_path
            if not entry.startswith(library) or entry.endswith("-packages")
        ],
    )


def _driver(survey: Survey, wanted: Wanted, verdict: Verdict) -> DriverStamp | None:
    """The stamp of one driver; None when what was tried does not lie in the environment."""
    interpreter = survey.request.interpreter
    site = interpreter.platlib
    files: list[FileStamp] = []
    version = verdict.version or ""
    if wanted.distribution:
        installed = find_installed(site, wanted.distribution, interpreter.prefix)
        if len(installed) != 1:
            return None
        version = installed[0].version
        for path in sorted(installed[0].owned):
            if "__pycache__" in path:
                continue
            native = module_name(path.rpartition("/")[2]) is not None
            stamp = file_stamp(site, path, hashed=native)
            if stamp is not None:
                files.append(stamp)
    files += _outside(verdict, site)
    return DriverStamp(
        distribution=wanted.distribution,
        version=version,
        requirement=wanted.versions,
        recipe=recipe_digest(recipe_files(wanted.name)),
        files=tuple(files),
        verdict=verdict.as_json(),
        when=int(time.time()),
    )


def _outside(verdict: Verdict, site: Path) -> list[FileStamp]:
    """The files outside of the environment that the driver loaded: the system's client library."""
    own = os.path.realpath(site)
    found = []
    for path in dict.fromkeys((verdict.path or "", *verdict.libraries)):
        if not path.startswith("/") or os.path.realpath(path).startswith(own):
            continue
        stamp = file_stamp(site, path, hashed=False)
        if stamp is not None:
            found.append(stamp)
    return found


def _selection(survey: Survey, before: Selection | None) -> Selection:
    """What a run without names would be about, as far as this run knows it."""
    request = survey.request
    configuration = request.configuration
    paths = dict.fromkeys(survey.requirements.sources)
    if configuration.file is not None:
        paths[configuration.file] = None
    sources = source_stamps(paths)
    wanted = [standing.wanted for standing in survey.standings]
    requirements = {one.name: one.versions for one in wanted}
    if not request.drivers:
        # Configured drivers do not depend on what is installed; found ones do.
        site = request.interpreter.platlib
        return Selection(
            drivers=tuple(one.name for one in wanted),
            requirements=requirements,
            sources=sources,
            site_mtime_ns=-1 if configuration.drivers else site.stat().st_mtime_ns,
        )
    if before is None or before.sources != sources:
        return Selection(
            drivers=(), requirements=requirements, sources=sources, site_mtime_ns=UNKNOWN_TIME
        )
    return replace(before, requirements={**before.requirements, **requirements})
