"""``buildtools stack``: the development stack, started in order and ready when it says so."""

from __future__ import annotations

import argparse
import os
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from buildtools.commands.options import add_common
from buildtools.commands.stack_views import Step, describe_states, show_report, show_topics
from buildtools.errors import BuildtoolsError, ExitCode, UsageError
from buildtools.folders import cache_root
from buildtools.report import Screen
from buildtools.stack.commands import Machine
from buildtools.stack.engines import CHOICES, Choice, choose, other
from buildtools.stack.memory import only_one, remembered_mode
from buildtools.stack.services import Service, chosen, services
from buildtools.stack.settings import Mode, Settings, load_settings, make_env
from buildtools.stack.states import Engine, gone
from buildtools.stack.topics import Topic, load_topics, stack_file
from buildtools.stack.trouble import StackError

if TYPE_CHECKING:
    from database_consumer.readiness import Answer, Moment

_WAIT_SECONDS = 120.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommands of ``stack``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    up = actions.add_parser("up", help="start what does not run, in order, and wait until ready")
    up.add_argument("--no-wait", action="store_true", help="healthy is enough")
    wait = actions.add_parser("wait", help="wait, by the real protocols, until clients can work")
    actions.add_parser("status", help="how each service stands")
    restart = actions.add_parser("restart", help="stop services, start them again, and wait")
    actions.add_parser("down", help="stop everything; the data stays")
    actions.add_parser("env", help="make .stack/.env with random credentials, and say where it is")
    topics = actions.add_parser("topics", help="create missing topics, show how others differ")
    topics.add_argument("--check", action="store_true", help="create nothing")
    reset = actions.add_parser("reset", help="remove all data and start anew; a plan by default")
    reset.add_argument("--yes", action="store_true", help="carry the plan out")
    reset.add_argument("--project", metavar="NAME", help="the project's name, typed")
    broker = actions.add_parser("broker-id", help="who holds /brokers/ids/1 in ZooKeeper")
    broker.add_argument("--wait", action="store_true", help="wait until its session expires")
    broker.add_argument("--delete", action="store_true", help="then delete it, guarded")
    for action in (up, wait, restart):
        action.add_argument("services", metavar="SERVICE", nargs="*", help="default: all")
    for action in (up, wait, restart, reset):
        action.add_argument(
            "--timeout", type=_seconds, default=_WAIT_SECONDS, metavar="S", help="default 120"
        )
    for action in (up, wait, reset):
        action.add_argument("--mode", choices=tuple(Mode), help="default: the last one, zookeeper")
    for action in actions.choices.values():
        action.add_argument(
            "--engine",
            choices=CHOICES,
            help="what runs the services; default: STACK_ENGINE, else auto, which says why",
        )
        add_common(action, inner=True)


def run(args: argparse.Namespace, screen: Screen) -> ExitCode:
    """Carry out one of the subcommands."""
    root = _project_root(Path.cwd())
    if args.action in {"up", "env", "reset"}:
        make_env(root, _project_name(root))
    settings = load_settings(root, os.environ)
    actions = {
        "up": _up,
        "wait": _wait,
        "status": _status,
        "restart": _restart,
        "down": _down,
        "topics": _topics,
        "env": _env,
        "reset": _reset,
        "broker-id": _broker_id,
    }
    return actions[args.action](args, settings, screen)


def _up(args: argparse.Namespace, settings: Settings, screen: Screen) -> ExitCode:
    begun = time.monotonic()
    choice = _choose(args, settings, screen)
    mode = _mode(args, settings, choice)
    wanted = chosen(services(settings, mode), args.services)
    topics_of(settings)  # what is wrong there is said before anything starts
    with only_one(settings):
        _check_other(choice, settings, mode)
        choice.engine.up(mode, wanted, _machine(screen), timeout=args.timeout)
    if args.no_wait:
        return _show_states(args, settings, choice, mode, screen, wanted=wanted)
    return _ready(args, settings, screen, wanted, choice, begun=begun)


