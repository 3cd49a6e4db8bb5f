"""One line of the table, and the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Operations a second of ours and of the peer's; ``at_least`` bounds ours / peer's."""

    work: str
    ours: float
    peer: str
    theirs: float
    at_least: float

    @property
    def ratio(self) -> float:
        """How many times as fast as the peer."""
        return self.ours / self.theirs

    def cells(self) -> tuple[str, ...]:
        """The line of the table."""
        shown = _shown(self.ratio, self.at_least)
        holds = "yes" if self.ratio >= self.at_least else "NO"
        asked = ">= " + _shown(self.at_least, self.at_least)
        ours, theirs = f"{self.ours:,.0f}/s", f"{self.theirs:,.0f}/s"
        return self.work, ours, self.peer, theirs, asked, shown, holds


def _shown(ratio: float, bound: float) -> str:
    return f"{ratio:.1f}x" if bound > 1 else f"{100 * ratio:.1f} %"


HEAD = ("work", "ours", "peer", "peer's", "asked", "measured", "holds")


def table(figures: Sequence[Figure]) -> str:
    """Columns as wide as they must be."""
    lines = [HEAD, *(one.cells() for one in figures)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
