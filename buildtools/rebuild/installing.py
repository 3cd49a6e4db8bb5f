"""A wheel in hand brought into the environment: staged, proven, swapped in, proven again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from buildtools.errors import BuildtoolsError, ExitCode, InstallFailedError
from buildtools.install import Installation, Journal, SetAside, Staged, set_aside
from buildtools.planning import Action
from buildtools.probes import Verdict, verify
from buildtools.rebuild.dependencies import add_missing
from buildtools.rebuild.obtaining import Obtained
from buildtools.rebuild.request import Ending, RebuildRequest, StepOutcome
from buildtools.rebuild.selection import derive_from_wheel
from buildtools.rebuild.shadows import HidingPlace, hiding_copies, is_shared
from buildtools.rebuild.survey import is_healthy
from buildtools.recipes import Recipe, find_recipe, load_recipes
from buildtools.wheels import OpenWheel


class ProofFailedError(InstallFailedError):
    """A wheel that was audited and does not work; nothing of it was left installed."""

    def __init__(self, driver: str, verdict: Verdict, where: str) -> None:
        super().__init__(
            f"{driver} does not work: {verdict.status}",
            where=where,
            why=verdict.reason or verdict.trace,
            next_step=f"buildtools explain reads the whole trace; rebuild {driver} --from-source",
        )
        self.verdict = verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What is in force now, and the trial of it from its real place.

    ``added`` are the distributions that came with it because it requires them.
    """

    verdict: Verdict
    recipe: Recipe
    added: tuple[str, ...] = ()


class Installer:
    """Installs into one environment whose lock is held."""

    def __init__(self, request: RebuildRequest, installation: Installation) -> None:
        self._request = request
        self._interpreter = request.interpreter
        self._installation = installation

    def install(self, obtained: Obtained) -> Installed:
        """Install one wheel.

        What it requires and the environment lacks is added first. Raises
        :class:`ProofFailedError` when it does not work, staged or in place, and
        :class:`InstallFailedError` when it cannot be written; the old one is then in its place.
        """
        if obtained.wheel is None:
            raise InstallFailedError("there is no wheel to install", where=obtained.step.driver)
        driver = obtained.step.driver
        recipe = _provable(obtained.recipe, obtained.wheel)
        added = add_missing(self._request, self._installation, obtained.wheel, driver)
        self._request.on_event(driver, "install", f"writing {obtained.wheel.name}", None)
        with self._installation.stage(obtained.wheel, name=recipe.driver) as staged:
            self._require_same(staged, obtained)
            self._request.on_event(driver, "verify", "trying the staged copy", None)
            self._prove(recipe, staged.path, driver)
            self._request.on_event(driver, "install", "swapping it in", None)
            staged.commit()
            site = self._installation.scheme.site
            hidden = bool(hiding_copies(self._interpreter, recipe))
            try:
                verdict = self._prove(recipe, site, driver, first=hidden)
            except BaseException:
                staged.roll_back()
                raise
            staged.finish()
        return Installed(verdict=verdict, recipe=recipe, added=added)

    def _require_same(self, staged: Staged, obtained: Obtained) -> None:
        if staged.wheel.sha256 != obtained.sha256:
            raise InstallFailedError(
                "hash-mismatch: the wheel is not the one that was audited",
                where=str(obtained.wheel),
                why=f"sha256 {staged.wheel.sha256}, expected {obtained.sha256}",
                next_step="buildtools wheelhouse check",
            )

    def _prove(self, recipe: Recipe, folder: Path, driver: str, *, first: bool = True) -> Verdict:
        """Try what lies in ``folder``; with ``first`` it is searched before everything else."""
        verdict = verify(recipe, self._interpreter, path=folder if first else None)
        if not is_healthy(verdict, recipe):
            raise ProofFailedError(driver, verdict, str(folder))
        return verdict


def prove_recovered(request: RebuildRequest, journal: Journal) -> bool:
    """Whether what an earlier process was cut off from installing works in its place."""
    recipe = find_recipe(load_recipes(), journal.name)
    if recipe is None:
        return True  # proven before the cut; without a recipe nothing more can be said here
    site = request.interpreter.platlib
    return is_healthy(verify(recipe, request.interpreter, path=site), recipe)


def unhide(
    request: RebuildRequest, recipe: Recipe, verdict: Verdict
) -> tuple[Verdict, tuple[str, ...], bool]:
    """Deal with copies in front of the environment's own, which works.

    A copy in the user site that does not work is moved aside and kept; of others it is said where
    they are. Gives the verdict of what an application imports now, notes, and whether that is well.
    """
    hiding = hiding_copies(request.interpreter, recipe)
    if not hiding:
        return verdict, (), True
    now = verify(recipe, request.interpreter)
    if is_healthy(now, recipe):
        copy = hiding[0]
        return now, (f"{copy.path} ({copy.place}) hides the one installed here; it works",), True
    notes: list[str] = []
    moved: list[SetAside] = []
    for copy in hiding:
        if copy.place is not HidingPlace.USER_SITE or is_shared(copy, recipe):
            notes.append(f"shadowed: {copy.path} is imported instead; {copy.advice}")
            continue
        request.on_event(recipe.driver, "install", f"moving {copy.path} aside", None)
        aside = set_aside(copy.folder, copy.entries, recipe.driver)
        moved.append(aside)
        notes.append(f"{copy.path} hid the good one and did not work; it is kept in {aside.backup}")
    if moved:
        now = verify(recipe, request.interpreter)
    return now, tuple(notes), is_healthy(now, recipe)


def failed(obtained: Obtained, error: BuildtoolsError, started: float) -> StepOutcome:
    """The outcome of a step that did not work."""
    rolled_back = isinstance(error, InstallFailedError)
    return StepOutcome(
        step=obtained.step,
        ending=Ending.ROLLED_BACK if rolled_back else Ending.FAILED,
        code=error.exit_code,
        wheel=obtained.wheel.name if obtained.wheel else "",
        seconds=time.monotonic() - started,
        error=str(error),
    )


def succeeded(
    obtained: Obtained, notes: tuple[str, ...], started: float, *, well: bool
) -> StepOutcome:
    """The outcome of a step that installed something."""
    stood_in = obtained.step.action is Action.FALLBACK
    return StepOutcome(
        step=obtained.step,
        ending=Ending.STOOD_IN if stood_in else Ending.INSTALLED,
        code=ExitCode.OK if well else ExitCode.NO,
        wheel=obtained.wheel.name if obtained.wheel else "",
        seconds=time.monotonic() - started,
        notes=notes,
    )


def _provable(recipe: Recipe, wheel: Path) -> Recipe:
    """The recipe; for a derived one without imports, derived anew from the wheel."""
    if not recipe.derived or recipe.imports:
        return recipe
    with OpenWheel(wheel) as opened:
        return derive_from_wheel(recipe.driver, opened)
