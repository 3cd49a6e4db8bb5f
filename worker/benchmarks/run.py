"""The worker's speeds, each beside its peer in the same run, as one table.

    nox -s bench                            everything, the toolchain's included
    nox -s bench -- worker                  every line of the worker
    nox -s bench -- connect bare            these lines

Servers and peers are started here, fetched by npm and Maven into a temporary folder, and gone
afterwards. Nothing is asserted: a timing is no test. Needs node, npm, java and mvn for its lines.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).parents[1] / "tests")]

import stores
import whole_path
from figures import Figure, table

BATCHES = 100
BACKLOG = 100_000
GROWN = 5_000_000


def _in_folder(measure: Callable[[Path, int], list[Figure]]) -> Callable[[int, int], list[Figure]]:
    def measured(count: int, _grown: int) -> list[Figure]:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            return measure(Path(folder), count)

    return measured


LINES: dict[str, Callable[[int, int], list[Figure]]] = {
    "kafkajs": _in_folder(whole_path.kafkajs),
    "connect": _in_folder(whole_path.kafka_connect),
    "bare": lambda count, _: stores.bare(max(count // 1000, 2)),
    "mixed": lambda count, _: stores.mixed(max(count // 1000, 2)),
    "sqlite": lambda count, _: stores.sqlite(max(count // 1000, 2)),
    "flat": lambda count, grown: stores.flat(grown, max(count // 2000, 2)),
}


def main() -> int:
    """Measure the lines that are named, or all."""
    words = argparse.ArgumentParser(description="The worker's speeds beside their peers.")
    words.add_argument("line", nargs="*", help=f"of {', '.join(LINES)}; none: all")
    words.add_argument("--operations", type=int, default=BACKLOG, help="of each line")
    words.add_argument("--grown", type=int, default=GROWN, help="rows of the large table")
    chosen = words.parse_args()
    if unknown := [one for one in chosen.line if one not in LINES]:
        words.error(f"no line {unknown[0]!r}: there are {', '.join(LINES)}")
    figures: list[Figure] = []
    for name in chosen.line or LINES:
        print(f"measuring {name}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
        found = LINES[name](chosen.operations, chosen.grown)
        print(table(found), file=sys.stderr, flush=True)
        figures += found
    print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
