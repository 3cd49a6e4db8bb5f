"""One start of the stack in containers: wave by wave, each service watched until it is healthy."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from buildtools.stack.checks import serves
from buildtools.stack.compose import Compose
from buildtools.stack.containers import Container
from buildtools.stack.services import Service
from buildtools.stack.settings import Mode
from buildtools.stack.trouble import StackError

_PAUSE = 0.2


class Watched(Protocol):
    """What a start asks of the engine. Methods raise :class:`BuildtoolsError`."""

    def container(self, service: Service) -> Container | None:
        """A service's container as it is now."""

    def waiting_for(self, one: Container | None) -> str:
        """What a broker's container waits for before it starts the broker; nothing if nothing."""

    def check_cluster(self, one: Container) -> None:
        """Refuse to start a broker whose data is another ZooKeeper's."""

    def failure(self, service: Service, what: str, one: Container | None) -> StackError:
        """Why a service did not start, by its log."""


class Start:
    """One start: services whose needs are healthy are started together, then watched."""

    def __init__(
        self,
        engine: Watched,
        compose: Compose,
        tell: Callable[[str, str], None],
        *,
        missing: Sequence[Service],
        deadline: float,
    ) -> None:
        self._engine = engine
        self._compose = compose
        self._settings = compose.settings
        self._tell = tell
        self._missing = {one.name for one in missing}
        self._deadline = deadline
        self._started: set[str] = set()
        self._healthy: set[str] = set()

    @property
    def healthy(self) -> frozenset[str]:
        """The services that came as far as that."""
        return frozenset(self._healthy)

    def carry_out(self, wanted: Sequence[Service]) -> None:
        """Start and watch until all are healthy. Raises :class:`StackError` for one that ends."""
        left = list(wanted)
        while left:
            self._start([one for one in left if self._may_start(one)])
            for one in tuple(left):
                under_way = one.name in self._started or one.name not in self._missing
                if under_way and self._is_healthy(one):
                    left.remove(one)
                    self._healthy.add(one.name)
            if left:
                time.sleep(_PAUSE)

    def _may_start(self, service: Service) -> bool:
        fresh = service.name in self._missing and service.name not in self._started
        return fresh and set(service.after) <= self._healthy

    def _start(self, now: Sequence[Service]) -> None:
        if not now:
            return
        names = [one.name for one in now]
        for one in now:
            self._tell(one.name, "starting")
        options = ("--no-recreate", "--pull", "never")
        if "kafka" in names and self._compose.mode is Mode.ZOOKEEPER:
            self._compose.do("create", *options, "kafka", what="kafka's container was not made")
            for one in now:
                made = self._engine.container(one)
                if one.name == "kafka" and made is not None:
                    self._engine.check_cluster(made)
        words = ("up", "--detach", "--no-deps", "--no-build", *options, *names)
        self._compose.do(*words, what=f"{', '.join(names)} could not be started")
        self._started.update(names)

    def _is_healthy(self, service: Service) -> bool:
        """Whether it is; raises when it never will be."""
        one = self._engine.container(service)
        if one is None:
            raise self._engine.failure(service, f"{service.name}'s container is gone", one)
        again = one.restarts and service.name in self._started
        if one.status in {"exited", "dead", "restarting"} or again:
            why = f"{service.name} ended with exit code {one.code}"
            raise self._engine.failure(service, why, one)
        # The container's own check looks every few seconds; asked from here, it is known at once.
        if one.healthy or (one.status == "running" and not serves(service.name, self._settings)):
            self._tell(service.name, "healthy")
            return True
        if service.name == "kafka" and (waits := self._engine.waiting_for(one)):
            self._tell("kafka", waits)
        # "unhealthy" is no end: on a busy machine a broker needs longer than its check is patient.
        if time.monotonic() > self._deadline:
            why = f"{service.name} does not become healthy"
            raise self._engine.failure(service, why, one)
        return False
