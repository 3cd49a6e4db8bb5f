"""``buildtools wheel``: self-contained wheels for any target, into the wheelhouse."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from buildtools.acquire import LibraryWay
from buildtools.commands.pulse import Pulse
from buildtools.commands.wheel_asked import Cell, cells, interleaved
from buildtools.commands.wheel_cells import How, Made, make
from buildtools.configuration import load_configuration
from buildtools.errors import ExitCode
from buildtools.processes import interrupt_children
from buildtools.report import Screen
from buildtools.wheelhouse import Wheelhouse, wheelhouse_root

BACKENDS = ("auto", "native", "zig", "cibuildwheel")
PROOFS = ("full", "quick", "static")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``wheel``."""
    parser.add_argument(
        "drivers", metavar="DRIVER[==V]", nargs="+", help="a driver, at a version or the newest"
    )
    parser.add_argument(
        "--target",
        dest="targets",
        metavar="T",
        action="append",
        default=[],
        help="where it must run; may be given more than once (default: this machine)",
    )
    parser.add_argument(
        "--python",
        metavar="CPXY",
        action="extend",
        nargs="+",
        help="Pythons that the wheels are for: cp312 or 3.12, several of them, or an interpreter's"
        " path",
    )
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        default="auto",
        help="auto takes a wheel of the index that passes its audit, else builds with zig",
    )
    parser.add_argument(
        "--libraries",
        choices=tuple(LibraryWay),
        default=LibraryWay.AUTO.value,
        help="the client library: packages of the distribution, or compiled from source; auto "
        "takes packages where their glibc is old enough and they are supported",
    )
    parser.add_argument(
        "--allow-end-of-life",
        action="store_true",
        help="bundle libraries that nobody supports any more, in a wheel that is not to be "
        "published",
    )
    parser.add_argument("--wheelhouse", metavar="DIR", help="the store's folder")
    parser.add_argument(
        "--proof",
        choices=PROOFS,
        default="full",
        help="how far a wheel is tried: full runs it here or under emulation, and compiles a musl"
        " Python for that once; quick compiles nothing; static runs nothing",
    )
    parser.add_argument("--offline", action="store_true", help="ask no index")
    parser.add_argument(
        "--jobs", metavar="N", type=_jobs, default=os.cpu_count() or 1, help="wheels at a time"
    )


def _jobs(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of wheels at a time: 1 or more")
    return number


def run(args: argparse.Namespace, screen: Screen) -> ExitCode:
    """Make every driver for every target and Python; print what came of each."""
    configuration = load_configuration(Path.cwd())
    wanted = cells(args.drivers, args.targets, args.python or [], configuration)
    house = Wheelhouse(wheelhouse_root(configuration, args.wheelhouse))
    made = _make_all(wanted, args, screen, house)
    if screen.as_json:
        screen.document(
            "wheel",
            {
                "wheels": [one.as_json() for one in made if one.stored is not None],
                "failed": [one.as_json() for one in made if one.stored is None],
            },
        )
    else:
        _show(screen, made)
    return ExitCode.OK if all(one.stored is not None for one in made) else ExitCode.NO_WHEEL


def _make_all(
    wanted: tuple[Cell, ...], args: argparse.Namespace, screen: Screen, house: Wheelhouse
) -> list[Made]:
    """The cells, several at a time; a cell that cannot be had does not stop the others."""
    how = How(
        backend=args.backend,
        offline=args.offline,
        proof=args.proof,
        libraries=LibraryWay(args.libraries),
        end_of_life=args.allow_end_of_life,
    )
    made: dict[str, Made] = {}

    def one(cell: Cell) -> None:
        made[cell.label] = make(cell, house, pulse.event, how)
        screen.log(f"{len(made)} of {len(wanted)} cells: {_outcome(made[cell.label])}")

    with Pulse(screen) as pulse, ThreadPoolExecutor(args.jobs) as pool:
        try:
            for future in [pool.submit(one, cell) for cell in interleaved(wanted)]:
                future.result()
        except BaseException:
            # Leaving the pool waits for its threads, and these wait for what they have started.
            interrupt_children()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [made[cell.label] for cell in wanted]


def _outcome(made: Made) -> str:
    """One finished cell in a line."""
    word = made.verified or "not filled"
    return f"{made.cell.label} {word}, {made.seconds:.0f} s"


def _show(screen: Screen, made: list[Made]) -> None:
    rows = []
    for one in made:
        name = one.stored.path.name if one.stored is not None else "-"
        how = one.backend if one.stored is not None else "failed"
        rows.append(
            (one.cell.name, one.cell.target.spec, name, how, one.verified, f"{one.seconds:.1f}")
        )
    screen.table(("driver", "target", "wheel", "backend", "verified", "seconds"), rows)
    for one in made:
        place = f"{one.cell.name} for {one.cell.target.spec}"
        for line in _explained(one):
            screen.line(f"{place}: {line}")
    for error, places in _by_text(made, lambda one: [one.error] if one.error else []).items():
        screen.error(f"{_of(places)}: {error}")
    for note, places in _by_text(made, lambda one: one.notes).items():
        screen.line(f"{_of(places)}: {note}")


def _explained(made: Made) -> list[str]:
    """How far a wheel was proven, where that is not plain, and what else is done for it."""
    lines = []
    if made.proof is not None:
        reason = f" ({made.proof.reason})" if made.proof.reason else ""
        lines.append(f"{made.verified}: {made.proof.how}{reason}")
    if made.runner:
        lines.append(f"runner: {made.runner} executes it")
    return lines


def _by_text(made: list[Made], texts: Callable[[Made], Sequence[str]]) -> dict[str, list[str]]:
    """What is said of the cells, each text once, with the cells that it is about."""
    said: dict[str, list[str]] = {}
    for one in made:
        for text in dict.fromkeys(texts(one)):
            said.setdefault(text, []).append(f"{one.cell.name} for {one.cell.target.spec}")
    return said


def _of(places: list[str]) -> str:
    return f"{places[0]} and {len(places) - 1} more" if len(places) > 1 else places[0]