def _wait(args: argparse.Namespace, settings: Settings, screen: Screen) -> ExitCode:
    mode = Mode(args.mode) if args.mode else remembered_mode(settings) or Mode.ZOOKEEPER
    wanted = chosen(services(settings, mode), args.services)
    return _ready(args, settings, screen, wanted, None, begun=time.monotonic())


def _ready(
    args: argparse.Namespace,
    settings: Settings,
    screen: Screen,
    wanted: Sequence[Service],
    choice: Choice | None,
    *,
    begun: float,
) -> ExitCode:
    from buildtools.stack.readiness import wait_for

    def tell(moment: Moment) -> None:
        answer = moment.answer
        screen.event(moment.service, str(answer.outcome), answer.why)

    names = [service.name for service in wanted]
    topics = topics_of(settings) if "kafka" in names else ()
    before = time.monotonic() - begun
    watch = (lambda _name: "") if choice is None else partial(gone, choice.engine)
    report = wait_for(settings, names, topics, timeout=args.timeout, tell=tell, gone=watch)
    report = report.after(before)
    tails: dict[str, str] = {}
    if report.missing:
        # Only now is it asked what runs them: a wait itself needs the protocols alone.
        engine = (choice or choose(args.engine, settings, os.environ)).engine
        asked = {moment.service for moment in report.timeline}
        found = {name: _tail(engine, name) for name in report.missing if name in asked}
        tails = {name: tail for name, tail in found.items() if tail}
        report = replace(report, last=_strangers(engine, wanted, report.last))
    return show_report(args.action, settings, screen, report=report, tails=tails, choice=choice)


def _strangers(
    engine: Engine, wanted: Sequence[Service], last: Mapping[str, Answer]
) -> Mapping[str, Answer]:
    """The last answers, with another mend where what answered cannot be this stack's service."""
    try:
        states = engine.states(engine.mode() or Mode.ZOOKEEPER, look=False)
    except BuildtoolsError:
        return last
    down = {state.service.name for state in states if state.word == "down"}
    ports = {service.name: service.port for service in wanted if service.name in down}
    return {
        name: replace(answer, mend=_not_ours(name, ports[name]))
        if name in ports and answer.outcome == "wrong"
        else answer
        for name, answer in last.items()
    }


def _not_ours(name: str, port: int) -> str:
    return (
        f"this stack's {name} is down: what answers at port {port} is another's; end that, or give "
        f"{name} another port in .stack/.env, then buildtools stack up"
    )


def _tail(engine: Engine, name: str) -> str:
    try:
        return engine.log_tail(name)
    except BuildtoolsError as error:
        return f"it cannot be read: {error.what}"


def _status(args: argparse.Namespace, settings: Settings, screen: Screen) -> ExitCode:
    choice = _choose(args, settings, screen)
    return _show_states(args, settings, choice, _mode(args, settings, choice), screen)


def _show_states(
    args: argparse.Namespace,
    settings: Settings,
    choice: Choice,
    mode: Mode,
    screen: Screen,
    *,
    wanted: Sequence[Service] | None = None,
) -> ExitCode:
    """The states of ``wanted``, or of all; :attr:`ExitCode.NO` unless they are healthy."""
    found = choice.engine.states(mode)
    if wanted is not None:
        found = tuple(state for state in found if state.service in wanted)
    describe_states(args.action, settings, screen, mode=mode, found=found, choice=choice)
    return ExitCode.OK if all(state.word == "healthy" for state in found) else ExitCode.NO


def _restart(args: argparse.Namespace, settings: Settings, screen: Screen) -> ExitCode:
    begun = time.monotonic()
    choice = _choose(args, settings, screen)
    mode = _mode(args, settings, choice)
    every = services(settings, mode)
    named = [one for one in every if not args.services or one.name in args.services]
    wanted = chosen(every, args.services)
    topics_of(settings)
    with only_one(settings):
        choice.engine.down(mode, named, screen.event)
        choice.engine.up(mode, wanted, _machine(screen), timeout=args.timeout)
    return _ready(args, settings, screen, wanted, choice, begun=begun)


