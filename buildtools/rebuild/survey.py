"""How each driver stands in the environment: stamps, the doctor's findings, a trial."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from buildtools.doctor import examine
from buildtools.environment import Tree, normalized, scan
from buildtools.findings import Cause, Finding, Severity
from buildtools.install import Installed, find_installed
from buildtools.planning import DriverState
from buildtools.probes import Status, Verdict, verify
from buildtools.rebuild.request import RebuildRequest
from buildtools.rebuild.requirements import Requirements, read_requirements
from buildtools.rebuild.selection import Wanted, select
from buildtools.rebuild.shadows import HidingCopy, hiding_copies
from buildtools.recipes import PureKind, Recipe, load_recipes
from buildtools.stamps import (
    Stamp,
    driver_drift,
    place_drift,
    recipe_files,
    stamp_path,
)

_TRIALS = 4
"""Children at a time: a trial is mostly the start of a Python."""

_DUE = frozenset({Cause.PURE_FALLBACK, Cause.MISSING_NATIVE_MODULE, Cause.AUTH_PLUGIN_MISSING})
"""Causes that make a rebuild due even where they are warnings only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One driver as it was found.

    ``verdict`` is set where it was tried, ``kept`` (the JSON of an earlier one) where a stamp still
    holds. ``hiding`` are copies outside of the environment that are imported instead.
    """

    wanted: Wanted
    state: DriverState
    installed: tuple[Installed, ...]
    verdict: Verdict | None = None
    kept: Mapping[str, object] | None = None
    hiding: tuple[HidingCopy, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Everything that was found before anything was decided."""

    request: RebuildRequest
    recipes: Mapping[str, Recipe]
    requirements: Requirements
    stamp: Stamp | None
    standings: tuple[Standing, ...]


def survey(request: RebuildRequest) -> Survey:
    """Look at the environment: static audit first, then a trial of what looks whole."""
    interpreter = request.interpreter
    recipes = load_recipes()
    audit = _Audit(request, recipes)
    configuration = request.configuration
    requirements = read_requirements(
        configuration.root, markers_of(request), configuration.requirements
    )
    for file in requirements.missing:
        said = f"{file} is not there, though [tool.buildtools] requirements names it"
        request.on_event("requirements", "missing", said, None)
    wanted = select(
        request.drivers, request.configuration, recipes, lambda: audit.tree, requirements
    )
    stamp = Stamp.read(stamp_path(interpreter.platlib))
    looker = _Looker(request, audit, stamp)
    with ThreadPoolExecutor(_TRIALS, thread_name_prefix="trial") as pool:
        standings = tuple(pool.map(looker.look, wanted))
    return Survey(
        request=request,
        recipes=recipes,
        requirements=requirements,
        stamp=stamp,
        standings=standings,
    )


