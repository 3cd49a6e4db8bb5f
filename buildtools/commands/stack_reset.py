"""``buildtools stack reset``: the plan, the refusals, and with the name typed, the deed."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from buildtools.commands.stack_views import engine_keys
from buildtools.errors import BuildtoolsError, ExitCode, UsageError
from buildtools.report import Screen
from buildtools.stack.commands import Machine
from buildtools.stack.docker_endpoint import find_endpoint
from buildtools.stack.engines import Choice
from buildtools.stack.memory import only_one, remembered_mode
from buildtools.stack.reset import Plan, check_confirmed
from buildtools.stack.services import services
from buildtools.stack.settings import Mode, Settings, env_text, read_env
from buildtools.stack.states import Engine, gone
from buildtools.stack.topics import Topic, load_topics, stack_file


def reset(
    args: argparse.Namespace, settings: Settings, choice: Choice, machine: Machine, screen: Screen
) -> ExitCode:
    """Show the plan; with ``--yes`` and the project's name, carry it out as far as the new start.

    Gives :attr:`ExitCode.NO` for a plan that is refused.
    """
    engine = choice.engine
    mode = Mode(args.mode) if args.mode else remembered_mode(settings) or Mode.ZOOKEEPER
    plan = _plan(settings, choice)
    carried_out = args.yes and not plan.refusals
    asked = args.project is None and sys.stdin.isatty()
    typed = "" if asked or not carried_out else _typed(args.project, plan, screen)
    if typed:
        check_confirmed(plan, typed)  # before it is shown as what is done
    _show(plan, settings, screen, mode=mode, choice=choice, carried_out=carried_out)
    if plan.refusals:
        return ExitCode.NO
    if not args.yes:
        return ExitCode.OK
    typed = typed or _typed(args.project, plan, screen)
    check_confirmed(plan, typed)  # before anything is stopped
    topics = load_topics(stack_file("topics.yaml", settings.root))
    with only_one(settings):
        running = engine.mode() or mode
        engine.down(running, services(settings, running), screen.event)
        engine.carry_out(plan, typed)
        engine.up(mode, services(settings, mode), machine, timeout=args.timeout)
    return _ready(args, settings, screen, topics=topics, engine=engine, mode=mode)


def _plan(settings: Settings, choice: Choice) -> Plan:
    """The engine's plan; a remote Docker context forbids it whichever engine runs the stack."""
    plan = choice.engine.plan_reset(_sources(settings))
    try:
        endpoint = find_endpoint(os.environ)
    except BuildtoolsError:
        return plan
    if endpoint.local or any(str(endpoint) in why for why in plan.refusals):
        return plan
    why = f"Docker's engine is at {endpoint}, which is not this machine"
    return replace(plan, refusals=(*plan.refusals, why))


def _ready(
    args: argparse.Namespace,
    settings: Settings,
    screen: Screen,
    *,
    topics: Sequence[Topic],
    engine: Engine,
    mode: Mode,
) -> ExitCode:
    from buildtools.stack.readiness import wait_for

    names = [one.name for one in services(settings, mode)]
    report = wait_for(
        settings,
        names,
        topics,
        timeout=args.timeout,
        tell=lambda one: screen.event(one.service, str(one.answer.outcome), one.answer.why),
        gone=partial(gone, engine),
    )
    for name, answer in report.missing.items():
        screen.error(f"{name}: {answer.outcome}: {answer.why}")
    if report.ready and not screen.as_json:
        screen.line(f"empty and ready after {report.seconds:.1f} s")
    return ExitCode.OK if report.ready else ExitCode.NO


def _typed(given: str | None, plan: Plan, screen: Screen) -> str:
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise UsageError(
            "the project's name must be typed",
            next_step=f"buildtools stack reset --yes --project {plan.project}",
        )
    screen.close()
    sys.stderr.write(f"type the project's name ({plan.project}) to remove its data: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def _sources(settings: Settings) -> Mapping[str, Mapping[str, str]]:
    """The variables of the environment and of both ``.env`` files, by where they stand."""
    found: dict[str, Mapping[str, str]] = {"the environment": os.environ}
    for file in (settings.root / ".env", settings.folder / ".env"):
        if file.is_file():
            found[str(file)] = read_env(env_text(file))
    return found


def _show(
    plan: Plan,
    settings: Settings,
    screen: Screen,
    *,
    mode: Mode,
    choice: Choice,
    carried_out: bool,
) -> None:
    names = [one.name for one in services(settings, mode)]
    if screen.as_json:
        screen.document(
            "stack",
            {
                "action": "reset",
                "project": plan.project,
                **engine_keys(choice),
                "mode": mode,
                "dry_run": not carried_out,
                "stop": names[::-1],
                "remove": [one.where for one in plan.volumes],
                "start": names,
                "refusals": list(plan.refusals),
            },
        )
        return
    screen.line(f"stop    {', '.join(names[::-1])}")
    for one in plan.volumes:
        screen.line(f"remove  {one.where}")
    screen.line(f"start   {', '.join(names)}, with new topics")
    for why in plan.refusals:
        screen.line(f"REFUSED {why}")
    if not carried_out and not plan.refusals:
        screen.line(f"a plan only; do it: buildtools stack reset --yes --project {plan.project}")