def _down(args: argparse.Namespace, settings: Settings, screen: Screen) -> ExitCode:
    choice = _choose(args, settings, screen)
    mode = _mode(args, settings, choice)
    with only_one(settings):
        choice.engine.down(mode, services(settings, mode), screen.event)
    found = choice.engine.states(mode, look=False)
    describe_states(args.action, settings, screen, mode=mode, found=found, choice=choice)
    return ExitCode.OK if all(state.word == "down" for state in found) else ExitCode.NO


def _topics(args: argparse.Namespace, settings: Settings, screen: Screen) -> ExitCode:
    from buildtools.stack.readiness import brokers
    from buildtools.stack.topics_admin import settle_topics

    found = settle_topics(brokers(settings), topics_of(settings), create=not args.check)
    return show_topics(found, settings, screen)


def _reset(args: argparse.Namespace, settings: Settings, screen: Screen) -> ExitCode:
    from buildtools.commands.stack_reset import reset

    choice = _choose(args, settings, screen)
    return reset(args, settings, choice, _machine(screen), screen)


def _broker_id(args: argparse.Namespace, settings: Settings, screen: Screen) -> ExitCode:
    from buildtools.commands.stack_broker import broker_id

    return broker_id(args, settings, choose(args.engine, settings, os.environ).engine, screen)


def _env(_args: argparse.Namespace, settings: Settings, screen: Screen) -> ExitCode:
    file = str(settings.folder / ".env")
    if screen.as_json:
        screen.document("stack", {"action": "env", "project": settings.project, "file": file})
    else:
        screen.line(file)
    return ExitCode.OK


def topics_of(settings: Settings) -> tuple[Topic, ...]:
    """The topics that the project wants."""
    return load_topics(stack_file("topics.yaml", settings.root))


def _choose(args: argparse.Namespace, settings: Settings, screen: Screen) -> Choice:
    choice = choose(args.engine, settings, os.environ)
    screen.log(f"{choice.name} engine: {choice.why}")
    return choice


def _mode(args: argparse.Namespace, settings: Settings, choice: Choice) -> Mode:
    asked = getattr(args, "mode", None)
    if asked:
        return Mode(asked)
    if getattr(args, "action", "") == "reset":
        return remembered_mode(settings) or Mode.ZOOKEEPER
    return choice.engine.mode() or Mode.ZOOKEEPER


def _check_other(choice: Choice, settings: Settings, mode: Mode) -> None:
    """Refuse to start beside a stack that the other engine runs."""
    last = other(choice, settings, os.environ)
    if last is None:
        return
    try:
        running = [one for one in last.states(mode, look=False) if one.word != "down"]
    except BuildtoolsError:
        return  # it cannot be asked; what it runs holds its ports, which are looked at next
    if running:
        raise StackError(
            f"the {last.name} engine runs this stack",
            why=", ".join(f"{one.service.name} is {one.word}" for one in running),
            next_step=f"buildtools stack down --engine {last.name}",
        )


def _machine(screen: Screen) -> Machine:
    def tell(service: str, text: str) -> None:
        step = Step.of(text)
        screen.event(service, step.stage, step.detail)

    return Machine(environ=os.environ, cache=cache_root() / "stack", tell=tell)


def _project_root(folder: Path) -> Path:
    """The nearest folder at or above with a stack or a ``pyproject.toml``, else this one."""
    for parent in (folder, *folder.parents):
        if (parent / ".stack" / ".env").is_file() or (parent / "pyproject.toml").is_file():
            return parent
    return folder


def _project_name(root: Path) -> str:
    try:
        found: Mapping[str, object] = tomllib.loads(
            (root / "pyproject.toml").read_text(encoding="utf-8")
        ).get("project", {})
        return str(found.get("name") or root.name)
    except FileNotFoundError:
        return root.name
    except (OSError, ValueError) as error:
        raise UsageError(
            "pyproject.toml cannot be read", where=str(root), why=str(error)
        ) from error


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 86400:  # noqa: PLR2004 - a day
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds")
    return value
