"""``verify --target``: a wheel tried on the own Python of a target that is not this machine.

The wheel is the wheelhouse's; the Python is the target's, under an emulator or its own loader.
Where nothing here runs it (macOS), its modules are read against the target, and that is said.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from buildtools.acquire import AcquireError, Tools
from buildtools.configuration import Configuration
from buildtools.deploy.matrix import runner_job
from buildtools.errors import CannotLookError
from buildtools.findings import Severity
from buildtools.host import Interpreter, interpreter_of
from buildtools.probes import Check, Dsn, Status, Verdict, verify
from buildtools.proving import NoPlaceError, Place, Proven, find_place, laid_out, trial
from buildtools.recipes import Recipe, find_recipe
from buildtools.report import Screen
from buildtools.targets import Target
from buildtools.wheelhouse import StoredWheel, Wheelhouse
from buildtools.wheels import audit


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A verdict, how far it goes (empty when nothing was there to look at), and how."""

    verdict: Verdict
    verified: str = ""
    how: str = ""

    def as_json(self) -> dict[str, object]:
        """One entry of ``drivers`` in the document of ``verify``."""
        return {**self.verdict.as_json(), "verified": self.verified}


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """Trials of one target from this machine; ``own`` is the interpreter that runs this tool."""

    target: Target
    own: Interpreter
    house: Wheelhouse
    screen: Screen
    place: Place | None
    why: str = ""

    @classmethod
    def open(
        cls,
        target: Target,
        own: Interpreter,
        house: Wheelhouse,
        screen: Screen,
        *,
        secure: bool = False,
    ) -> Foreign:
        """Find where the target's binaries run; where nowhere, ``why`` says the reason.

        ``secure`` asks for a Python with ``ssl`` where one has to be compiled.
        """

        def tell(stage: str, detail: str, fraction: float | None) -> None:
            screen.event(target.spec, stage, detail, fraction)

        python = (interpreter_of(target.python) if target.python else None) or own
        place, why = None, ""
        try:
            place = find_place(target, python, Tools(python=python, on_event=tell), secure=secure)
        except NoPlaceError as error:
            why = error.what
        return cls(target=target, own=python, house=house, screen=screen, place=place, why=why)

    def chosen(
        self, names: Sequence[str], recipes: Mapping[str, Recipe], configuration: Configuration
    ) -> tuple[Recipe, ...]:
        """The drivers that were named, else configured, else those that there is a wheel of.

        Raises :class:`CannotLookError` for one without a recipe.
        """
        asked = names or configuration.drivers
        if not asked:
            held = {one.name.distribution for one in self.house.wheels()}
            return tuple(
                recipe
                for recipe in recipes.values()
                if recipe.distribution is None or recipe.distribution.lower() in held
            )
        found = []
        for name in asked:
            recipe = find_recipe(recipes, name)
            if recipe is None:
                raise CannotLookError(
                    f"there is no recipe of {name}", next_step="name one of " + ", ".join(recipes)
                )
            found.append(recipe)
        return tuple(found)

    def told(self, recipe: Recipe, dsn: Dsn | None, versions: str) -> Told:
        """Try one driver as far as can be from here."""
        label = f"{recipe.driver} {self.target.spec}"
        self.screen.event(label, "trying", self.place.how if self.place else "")
        told = self._told(recipe, dsn, versions)
        ended = f"{told.verified} {told.how}".strip() or told.verdict.reason
        self.screen.event(label, told.verdict.status.value, ended, 1.0)
        return told

    def _told(self, recipe: Recipe, dsn: Dsn | None, versions: str) -> Told:
        if recipe.distribution is None:
            return self._standard(recipe)
        found = self.house.find(recipe.distribution, self.target, versions)
        if not found:
            wheel = f"{recipe.driver} --target {self.target.spec}"
            why = f"no wheel of it for {self.target.spec} is in {self.house.root}: buildtools wheel"
            return Told(verdict=_verdict(recipe, Status.ABSENT, reason=f"{why} {wheel}"))
        if self.place is None:
            return self._read(recipe, found[0])
        return self._tried(recipe, found[0], self.place, dsn)

    def _standard(self, recipe: Recipe) -> Told:
        """A module of the standard library: it comes with the target's Python."""
        if self.place is None:
            return Told(verdict=_verdict(recipe, Status.ABSENT, reason=self.why))
        if recipe.driver in self.place.lacks:
            why = f"the Python at hand {self.place.how} came without it"
            return Told(verdict=_verdict(recipe, Status.ABSENT, reason=why))
        verdict = verify(
            recipe,
            self.place.interpreter,
            timeout=self.place.timeout,
            prefix=self.place.prefix,
            environment=self.place.environment,
        )
        return Told(verdict=verdict, verified=Proven.EXECUTED.value, how=self.place.how)

    def _tried(self, recipe: Recipe, wheel: StoredWheel, place: Place, dsn: Dsn | None) -> Told:
        tools = Tools(python=self.own)
        try:
            with laid_out(wheel.path, place, self.own, tools) as folder:
                verdict = trial(recipe, place, folder, dsn=dsn)
        except AcquireError as error:
            reason = f"{error.what}: {error.why}"
            return Told(verdict=_verdict(recipe, Status.FAILED, reason=reason))
        if verdict.ok:
            self.house.note_proven(wheel, place.interpreter.target)
        verdict = replace(verdict, path=_inside(verdict.path, wheel))
        return Told(verdict=verdict, verified=Proven.EXECUTED.value, how=place.how)

    def _read(self, recipe: Recipe, wheel: StoredWheel) -> Told:
        """Hold every module of the wheel against the target; nothing of it is run."""
        started = time.monotonic()
        errors = [
            f"{one.cause}: {one.evidence}"
            for one in audit(wheel.path, self.target, recipe)
            if one.severity is Severity.ERROR
        ]
        check = Check(name="read against the target", ok=not errors, detail="; ".join(errors))
        job = runner_job(self.target)
        unrun = f"not run: {self.why}" + (f"; the job {job} runs it" if job else "")
        verdict = replace(
            _verdict(
                recipe,
                Status.FAILED if errors else Status.OK,
                reason="; ".join([*errors, unrun]),
            ),
            version=wheel.version,
            path=str(wheel.path),
            checks=(check,),
            seconds=time.monotonic() - started,
        )
        return Told(verdict=verdict, verified=Proven.STATIC.value, how=unrun)


def _verdict(recipe: Recipe, status: Status, *, reason: str) -> Verdict:
    return Verdict(
        driver=recipe.driver,
        distribution=recipe.distribution,
        version=None,
        status=status,
        reason=reason,
    )


def _inside(path: str | None, wheel: StoredWheel) -> str | None:
    """The loaded file as a name inside the wheel: the folder that it lay in is gone by now."""
    if path is None:
        return None
    head, folder, inside = path.partition("/buildtools-wheel-")
    return f"{wheel.path}!{inside.partition('/')[2]}" if folder and head else path
