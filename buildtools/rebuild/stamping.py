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
    old = survey.stamp.drivers if survey.stamp else {}
    asked = {standing.wanted.name for standing in survey.standings}
    same_place = survey.stamp is not None and survey.stamp.place == place
    unasked = {name for name in old if same_place and name not in asked}
    drivers = {name: old[name] for name in old if name in unasked | set(kept)}
    for name, (wanted, verdict) in proven.items():
        stamp = _driver(survey, wanted, verdict)
        if stamp is not None:
            drivers[name] = stamp
    selections = dict(survey.stamp.selections) if survey.stamp else {}
    request = survey.request
    project = str(request.configuration.root)
    selection = _selection(survey)
    if request.drivers:
        before = selections.get(project)
        if before is not None:
            selection = replace(
                selection,
                drivers=before.drivers,
                requirements={**before.requirements, **selection.requirements},
            )
    selections[project] = selection
    stamp_file = stamp_path(request.interpreter.platlib)
    whole = Stamp(tool=__version__, place=place, drivers=drivers, selections=selections)
    with contextlib.suppress(OSError):
        stamp_file.parent.mkdir(exist_ok=True)
        write_whole(stamp_file, whole.document())


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


def _selection(survey: Survey) -> Selection:
    configuration = survey.request.configuration
    sources = dict.fromkeys(survey.requirements.sources)
    if configuration.file is not None:
        sources[configuration.file] = None
    names = [standing.wanted for standing in survey.standings]
    site = survey.request.interpreter.platlib
    # Configured drivers do not depend on what is installed; found ones do.
    listed = bool(configuration.drivers) or bool(survey.request.drivers)
    return Selection(
        drivers=tuple(wanted.name for wanted in names),
        requirements={wanted.name: wanted.versions for wanted in names},
        sources=source_stamps(sources),
        site_mtime_ns=-1 if listed else site.stat().st_mtime_ns,
    )
