"""The development stack from nothing: how soon it is ready, and how soon ``wait`` says so.

    nox -s bench -- stack                                    all four, 3 rounds each: minutes
    STACK_ROUNDS=10 python -m benchmarks.bench_stack process kraft
    STACK_ROUNDS=10 python -m benchmarks.bench_stack docker zookeeper

Each round has a project, data and ports of its own. The clients that it is held against try from
the start on, every 20 ms. Containers need root and Debian's dockerd, and run images made here.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.first_clients import Moment, join, produce, trying
from benchmarks.ratios import Spread
from buildtools.report import Screen
from tests.integration.docker_engine import Dockerd, dockerd
from tests.integration.docker_images import VARIABLES, make_images
from tests.integration.stack_project import TOPIC, Project, first_join, first_produce

ENGINES = ("process", "docker")
MODES = ("zookeeper", "kraft")
READY_SECONDS, LATE_SECONDS = 15.0, 0.5
"""What is asked: from nothing to ready, and ``wait`` after the first produce that could succeed."""
_LONGEST = 120.0
_GROUP = "database-writer-group"


@dataclass(slots=True)
class _Rounds:
    whole: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    later: list[float] = field(default_factory=list)
    succeeded: int = 0


def measure() -> list[Spread]:
    """Every engine in both modes."""
    return _measure(ENGINES, MODES, int(os.environ.get("STACK_ROUNDS", "3")))


def _measure(engines: Sequence[str], modes: Sequence[str], rounds: int) -> list[Spread]:
    rows: list[Spread] = []
    for engine in engines:
        with dockerd() if engine == "docker" else nullcontext() as runs:
            if runs is not None:
                make_images(runs.client(), runs.root)
            for mode in modes:
                rows += _of(engine, mode, rounds, runs)
    return rows


def _of(engine: str, mode: str, rounds: int, runs: Dockerd | None) -> list[Spread]:
    found = _Rounds()
    for number in range(rounds):
        with _project(f"bench-{mode}-{number}", runs) as one:
            _whole(one, mode, found)
        with _project(f"bench-{mode}-{number}-broker", runs) as one:
            _late(one, mode, found)
    label = f"{engine}, {mode}"
    print(f"{label}: first produce and join after wait: {found.succeeded} of {rounds}", flush=True)
    for name, seconds in (("whole", found.whole), ("late", found.late), ("join", found.later)):
        print(f"{label}: {name}", " ".join(f"{one:.2f}" for one in seconds), flush=True)
    return [
        Spread(work=f"{label}: up, to ready", seconds=found.whole, at_most=READY_SECONDS),
        Spread(
            work=f"{label}: wait, after the first produce", seconds=found.late, at_most=LATE_SECONDS
        ),
        Spread(work=f"{label}: wait, after the first join", seconds=found.later),
    ]


def _whole(one: Project, mode: str, found: _Rounds) -> None:
    """All services from nothing, by the one command."""
    begun = time.monotonic()
    one.ok("up", "--mode", mode)
    found.whole.append(time.monotonic() - begun)


def _late(one: Project, mode: str, found: _Rounds) -> None:
    """The broker from nothing, beside it ``wait`` and the clients."""
    one.ok("env")
    port = one.ports["KAFKA_PORT"]
    with trying(produce, port, TOPIC) as produced, trying(join, port, "measured") as joined:
        starting = one.start("up", "kafka", "--mode", mode, "--no-wait")
        waiting = one.start("wait", "kafka", "--mode", mode)
        failed = waiting.wait()  # without a time of ours: Popen looks for it every 50 ms only
        ended = time.monotonic()
        if failed:
            raise SystemExit(f"wait failed: {failed}")
        found.succeeded += _first_clients(one)
        _note(found.late, ended, produced)
        _note(found.later, ended, joined)
        starting.wait(_LONGEST)


def _note(into: list[float], ended: float, moment: Moment) -> None:
    into.append(ended - moment.at(5))


def _first_clients(one: Project) -> bool:
    """The first produce and the first join, without a retry: what the wait is for."""
    try:
        first_produce(one.brokers)
        first_join(one.brokers, _GROUP)
    except AssertionError as error:
        print(f"a first client failed: {error}", flush=True)
        return False
    return True


@contextmanager
def _project(name: str, runs: Dockerd | None) -> Iterator[Project]:
    variables: Mapping[str, str] = {}
    if runs is not None:
        variables = {"STACK_ENGINE": "docker", **runs.variables, **VARIABLES}
    with tempfile.TemporaryDirectory() as folder:
        one = Project(Path(folder).resolve() / name, name, variables)
        try:
            yield one
        finally:
            one.run("down")
            for volume in runs.client().volumes.list() if runs else ():
                if volume.name.startswith(f"{name}_"):
                    volume.remove(force=True)


def main(words: Sequence[str]) -> int:
    """Only the engines and modes that are named."""
    engines = [one for one in ENGINES if one in words] or ENGINES
    modes = [one for one in MODES if one in words] or MODES
    rows = _measure(engines, modes, int(os.environ.get("STACK_ROUNDS", "3")))
    Screen().table(Spread.COLUMNS, [row.cells() for row in rows])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
