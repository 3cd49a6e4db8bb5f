"""From a driver's state to a wheel in hand: decided, had, audited, stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from buildtools import __version__
from buildtools.environment import normalized
from buildtools.errors import BuildtoolsError, CannotLookError, NoWheelError
from buildtools.findings import Severity
from buildtools.planning import (
    Action,
    Ask,
    DriverState,
    Offer,
    Offers,
    Step,
    decide,
    stand_in,
)
from buildtools.rebuild.request import RebuildRequest
from buildtools.rebuild.selection import Wanted
from buildtools.rebuild.survey import Standing, Survey, allows
from buildtools.recipes import PureKind, Recipe
from buildtools.targets import Target, wheel_tags
from buildtools.wheelhouse import Provenance, StoredWheel, Wheelhouse
from buildtools.wheels import audit

if TYPE_CHECKING:  # a wheel of the wheelhouse does not wait for what fetches and builds
    from buildtools.acquire import AcquiredWheel, Tools, WheelRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Obtained:
    """A decided step and, where something is to be installed, the wheel on disk.

    ``recipe`` is the one to prove it by (the alternative's, for a fallback); ``sha256`` the wheel's
    content; ``stored`` is set for one of the wheelhouse, ``acquired`` for one that was had just
    now; ``error`` why there is none.
    """

    step: Step
    recipe: Recipe
    wheel: Path | None = None
    sha256: str = ""
    stored: StoredWheel | None = None
    acquired: AcquiredWheel | None = None
    error: BuildtoolsError | None = None


_RELEASES = 4
"""How many releases of the index are tried, newest first, when one after the other fails."""


@dataclass(slots=True)
class Refusals:
    """What was tried for one driver and did not do.

    Wheels by content, releases of the index by version, sources by name; each with the words.
    """

    wheels: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def note(self, obtained: Obtained, why: str) -> bool:
        """Write a wheel off; whether there is another way to try."""
        step = obtained.step
        self.wheels[obtained.sha256] = why
        if step.source == "wheelhouse":
            return True
        if step.source != "index":
            return False
        self.versions[step.version] = why
        if len(self.versions) >= _RELEASES:
            self.sources["index"] = why
        return True

    @property
    def said(self) -> str:
        """What did not do, and why, in one line."""
        return "; ".join(f"{version} {why}" for version, why in self.versions.items())


def obtain(
    survey: Survey, standing: Standing, refusals: Refusals, *, dry: bool = False
) -> Obtained:
    """The step for one driver and its wheel; safe to be called from several threads.

    With ``dry`` nothing is fetched or built: the index is only asked. What goes wrong is in the
    result, but for what is no driver's fault.
    """
    return _Obtaining(survey, standing.wanted, standing.state, refusals, dry).run()


def keep_proven(request: RebuildRequest, obtained: Obtained) -> str:
    """Put a wheel that works into the wheelhouse, or note there that it does.

    Gives the words when that cannot be done: the driver is installed all the same.
    """
    house = Wheelhouse(request.wheelhouse)
    target = request.interpreter.target
    try:
        if obtained.acquired is None:
            if obtained.stored is not None:
                house.note_proven(obtained.stored, target)
            return ""
        acquired = obtained.acquired
        provenance = Provenance(
            driver=obtained.recipe.driver,
            target=target.spec,
            python=request.interpreter.abi.abi,
            backend=acquired.backend.value,
            source=acquired.source,
            tool=__version__,
            bundled=acquired.bundled,
            proven=(target.spec,),
        )
        house.add(acquired.path, provenance)
    except (OSError, CannotLookError) as error:
        words = _words(error) if isinstance(error, CannotLookError) else str(error)
        return f"the wheel was not kept in the wheelhouse: {words}"
    return ""


def tools_for(request: RebuildRequest, driver: str) -> Tools:
    """What acquire needs, with its progress told under the driver's name."""
    from buildtools.acquire import Tools

    def on_event(stage: str, detail: str, fraction: float | None) -> None:
        request.on_event(driver, stage, detail, fraction)

    return Tools(python=request.interpreter, offline=request.choices.offline, on_event=on_event)


class _Obtaining:
    """One driver on its way."""

    def __init__(
        self,
        survey: Survey,
        wanted: Wanted,
        state: DriverState,
        refusals: Refusals,
        dry: bool,  # noqa: FBT001 - one module
    ) -> None:
        self._survey = survey
        self._request = survey.request
        self._target = survey.request.interpreter.target
        self._house = Wheelhouse(survey.request.wheelhouse)
        self._wanted = wanted
        self._state = state
        self._refusals = refusals
        self._dry = dry
        self._fetched: AcquiredWheel | None = None
        self._stored: dict[str, StoredWheel] = {}

    def run(self) -> Obtained:
        """Decide, asking what decides, and carry the decision as far as a wheel."""
        offers = self._wheelhouse_offers()
        while True:
            step = decide(self._state, self._request.choices, offers)
            if step is Ask.INDEX:
                offers = replace(offers, index=self._offer("index", self._from_index))
            elif step is Ask.SDIST:
                offers = replace(offers, sdist=self._offer("sdist", self._from_sdist))
            elif isinstance(step, Step):
                said = self._refusals.said
                reason = f"{step.reason}; {said}" if said else step.reason
                return self._carry_on(replace(step, reason=reason))

    @property
    def _versions(self) -> str:
        """The versions that may be taken: the requirements', within the recipe's."""
        refused = [f"!={version}" for version in self._refusals.versions]
        parts = (self._wanted.versions, self._wanted.recipe.versions, *refused)
        return ",".join(part for part in parts if part)

    @property
    def _pinned(self) -> str:
        """The installed version, which stays unless the requirements want another."""
        installed = self._state.installed
        return installed if installed and allows(self._versions, installed) else ""

    def _wheel_request(self) -> WheelRequest:
        from buildtools.acquire import WheelRequest

        return WheelRequest(
            distribution=self._wanted.recipe.distribution or self._wanted.name,
            target=self._target,
            python=self._request.interpreter,
            version=self._pinned or None,
            specifier=self._versions,
            offline=self._request.choices.offline,
        )

    def _wheelhouse_offers(self) -> Offers:
        if self._wanted.recipe.distribution is None:
            return Offers()
        exact = self._stored_offer(f"=={self._pinned}" if self._pinned else self._versions)
        relaxed = self._stored_offer(self._versions) if self._pinned else None
        return Offers(wheelhouse=exact, relaxed=relaxed, missing=self._missing_wheel())

    def _stored_offer(self, specifier: str) -> Offer | None:
        needs_native = any(module.required for module in self._wanted.recipe.native)
        for stored in self._house.find(self._wanted.distribution, self._target, specifier):
            pure = all(tag.endswith("-any") for tag in stored.name.tags)
            if stored.sha256 in self._refusals.wheels or (pure and needs_native):
                continue
            self._stored[stored.sha256] = stored
            return Offer(version=stored.version, sha256=stored.sha256)
        return None

    def _missing_wheel(self) -> str:
        """The wheel that would do, as its file would be named."""
        name = self._wanted.distribution.replace("-", "_")
        if self._wanted.recipe.pure is PureKind.ALWAYS:
            return f"{name}-{self._pinned or '*'}-py3-none-any.whl"
        tags = [tag for tag in wheel_tags(self._target) if not tag[2].startswith("linux_")]
        wanted = f" (versions {self._versions})" if self._versions and not self._pinned else ""
        return f"{name}-{self._pinned or '*'}-{'-'.join(tags[0])}.whl, or one for less{wanted}"

    def _offer(self, source: str, ask: Callable[[], Offer]) -> Offer:
        """Ask a source unless it was written off; no wheel is an answer, not an error."""
        if source in self._refusals.sources:
            return Offer(refused=self._refusals.sources[source])
        try:
            return ask()
        except NoWheelError as error:
            return Offer(refused=_words(error))

    def _from_index(self) -> Offer:
        from buildtools.acquire import fetch, resolve

        request = self._wheel_request()
        if self._dry:
            candidate = resolve(
                request, tools_for(self._request, self._wanted.name), recipe=self._wanted.recipe
            )
            return Offer(version=candidate.version, sha256=candidate.sha256)
        self._fetched = fetch(
            request, tools_for(self._request, self._wanted.name), recipe=self._wanted.recipe
        )
        return Offer(version=self._fetched.version, sha256=self._fetched.sha256)

    def _from_sdist(self) -> Offer:
        if not self._dry:
            return Offer(version=self._pinned)  # the build itself finds out
        from buildtools.acquire import resolve_sdist

        candidate = resolve_sdist(
            self._wheel_request(), tools_for(self._request, self._wanted.name)
        )
        return Offer(version=candidate.version)

    def _carry_on(self, step: Step) -> Obtained:  # noqa: PLR0911 - one per kind of step
        recipe = self._wanted.recipe
        if self._dry or step.action in {Action.KEEP, Action.NONE}:
            return Obtained(step=step, recipe=recipe)
        if step.action is Action.FALLBACK:
            return self._stand_in(step)
        if step.source == "wheelhouse":
            return self._from_wheelhouse(step)
        try:
            if step.action is Action.BUILD:
                from buildtools.acquire import build

                self._fetched = build(
                    self._wheel_request(), recipe, tools_for(self._request, self._wanted.name)
                )
            if self._fetched is None:
                raise CannotLookError("no wheel was had", where=self._wanted.name)
            return self._checked(step, self._fetched)
        except NoWheelError as error:
            if step.action is not Action.BUILD:
                return Obtained(step=step, recipe=recipe, error=error)
            other = stand_in(self._state, self._request.choices, f"{step.reason}; {_words(error)}")
            if other.action is Action.FALLBACK:
                return self._carry_on(other)
            return Obtained(step=step, recipe=recipe, error=error)

    def _from_wheelhouse(self, step: Step) -> Obtained:
        stored = self._stored[step.sha256]
        tried = self._target.spec in stored.provenance.proven
        why = "" if tried else _objections(stored.path, self._target, self._wanted.recipe)
        if why:
            self._refusals.wheels[stored.sha256] = why
            return self.run()
        return Obtained(
            step=step,
            recipe=self._wanted.recipe,
            wheel=stored.path,
            sha256=stored.sha256,
            stored=stored,
        )

    def _checked(self, step: Step, acquired: AcquiredWheel) -> Obtained:
        """A wheel that was had just now: audited before it is trusted, then stored."""
        recipe = self._wanted.recipe
        self._request.on_event(self._wanted.name, "audit", acquired.path.name, None)
        why = _objections(acquired.path, self._target, recipe)
        step = replace(step, version=acquired.version, sha256=acquired.sha256)
        if why:
            self._refusals.sources[step.source] = f"{acquired.path.name}: {why}"
            if step.source == "index":
                return self.run()
            raise NoWheelError("the wheel that was built is refused", where=step.driver, why=why)
        if acquired.sha256 in self._refusals.wheels:  # the wheelhouse had it too
            self._refusals.versions[acquired.version] = self._refusals.wheels[acquired.sha256]
            return self.run()
        return Obtained(
            step=step,
            recipe=recipe,
            wheel=acquired.path,
            sha256=acquired.sha256,
            acquired=acquired,
        )

    def _stand_in(self, step: Step) -> Obtained:
        """The alternative's wheel, unless it is there already or belongs to the Python."""
        recipe = self._survey.recipes[step.instead]
        if recipe.distribution is None:
            return Obtained(step=step, recipe=recipe)
        versions = self._survey.requirements.specifiers.get(normalized(recipe.distribution), "")
        state = DriverState(
            driver=step.instead, healthy=False, why=step.reason, wanted=versions, pure=True
        )
        wanted = Wanted(recipe=recipe, versions=versions)
        other = _Obtaining(self._survey, wanted, state, Refusals(), self._dry).run()
        return replace(
            other,
            step=replace(
                step,
                version=other.step.version,
                sha256=other.step.sha256,
                source=other.step.source or step.source,
            ),
            error=other.error or _nothing(other),
        )


def _nothing(obtained: Obtained) -> BuildtoolsError | None:
    if obtained.wheel is not None:
        return None
    return NoWheelError(obtained.step.reason, where=obtained.recipe.driver)


def _objections(path: Path, target: Target, recipe: Recipe) -> str:
    """What the audit has against a wheel; empty when it may be trusted."""
    try:
        found = audit(path, target, recipe)
    except CannotLookError as error:
        return _words(error)
    errors = [one for one in found if one.severity is Severity.ERROR]
    return "; ".join(f"{one.cause}: {one.evidence}" for one in errors[:3])


def _words(error: BuildtoolsError) -> str:
    """An error in one line."""
    why = error.why.strip().splitlines()
    return f"{error.what}: {why[-1]}" if why else error.what