class _Audit:
    """The static audit, made when it is first asked for: a forced install asks for none."""

    def __init__(self, request: RebuildRequest, recipes: Mapping[str, Recipe]) -> None:
        self._request = request
        self._recipes = recipes
        self._guard = threading.RLock()

    @cached_property
    def tree(self) -> Tree:
        """What the interpreter would search."""
        return scan(self._request.interpreter)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What the audit has to say of it."""
        with self._guard:
            if (known := self.__dict__.get("findings")) is not None:
                return known  # type: ignore[no-any-return]
            interpreter = self._request.interpreter
            again = f" --python {interpreter.executable}"
            report = examine(
                self.tree, interpreter.target, self._recipes, host=interpreter, again=again
            )
            return report.findings


@dataclass(slots=True)
class _Looker:
    """Looks at one driver after the other."""

    request: RebuildRequest
    audit: _Audit
    stamp: Stamp | None

    def look(self, wanted: Wanted) -> Standing:
        """The driver's state, with the reason for it."""
        interpreter = self.request.interpreter
        if wanted.recipe.distribution is None:
            return self._standard_library(wanted)
        installed = find_installed(interpreter.platlib, wanted.distribution, interpreter.prefix)
        if not installed:
            installed = self._elsewhere(wanted)
        if not installed:
            why = "it is not installed"
            return Standing(wanted=wanted, state=_state(wanted, (), why=why), installed=())
        choices = self.request.choices
        if (
            choices.force
            or choices.from_source
            or not allows(wanted.versions, installed[0].version)
        ):
            # It is replaced whatever it is worth: nothing is gained by trying it.
            state = _state(wanted, installed, healthy=True, why="it is installed")
            return Standing(wanted=wanted, state=state, installed=installed)
        due = self._due(wanted)
        if due is not None:
            why = f"{due.cause}: {due.evidence}"
            return Standing(
                wanted=wanted, state=_state(wanted, installed, why=why), installed=installed
            )
        drift = self._drift(wanted)
        if not drift and self.stamp is not None:
            return self._unchanged(wanted, installed, self.stamp)
        return self._tried(wanted, installed, drift)

    def _standard_library(self, wanted: Wanted) -> Standing:
        """A module that comes with Python: tried where it may have changed, and when forced."""
        forced = self.request.choices.force or self.request.choices.from_source
        if self.stamp is not None and not forced and not self._drift(wanted):
            return self._unchanged(wanted, (), self.stamp)
        return self._tried(wanted, (), "")

    def _unchanged(
        self, wanted: Wanted, installed: tuple[Installed, ...], stamp: Stamp
    ) -> Standing:
        why = "nothing has changed since it was verified"
        return Standing(
            wanted=wanted,
            state=_state(wanted, installed, healthy=True, why=why),
            installed=installed,
            kept=stamp.drivers[wanted.name].verdict,
        )

    def _elsewhere(self, wanted: Wanted) -> tuple[Installed, ...]:
        """An installation in another place of the search path: the user site, the system's."""
        interpreter = self.request.interpreter
        own = os.path.realpath(interpreter.platlib)
        for entry in interpreter.sys_path:
            if os.path.realpath(entry) == own:
                continue
            found = find_installed(Path(entry), wanted.distribution, Path(entry))
            if found:
                return found
        return ()

    def _due(self, wanted: Wanted) -> Finding | None:
        """The finding that makes a rebuild due; None when the audit has nothing against it."""
        for finding in self.audit.findings:
            if normalized(finding.distribution) != wanted.distribution:
                continue
            if finding.cause is Cause.SHADOWED:
                continue
            if finding.severity is Severity.ERROR or (
                finding.cause in _DUE and finding.severity is Severity.WARNING
            ):
                return finding
        return None

    def _drift(self, wanted: Wanted) -> str:
        stamp, interpreter = self.stamp, self.request.interpreter
        if stamp is None or wanted.name not in stamp.drivers:
            return "it was not verified here before"
        drift = place_drift(
            stamp.place,
            executable=interpreter.executable,
            prefix=interpreter.prefix,
            site=interpreter.platlib,
        )
        if drift:
            return drift
        if stamp.place.target != interpreter.target.spec:
            return f"it was verified on {stamp.place.target}, this is {interpreter.target.spec}"
        return driver_drift(
            stamp.drivers[wanted.name],
            interpreter.platlib,
            requirement=wanted.versions,
            recipe_files=recipe_files(wanted.name),
        )

    def _tried(self, wanted: Wanted, installed: tuple[Installed, ...], drift: str) -> Standing:
        """Try a driver that looks whole; the trial has the last word."""
        interpreter = self.request.interpreter
        self.request.on_event(wanted.name, "verify", "trying what is installed", None)
        verdict = verify(wanted.recipe, interpreter)
        hiding = hiding_copies(interpreter, wanted.recipe)
        healthy = is_healthy(verdict, wanted.recipe)
        if not healthy and hiding and self._own_copy_works(wanted):
            # The environment's own copy is whole: the one in front of it is what has to go.
            return Standing(
                wanted=wanted,
                state=_state(wanted, installed, healthy=True, why=f"shadowed by {hiding[0].path}"),
                installed=installed,
                verdict=verdict,
                hiding=hiding,
            )
        if healthy:
            why = f"{drift}; verified now" if drift else "it works"
        else:
            why = f"{verdict.status}: {verdict.reason}" if verdict.reason else verdict.status.value
        return Standing(
            wanted=wanted,
            state=_state(wanted, installed, healthy=healthy, why=why),
            installed=installed,
            verdict=verdict,
            hiding=hiding,
        )

    def _own_copy_works(self, wanted: Wanted) -> bool:
        interpreter = self.request.interpreter
        own = find_installed(interpreter.platlib, wanted.distribution, interpreter.prefix)
        return bool(own) and is_healthy(
            verify(wanted.recipe, interpreter, path=interpreter.platlib), wanted.recipe
        )


def is_healthy(verdict: Verdict, recipe: Recipe) -> bool:
    """Whether a trial came to what the recipe wants; a pure driver answers in pure Python."""
    return verdict.ok or (verdict.status is Status.FALLBACK and recipe.pure is PureKind.ALWAYS)


def _state(
    wanted: Wanted, installed: tuple[Installed, ...], *, healthy: bool = False, why: str
) -> DriverState:
    recipe = wanted.recipe
    version = installed[0].version if installed else ""
    return DriverState(
        driver=wanted.name,
        healthy=healthy,
        why=why,
        installed=version,
        wanted=wanted.versions,
        fits=allows(wanted.versions, version) if version else True,
        stdlib=recipe.distribution is None,
        pure=recipe.pure is PureKind.ALWAYS and not recipe.derived,
        alternative=recipe.alternative or "",
    )


def allows(specifier: str, version: str) -> bool:
    """Whether a version satisfies a specifier set; a version that is none satisfies any."""
    if not specifier:
        return True
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        return SpecifierSet(specifier).contains(Version(version), prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return True


def markers_of(request: RebuildRequest) -> dict[str, str]:
    """The values of PEP 508's markers for the environment that is mended."""
    interpreter = request.interpreter
    darwin = interpreter.target.os == "darwin"
    return {
        "python_version": str(interpreter.abi.version),
        "python_full_version": interpreter.version,
        "implementation_name": interpreter.abi.implementation,
        "sys_platform": "darwin" if darwin else "linux",
        "platform_system": "Darwin" if darwin else "Linux",
        "platform_machine": interpreter.target.arch,
        "os_name": "posix",
    }
