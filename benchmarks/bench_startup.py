"""What the command itself costs: ``buildtools --version`` against a bare Python."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.ratios import Ratio, command, paired


def measure() -> list[Ratio]:
    """One row."""
    python = Path(sys.executable)
    ours, theirs = paired(
        command([python.with_name("buildtools"), "--version"]),
        command([python, "-c", "pass"]),
        runs=21,
    )
    return [
        Ratio(
            work="buildtools --version",
            ours=ours,
            peer="python -c pass",
            theirs=theirs,
            at_most=3.0,
        )
    ]
