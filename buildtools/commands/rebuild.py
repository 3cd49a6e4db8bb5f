"""``buildtools rebuild``: the drivers mended, atomically, and verified."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from buildtools.errors import ExitCode
from buildtools.report import Screen

if TYPE_CHECKING:
    from buildtools.rebuild import Outcome, RebuildRequest
    from buildtools.stamps import Stamp

_LONGEST_SCRATCH = 64
_SURE_ENOUGH = 0.7


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``rebuild``."""
    add_choices(parser)


def add_choices(parser: argparse.ArgumentParser) -> None:
    """What ``plan`` and ``rebuild`` share."""
    parser.add_argument(
        "drivers",
        metavar="DRIVER",
        nargs="*",
        help="a driver or any native distribution, such as mysqlclient or mysqlclient==2.2.*; "
        "default: the project's",
    )
    parser.add_argument("--force", action="store_true", help="install again what is healthy too")
    parser.add_argument(
        "--from-source", action="store_true", help="build, whatever wheels there are"
    )
    parser.add_argument("--offline", action="store_true", help="take wheels of the wheelhouse only")
    parser.add_argument("--wheelhouse", metavar="DIR", help="the store of wheels")
    parser.add_argument(
        "--allow-fallback",
        action="store_true",
        help="let a driver's pure-Python alternative stand in where it cannot be had",
    )


def run(args: argparse.Namespace, screen: Screen) -> ExitCode:
    """Mend what is due and print what became of it."""
    if not (args.force or args.from_source):
        quick = _nothing_due(args)
        if quick is not None:
            _say_nothing_due(screen, *quick)
            return ExitCode.OK
    from buildtools.rebuild import rebuild

    _keep_scratch_at_home()
    outcome = _explained(rebuild(request_for(args, screen)))
    if screen.as_json:
        screen.document("rebuild", outcome_document(outcome))
    else:
        _show(screen, outcome)
    return outcome.exit_code


def _explained(outcome: Outcome) -> Outcome:
    """The outcome with a note on each failed step whose words ``explain`` knows the cause of."""
    from dataclasses import replace

    steps = []
    for one in outcome.steps:
        note = _cause_of(one.error) if one.error and one.code is not ExitCode.OK else ""
        steps.append(replace(one, notes=(*one.notes, note)) if note else one)
    return replace(outcome, steps=tuple(steps))


def _cause_of(words: str) -> str:
    from buildtools.explain import explain_failure

    said = explain_failure(words)
    if not said.known or said.confidence < _SURE_ENOUGH:
        return ""
    command = f" Try: {said.commands[0]}" if said.commands else ""
    return f"cause: {said.cause}. {said.explanation} {said.remedy}{command}"


def _keep_scratch_at_home() -> None:
    """Let every child keep its scratch files in the user's cache: nothing else is written to.

    Not where the path is long: a trial may open a socket there, whose path has 108 bytes (unix(7)).
    """
    from buildtools.folders import cache_root

    folder = cache_root() / "tmp"
    if "TMPDIR" in os.environ or len(str(folder)) > _LONGEST_SCRATCH:
        return
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["TMPDIR"] = str(folder)


def request_for(args: argparse.Namespace, screen: Screen) -> RebuildRequest:
    """What was asked for on the command line, with the project's configuration."""
    from buildtools.configuration import load_configuration
    from buildtools.host import interpreter_facts, require_supported
    from buildtools.planning import Choices
    from buildtools.rebuild import RebuildRequest
    from buildtools.wheelhouse import wheelhouse_root

    interpreter = interpreter_facts(args.python)
    require_supported(interpreter)
    configuration = load_configuration(Path.cwd())
    return RebuildRequest(
        interpreter=interpreter,
        configuration=configuration,
        wheelhouse=wheelhouse_root(configuration, args.wheelhouse),
        drivers=tuple(args.drivers),
        choices=Choices(
            force=args.force,
            from_source=args.from_source,
            offline=args.offline,
            allow_fallback=args.allow_fallback,
        ),
        on_event=screen.event,
    )


def outcome_document(outcome: Outcome) -> dict[str, object]:
    """The JSON of a run."""
    return {
        "steps": [one.as_json() for one in outcome.steps],
        "drivers": [
            *(verdict.as_json() for verdict in outcome.verdicts),
            *(dict(verdict) for verdict in outcome.kept.values()),
        ],
        "application": [check.as_json() for check in outcome.application],
        "recovered": list(outcome.recovered),
    }


def _nothing_due(args: argparse.Namespace) -> tuple[Stamp, tuple[str, ...]] | None:
    """The stamp and the drivers when nothing has changed, told without starting a program."""
    from buildtools.stamps import quick_look

    if args.python is None:
        executable = Path(sys.executable)
    else:
        from buildtools.host import find_interpreter

        executable = find_interpreter(args.python)
    return quick_look(executable=executable, drivers=args.drivers, folder=Path.cwd())


def _say_nothing_due(screen: Screen, stamp: Stamp, drivers: tuple[str, ...]) -> None:
    kept = [(name, stamp.drivers[name]) for name in drivers]
    reason = "nothing has changed since it was verified"
    if screen.as_json:
        steps: list[dict[str, object]] = [
            {
                "driver": name,
                "action": "keep",
                "reason": reason,
                "version": driver.version or None,
                "source": "installed" if driver.distribution else "stdlib",
                "sha256": None,
                "instead": None,
                "outcome": "kept",
                "wheel": None,
                "seconds": 0.0,
                "error": None,
                "notes": [],
            }
            for name, driver in kept
        ]
        verdicts = [dict(driver.verdict) for _, driver in kept]
        screen.document(
            "rebuild", {"steps": steps, "drivers": verdicts, "application": [], "recovered": []}
        )
        return
    names = ", ".join(f"{name} {driver.version}".strip() for name, driver in kept)
    screen.line(f"nothing is due: {names or 'no driver is asked for'}")
    screen.line(
        f"interpreter, files, recipes and requirements are as they were left in "
        f"{_shown(stamp.place.prefix)}"
    )


def _shown(path: str) -> str:
    """A path, from the working folder where that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(path) else path


def _show(screen: Screen, outcome: Outcome) -> None:
    for line in outcome.recovered:
        screen.line(f"an earlier rebuild was cut off; {line}")
    if not outcome.steps:
        screen.line("no native driver is required or installed here; name one")
        return
    verdicts = {one.driver: one.status.value for one in outcome.verdicts}
    verdicts |= {name: str(one.get("status")) for name, one in outcome.kept.items()}
    screen.table(
        ("driver", "action", "version", "outcome", "verified", "seconds", "why"),
        [
            (
                one.step.driver,
                one.step.action.value,
                one.step.version or "-",
                one.ending.value,
                verdicts.get(one.step.driver, verdicts.get(one.step.instead, "-")),
                f"{one.seconds:.1f}",
                one.step.reason.partition("; ")[0],
            )
            for one in outcome.steps
        ],
    )
    for one in outcome.steps:
        _, _, more = one.step.reason.partition("; ")
        if more and one.code is ExitCode.OK:
            screen.line(f"{one.step.driver}: {more}")
        for note in one.notes:
            screen.line(f"{one.step.driver}: {note}")
        if one.error and one.code is not ExitCode.OK:
            screen.error(f"{one.step.driver}: {one.error}")
    for check in outcome.application:
        screen.line(f"{check.check}: {check.status.value} {check.reason}".rstrip())
