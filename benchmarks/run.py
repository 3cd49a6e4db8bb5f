"""Every speed as a ratio against its named peer, measured in one run, printed as one table.

    nox -s bench
    nox -s bench -- doctor rebuild
    nox -s bench -- wheels      # minutes, and the network: only when it is named
    nox -s bench -- targets     # of wheels, the row of several targets at once
    nox -s bench -- stack       # minutes, and root for the containers: only when it is named

Each module here has ``measure()``, which gives ratios, or spreads where nobody else does the work;
nothing is asserted: a timing is no test.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from benchmarks.ratios import Ratio, Spread
from buildtools.report import Screen

MODULES = ("binaries", "doctor", "rebuild", "startup", "explain", "deploy")


def main(words: Sequence[str]) -> int:
    """Run the named benchmarks, or all of them."""
    screen = Screen()
    rows: list[Ratio | Spread] = []
    for name in words or MODULES:
        screen.log(f"measuring {name}")
        rows += importlib.import_module(f"benchmarks.bench_{name}").measure()
    for kind in (Ratio, Spread):
        if cells := [row.cells() for row in rows if isinstance(row, kind)]:
            screen.table(kind.COLUMNS, cells)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
