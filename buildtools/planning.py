"""What a rebuild would do, and why: values in, a plan out."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One driver's step.

    ``source`` says where the wheel comes from: ``installed``, ``wheelhouse``, ``index``, ``sdist``
    or ``stdlib``; ``sha256`` is set as soon as the wheel is known.
    """

    driver: str
    action: Action
    reason: str
    version: str = ""
    source: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps, in the order in which they are carried out."""

    steps: tuple[Step, ...]

    @property
    def nothing_due(self) -> bool:
        """Whether every driver is kept as it is."""
        return all(step.action is Action.KEEP for step in self.steps)
