"""What a rebuild would do, and why: values in, a plan out.

What costs time to know (the index) is asked for only when the answer decides: :func:`decide` gives
either a :class:`Step` or an :class:`Ask`, and is called again with the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What happens to one driver: nothing to do, take a wheel, make one, stand in, or give up."""

    KEEP = "keep"
    FETCH = "fetch"
    BUILD = "build"
    FALLBACK = "fallback"
    NONE = "none"


class Ask(StrEnum):
    """What has to be known before a step can be decided."""

    INDEX = "index"
    SDIST = "sdist"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One driver's step.

    ``source`` says where the wheel comes from: ``installed``, ``wheelhouse``, ``index``, ``sdist``
    or ``stdlib``; ``sha256`` is set as soon as the wheel is known. ``instead`` is the driver that
    stands in, for a fallback.
    """

    driver: str
    action: Action
    reason: str
    version: str = ""
    source: str = ""
    sha256: str = ""
    instead: str = ""

    def as_json(self) -> dict[str, object]:
        """One entry of ``steps`` of the contract."""
        return {
            "driver": self.driver,
            "action": self.action.value,
            "reason": self.reason,
            "version": self.version or None,
            "source": self.source or None,
            "sha256": self.sha256 or None,
            "instead": self.instead or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps, in the order in which they are carried out."""

    steps: tuple[Step, ...]

    @property
    def nothing_due(self) -> bool:
        """Whether every driver is kept as it is."""
        return all(step.action is Action.KEEP for step in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverState:
    """How one driver stands in the environment.

    ``installed`` is its version, empty where it is not; ``healthy`` that nothing is due, ``why``
    the words for either. ``wanted`` is the specifier that the project's requirements give;
    ``fits`` whether the installed version satisfies it. ``stdlib`` is a module that comes with its
    Python; ``pure`` a driver that has no native part. ``alternative`` may stand in for it.
    """

    driver: str
    healthy: bool
    why: str
    installed: str = ""
    wanted: str = ""
    fits: bool = True
    stdlib: bool = False
    pure: bool = False
    alternative: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What was asked for on the command line."""

    force: bool = False
    from_source: bool = False
    offline: bool = False
    allow_fallback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A wheel, or a source archive, that could be had; ``refused`` says why there is none."""

    version: str = ""
    sha256: str = ""
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What is known to be had; None where it was not asked.

    ``wheelhouse`` is the stored wheel of the version that is asked for, ``relaxed`` one of another
    version that the requirements allow. Each is None when there is none.
    """

    wheelhouse: Offer | None = None
    relaxed: Offer | None = None
    index: Offer | None = None
    sdist: Offer | None = None
    missing: str = ""
    """The wheel that would be needed, by name and tags, for the words of an error."""


def decide(  # noqa: PLR0911 - one return per rung of the ladder
    state: DriverState, choices: Choices, offers: Offers
) -> Step | Ask:
    """The step of one driver, or what has to be asked first.

    Keep what is healthy; else a wheel of the wheelhouse; else one of the index; else a build; else
    the driver that stands in, where that is allowed.
    """
    if state.stdlib:
        return _stdlib(state)
    if state.healthy and state.fits and not (choices.force or choices.from_source):
        return Step(
            driver=state.driver,
            action=Action.KEEP,
            reason=state.why,
            version=state.installed,
            source="installed",
        )
    due = _due(state, choices)
    # A build that was asked for is made anew: a stored wheel may be the one that is not wanted.
    if not choices.from_source and offers.wheelhouse is not None:
        return _fetch(state, due, "wheelhouse", offers.wheelhouse)
    if choices.offline:
        return _offline(state, due, offers)
    if not choices.from_source:
        if offers.index is None:
            return Ask.INDEX
        if not offers.index.refused:
            return _fetch(state, due, "index", offers.index)
    return _build(state, choices, due, offers)


def _due(state: DriverState, choices: Choices) -> str:
    """Why something is done, in words."""
    if not state.healthy:
        return state.why
    if not state.fits:
        return f"{state.installed} is installed, the requirements want {state.wanted}"
    return "a build from source was asked for" if choices.from_source else "forced"


def _stdlib(state: DriverState) -> Step:
    return Step(
        driver=state.driver,
        action=Action.KEEP if state.healthy else Action.NONE,
        reason=state.why
        if state.healthy
        else f"{state.why}; it belongs to the Python itself: install a Python with SQLite, or use "
        "pysqlite3",
        version=state.installed,
        source="stdlib",
    )


def _fetch(state: DriverState, due: str, source: str, offer: Offer) -> Step:
    return Step(
        driver=state.driver,
        action=Action.FETCH,
        reason=due,
        version=offer.version,
        source=source,
        sha256=offer.sha256,
    )


def _offline(state: DriverState, due: str, offers: Offers) -> Step:
    if offers.relaxed is not None:
        reason = f"{due}; offline, and of the wheelhouse's wheels this is the one that fits"
        return _fetch(state, reason, "wheelhouse", offers.relaxed)
    return Step(
        driver=state.driver,
        action=Action.NONE,
        reason=f"{due}; offline, and the wheelhouse has no {offers.missing}",
    )


def _build(state: DriverState, choices: Choices, due: str, offers: Offers) -> Step | Ask:
    no_wheel = offers.index.refused if offers.index is not None else ""
    if state.pure and no_wheel:
        return Step(driver=state.driver, action=Action.NONE, reason=f"{due}; {no_wheel}")
    if offers.sdist is None:
        return Ask.SDIST
    reason = f"{due}; {no_wheel}" if no_wheel else due
    if not offers.sdist.refused:
        return Step(
            driver=state.driver,
            action=Action.BUILD,
            reason=reason,
            version=offers.sdist.version,
            source="sdist",
        )
    if offers.relaxed is not None and not choices.from_source:
        return _fetch(state, f"{reason}; {offers.sdist.refused}", "wheelhouse", offers.relaxed)
    return stand_in(state, choices, f"{reason}; {offers.sdist.refused}")


def stand_in(state: DriverState, choices: Choices, reason: str) -> Step:
    """The step when the driver itself cannot be had: its alternative where allowed, else none."""
    if choices.allow_fallback and state.alternative:
        return Step(
            driver=state.driver,
            action=Action.FALLBACK,
            reason=reason,
            instead=state.alternative,
            source="index",
        )
    hint = f" ({state.alternative} could stand in: --allow-fallback)" if state.alternative else ""
    return Step(driver=state.driver, action=Action.NONE, reason=f"{reason}{hint}")
