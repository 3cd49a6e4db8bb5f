"""What a probe answers, and the wait for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

IN_A_ROW = 2
ASK_SECONDS = 4.0
"""How long one question may take."""


class Outcome(StrEnum):
    """What a probe found."""

    READY = "ready"
    NOT_YET = "not yet"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One look; ``cause`` is a cause code of the stack where one fits."""

    outcome: Outcome
    why: str = ""
    mend: str = ""
    cause: str = ""


READY = Answer(outcome=Outcome.READY)


class Probe(Protocol):
    """One service to wait for."""

    @property
    def service(self) -> str:
        """Its name in messages."""

    def look(self) -> Answer:
        """Ask once; takes a few seconds at most and raises nothing."""

    def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A change of a service's answer, seconds after the wait began."""

    at: float
    service: str
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a wait ended; ``last`` is every service's last answer."""

    ready: bool
    seconds: float
    last: Mapping[str, Answer]
    timeline: tuple[Moment, ...]

    @property
    def missing(self) -> Mapping[str, Answer]:
        """The services that are not ready."""
        return {
            name: answer
            for name, answer in self.last.items()
            if answer.outcome is not Outcome.READY
        }

    def after(self, seconds: float) -> Report:
        """The same, told from ``seconds`` before the wait on: by who started what it waited for."""
        moments = tuple(replace(one, at=one.at + seconds) for one in self.timeline)
        return replace(self, seconds=self.seconds + seconds, timeline=moments)


@dataclass(slots=True, kw_only=True)
class _Seen:
    answer: Answer | None = None
    in_a_row: int = 0


def wait_ready(
    probes: Sequence[Probe],
    *,
    timeout: float,
    pause: float = 0.1,
    tell: Callable[[Moment], None] = lambda _moment: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Report:
    """Looks at every service until all are ready, one is wrong, or ``timeout`` seconds are over."""
    begin = clock()
    seen = {probe.service: _Seen() for probe in probes}
    timeline: list[Moment] = []

    def report(*, ready: bool) -> Report:
        not_yet = Answer(outcome=Outcome.NOT_YET, why="not asked")
        last = {name: one.answer or not_yet for name, one in seen.items()}
        return Report(ready=ready, seconds=clock() - begin, last=last, timeline=tuple(timeline))

    while True:
        for probe in probes:
            state = seen[probe.service]
            if state.in_a_row >= IN_A_ROW:
                continue
            answer = probe.look()
            if answer != state.answer:
                moment = Moment(at=clock() - begin, service=probe.service, answer=answer)
                timeline.append(moment)
                tell(moment)
            state.answer = answer
            state.in_a_row = state.in_a_row + 1 if answer.outcome is Outcome.READY else 0
            if answer.outcome is Outcome.WRONG:
                return report(ready=False)
        if all(state.in_a_row >= IN_A_ROW for state in seen.values()):
            return report(ready=True)
        if clock() - begin >= timeout:
            return report(ready=False)
        sleep(max(0.0, min(pause, timeout - (clock() - begin))))
