"""What ``explain`` gives: a cause, how sure it is of it, the lines that say so, and the way out."""

from __future__ import annotations

from dataclasses import dataclass

from buildtools.findings import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One line of the text: its number, from 1, and its words without colour or credentials."""

    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The answer for one text.

    ``confidence`` runs from 0 to 1; 0.8 and above means that the text can hardly be read another
    way. ``commands`` are for the platform in the text, best first; ``also`` are causes that the
    text shows besides, likeliest first; ``rule`` is the id of the rule that decided, empty when
    none did.
    """

    cause: Cause
    confidence: float
    evidence: tuple[Evidence, ...] = ()
    explanation: str = ""
    remedy: str = ""
    commands: tuple[str, ...] = ()
    also: tuple[Cause, ...] = ()
    rule: str = ""

    @property
    def known(self) -> bool:
        """Whether a cause was found."""
        return self.cause is not Cause.UNKNOWN
