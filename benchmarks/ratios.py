"""One measured ratio or spread, and how commands and functions are timed against each other."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Seconds of ours and of the peer's, and the bound that was asked for.

    ``at_most`` bounds ours / peer's; ``at_least`` bounds peer's / ours (how many times faster).
    Without a peer ``at_most`` bounds our seconds themselves. With a peer and no bound the row only
    tells: nothing was asked.
    """

    COLUMNS: ClassVar = ("work", "ours", "peer", "peer's", "ratio", "asked", "holds")

    work: str
    ours: float
    peer: str = ""
    theirs: float = 0.0
    at_most: float | None = None
    at_least: float | None = None

    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        ours, theirs = _shown(self.ours), _shown(self.theirs) if self.peer else ""
        if not self.peer:
            bound = self.at_most or 0.0
            holds = self.ours <= bound
            return (self.work, ours, "", "", "", f"<= {bound:g} s", "yes" if holds else "NO")
        if self.at_least is not None:
            times = self.theirs / self.ours
            shown, asked = f"{times:.1f}x faster", f">= {self.at_least:g}x"
            holds = times >= self.at_least
        elif self.at_most is not None:
            times = self.ours / self.theirs
            shown, asked = f"{times:.2f}", f"<= {self.at_most:g}"
            holds = times <= self.at_most
        else:
            shown = f"{self.ours / self.theirs:.2f}"
            return (self.work, ours, self.peer, theirs, shown, "", "")
        return (self.work, ours, self.peer, theirs, shown, asked, "yes" if holds else "NO")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Seconds of several rounds, and the bound on the longest that was asked for, if one was."""

    COLUMNS: ClassVar = ("work", "least", "median", "most", "asked", "holds")

    work: str
    seconds: Sequence[float]
    at_most: float | None = None

    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        most = max(self.seconds)
        spread = (min(self.seconds), statistics.median(self.seconds), most)
        shown = tuple(f"{one:.2f} s" for one in spread)
        if self.at_most is None:
            return (self.work, *shown, "", "")
        return (
            self.work,
            *shown,
            f"<= {self.at_most:g} s",
            "yes" if most <= self.at_most else "NO",
        )


def _shown(seconds: float) -> str:
    return f"{seconds:.3f} s" if seconds >= 0.01 else f"{seconds * 1e6:.0f} us"  # noqa: PLR2004


def paired(
    ours: Callable[[], object], theirs: Callable[[], object], runs: int = 7
) -> tuple[float, float]:
    """Median seconds of both, run in turn after one warm-up each, so that drift hits both."""
    ours()
    theirs()
    mine: list[float] = []
    peers: list[float] = []
    for _ in range(runs):
        for run, into in ((ours, mine), (theirs, peers)):
            started = time.perf_counter()
            run()
            into.append(time.perf_counter() - started)
    return statistics.median(mine), statistics.median(peers)


def as_installed() -> dict[str, str]:
    """The environment in which Python keeps the modules that it compiled, as an install does.

    Pip compiles what it installs. Where ``PYTHONDONTWRITEBYTECODE`` is set, a checkout would be
    compiled anew at each start, and held against a peer that is not.
    """
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def command(words: Sequence[str | Path], *, cwd: Path | None = None) -> Callable[[], object]:
    """A command as something to time; its output is thrown away and it must succeed."""
    return lambda: subprocess.run(
        words,
        cwd=cwd,
        env=as_installed(),
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
