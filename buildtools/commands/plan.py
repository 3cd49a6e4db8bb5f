"""``buildtools plan``: what ``rebuild`` would do, and why."""

from __future__ import annotations

import argparse

from buildtools.commands.rebuild import add_choices, request_for
from buildtools.errors import ExitCode
from buildtools.planning import Plan
from buildtools.report import Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``plan``: those of ``rebuild``."""
    add_choices(parser)


def run(args: argparse.Namespace, screen: Screen) -> ExitCode:
    """Print the steps; nothing is installed, fetched or built."""
    from buildtools.rebuild import plan

    planned = plan(request_for(args, screen))
    if screen.as_json:
        screen.document("plan", {"steps": [step.as_json() for step in planned.steps]})
    else:
        _show(screen, planned)
    return ExitCode.OK


def _show(screen: Screen, planned: Plan) -> None:
    screen.table(
        ("driver", "action", "version", "from", "why"),
        [
            (
                step.driver,
                step.action.value,
                step.version or "-",
                step.source or "-",
                step.reason.partition("; ")[0],
            )
            for step in planned.steps
        ],
    )
    for step in planned.steps:
        if more := step.reason.partition("; ")[2]:
            screen.line(f"{step.driver}: {more}")
    if not planned.steps:
        screen.line("no native driver is required or installed here; name one")
    elif planned.nothing_due:
        screen.line("nothing is due")
