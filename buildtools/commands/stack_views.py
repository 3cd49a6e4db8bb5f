"""How the stack's answers are shown."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from buildtools.errors import ExitCode
from buildtools.report import Screen
from buildtools.stack.engines import Choice
from buildtools.stack.settings import Mode, Settings
from buildtools.stack.states import State
from buildtools.stack.topics import diff

if TYPE_CHECKING:
    from database_consumer.readiness import Answer, Report

    from buildtools.stack.topics_admin import Topics

_WIDTH = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A line of progress: a word or two, and what is to be said about it."""

    stage: str
    detail: str = ""

    @classmethod
    def of(cls, text: str) -> Self:
        """A text such as ``waiting: for the session``."""
        stage, _, detail = text.partition(": ")
        return cls(stage=stage, detail=detail)


def describe_states(
    action: str,
    settings: Settings,
    screen: Screen,
    *,
    mode: Mode,
    found: Sequence[State],
    choice: Choice,
) -> None:
    """The services as a table, or as the contract's JSON."""
    if screen.as_json:
        body = {"action": action, "project": settings.project, **engine_keys(choice), "mode": mode}
        screen.document("stack", {**body, "services": [_entry(state) for state in found]})
        return
    rows = [
        (
            state.service.name,
            state.word,
            str(state.service.port),
            str(state.pid or "-"),
            str(state.restarts),
        )
        for state in found
    ]
    title = f"{settings.project}: {mode} mode, {choice.name} engine"
    screen.table(("service", "state", "port", "pid", "restarts"), rows, title=title)
    for state in found:
        _say(screen, f"{state.service.name}: ", state.why)


def _say(screen: Screen, head: str, text: str) -> None:
    """A sentence below a table, in lines that a terminal of 80 columns shows whole."""
    for line in textwrap.wrap(
        text, _WIDTH, initial_indent=head, subsequent_indent="  ", break_long_words=False
    ):
        screen.line(line)


def engine_keys(choice: Choice | None) -> dict[str, object]:
    """The engine and why it was taken, as the contract's JSON has them."""
    return {} if choice is None else {"engine": choice.name, "engine_why": choice.why}


def _entry(state: State) -> dict[str, object]:
    return {
        "service": state.service.name,
        "state": state.word,
        "port": state.service.port,
        "pid": state.pid,
        "restarts": state.restarts,
        "why": state.why,
    }


def show_report(
    action: str,
    settings: Settings,
    screen: Screen,
    *,
    report: Report,
    tails: Mapping[str, str],
    choice: Choice | None,
) -> ExitCode:
    """How a wait ended; when it failed, what is missing, the timeline and the logs' tails."""
    if screen.as_json:
        screen.document("stack", _document(action, settings, report, choice))
    elif report.ready:
        screen.line(f"ready after {report.seconds:.1f} s: {', '.join(report.last)}")
    else:
        screen.table(
            ("service", "state", "cause"),
            [(name, str(one.outcome), one.cause) for name, one in report.last.items()],
            title=f"not ready after {report.seconds:.1f} s",
        )
        for name, answer in report.missing.items():
            _say(screen, f"{name}: ", answer.why)
            _say(screen, "  next: ", answer.mend)
    if report.ready:
        return ExitCode.OK
    screen.log("timeline:")
    for moment in report.timeline:
        why = f": {moment.answer.why}" if moment.answer.why else ""
        screen.log(f"  {moment.at:7.1f} s  {moment.service}: {moment.answer.outcome}{why}")
    for name, tail in tails.items():
        screen.log(f"the end of {name}'s log:\n{tail}")
    return ExitCode.NO


def _document(
    action: str, settings: Settings, report: Report, choice: Choice | None
) -> dict[str, object]:
    def entry(answer: Answer) -> dict[str, object]:
        return {
            "state": str(answer.outcome),
            "cause": answer.cause or None,
            "why": answer.why,
            "mend": answer.mend,
        }

    return {
        "action": action,
        "project": settings.project,
        **engine_keys(choice),
        "ready": report.ready,
        "seconds": round(report.seconds, 2),
        "services": [{"service": name, **entry(one)} for name, one in report.last.items()],
        "timeline": [
            {"at": round(one.at, 2), "service": one.service, **entry(one.answer)}
            for one in report.timeline
        ],
    }


def show_topics(found: Topics, settings: Settings, screen: Screen) -> ExitCode:
    """The topics, those that were made, and how others differ."""
    left = [name for name in found.missing if name not in found.created]
    if screen.as_json:
        screen.document(
            "stack",
            {
                "action": "topics",
                "project": settings.project,
                "present": list(found.present),
                "created": list(found.created),
                "missing": left,
                "drift": [
                    {
                        "topic": one.topic,
                        "key": one.key,
                        "wanted": one.wanted,
                        "found": one.found,
                        "mend": one.mend,
                    }
                    for one in found.drift
                ],
            },
        )
    else:
        for name in found.created:
            screen.line(f"created {name}")
        for name in left:
            screen.line(f"missing {name}")
        screen.line(f"{len(found.present)} were there, {len(found.created)} created")
        if found.drift:
            screen.line(diff(found.drift))
            for mend in dict.fromkeys(one.mend for one in found.drift):
                screen.line(f"  {mend}")
    return ExitCode.NO if found.drift or left else ExitCode.OK
