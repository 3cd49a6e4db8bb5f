"""How a service stands, in the same words whatever runs it; and what an engine can be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from buildtools.errors import BuildtoolsError
from buildtools.stack.commands import Machine
from buildtools.stack.reset import Plan
from buildtools.stack.services import Service
from buildtools.stack.settings import Mode


class EngineName(StrEnum):
    """What runs the services."""

    DOCKER = "docker"
    PROCESS = "process"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How a service stands.

    ``word`` is healthy, starting, waiting, running, refused, exited or down; ``pid`` its process
    on this machine while it runs (in the engine's own machine, where containers have one).
    """

    service: Service
    word: str
    pid: int | None = None
    restarts: int = 0
    why: str = ""


class Engine(Protocol):
    """What runs the services of one project. Methods raise :class:`BuildtoolsError`."""

    @property
    def name(self) -> EngineName:
        """Which one it is."""

    def mode(self) -> Mode | None:
        """The mode in which the stack runs, or was last started."""

    def up(
        self, mode: Mode, wanted: Sequence[Service], machine: Machine, *, timeout: float
    ) -> None:
        """Start what does not run, in order by health; end it again when that fails."""

    def down(self, mode: Mode, named: Sequence[Service], tell: Callable[[str, str], None]) -> None:
        """End services against the order of their start; data stays."""

    def states(self, mode: Mode, *, look: bool = True) -> tuple[State, ...]:
        """How each service stands; ``look`` asks it for its health."""

    def log_tail(self, service: str) -> str:
        """The last lines of a service's log, secrets masked; empty when it has none."""

    def broker_lives(self) -> bool:
        """Whether a broker's process runs that may hold its id in ZooKeeper."""

    def plan_reset(self, sources: Mapping[str, Mapping[str, str]]) -> Plan:
        """What a reset would remove, and why it must not."""

    def carry_out(self, plan: Plan, typed: str) -> None:
        """Remove the volumes of a plan; the services are down."""


def gone(engine: Engine, service: str) -> str:
    """Why a service that was started never will be ready; nothing while it still may."""
    try:
        states = engine.states(engine.mode() or Mode.ZOOKEEPER, look=False)
    except BuildtoolsError as error:
        return f"{error.what}: {error.why}"
    found = next((one for one in states if one.service.name == service), None)
    if found is None or found.word not in {"down", "refused"}:
        return ""
    return found.why or "it is down: something else ended it"
