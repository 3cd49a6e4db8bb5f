"""The stack in containers: compose starts and stops them, the SDK says how they stand.

The order by health is kept here, wave by wave, so that a service that fails is named the moment it
does, and so that Kafka's data is held against ZooKeeper's before the broker starts. By hand,
``docker compose up`` keeps the same order by ``depends_on``.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from buildtools.explain import explain
from buildtools.findings import Cause
from buildtools.processes import redact
from buildtools.stack.broker_id import cluster_conflict, cluster_id
from buildtools.stack.checks import check_port, health, port_is_free
from buildtools.stack.commands import Machine
from buildtools.stack.compose import Compose, find_compose
from buildtools.stack.containers import (
    Container,
    containers,
    foreign_folder,
    kill,
    log_of,
    mode_of,
    publisher,
    read_file,
    runs_broker,
    state_of,
)
from buildtools.stack.docker_endpoint import (
    Endpoint,
    asking,
    connect,
    find_endpoint,
    refuse_remote,
)
from buildtools.stack.docker_start import Start
from buildtools.stack.docker_volumes import (
    check_volumes,
    make_volumes,
    nameless_volumes,
    plan_volumes,
    remove_nameless,
    remove_volumes,
)
from buildtools.stack.listeners import PROXY, listener
from buildtools.stack.memory import remember, remembered_mode
from buildtools.stack.reset import Plan, Removable, check_confirmed, environment_refusals
from buildtools.stack.services import Service, services
from buildtools.stack.settings import Mode, Settings
from buildtools.stack.states import EngineName, State
from buildtools.stack.trouble import StackError
from buildtools.stack.volumes import check_space
from buildtools.stack.zookeeper import ZooKeeperError

if TYPE_CHECKING:
    import docker

META = "/var/lib/kafka/data/meta.properties"
"""Where the broker keeps its cluster's id, in its container; the mount is in the compose file."""
_TAIL_LINES = 12
_OTHER_CLUSTER = re.compile(r"Invalid cluster\.id in: \S+ Expected ([\w-]+), but read ([\w-]+)")
"""What Kafka's storage tool says of data that was formatted for another cluster (KRaft)."""


class DockerEngine:
    """See :class:`buildtools.stack.states.Engine`; nothing is asked of Docker before it must be."""

    name = EngineName.DOCKER

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._environ = environ
        self._endpoint: Endpoint | None = None
        self._client: docker.DockerClient | None = None
        self._program: tuple[str, ...] = ()

    @property
    def endpoint(self) -> Endpoint:
        """The engine that Docker's client would ask."""
        if self._endpoint is None:
            self._endpoint = find_endpoint(self._environ)
        return self._endpoint

    def check(self) -> str:
        """Raise :class:`BuildtoolsError` when it cannot be used; else what it is."""
        client = self._docker()
        with asking(self.endpoint, "the Docker engine does not answer"):
            version = str(client.version().get("Version", "?"))
        words = " ".join(map(_base, self._program))
        return f"Docker {version} answers at {self.endpoint}, with {words}"

    def mode(self) -> Mode | None:
        """The mode of the broker's container, else of the last start."""
        return mode_of(self._containers()) or remembered_mode(self._settings)

    def up(
        self, mode: Mode, wanted: Sequence[Service], machine: Machine, *, timeout: float
    ) -> None:
        """Start what does not run, wave by wave; when it fails, end what was started."""
        compose = self._compose(mode)
        found = self._containers()
        self._check_mode(mode, found)
        self._check_folder(found)
        layout = compose.layout()
        check_volumes(self._docker(), self.endpoint, self._settings, layout.volumes)
        missing = tuple(one for one in wanted if not _runs(found, one))
        self._clear(compose, [one for one in missing if one.name in found])
        for one in missing:
            self._check_port(one)
        self._check_space()
        remember(self._settings, mode, EngineName.DOCKER)
        self._pull(compose, layout.images, missing, machine)
        start = Start(
            self, compose, machine.tell, missing=missing, deadline=time.monotonic() + timeout
        )
        new: dict[str, tuple[str, ...]] = {}
        try:
            # Of all services, since compose makes them all at the first start of any.
            for name, own in layout.plain.items():
                new[name] = make_volumes(self._docker(), self.endpoint, self._settings, own)
            start.carry_out(wanted)
        except BaseException:
            half = {name: made for name, made in new.items() if name not in start.healthy}
            self._take_back(compose, missing, half)
            raise

    def down(self, mode: Mode, named: Sequence[Service], tell: Callable[[str, str], None]) -> None:
        """Stop and remove containers; volumes with a name stay, those without go with them."""
        compose = self._compose(mode)
        found = self._containers()
        self._check_folder(found)
        there = [one for one in named if one.name in found]
        for one in there:
            tell(one.name, "stopping")
        self._clear(compose, there)
        for one in there:
            tell(one.name, "down")
        if not self._containers():
            self._remove_network(compose)

    def states(self, mode: Mode, *, look: bool = True) -> tuple[State, ...]:
        """How each container stands, by its own health check or, sooner, asked from here."""
        found = self._containers()
        every = []
        for service in services(self._settings, mode):
            one = found.get(service.name)
            broker = mode is Mode.ZOOKEEPER and service.name == "kafka"
            waits = self.waiting_for(one) if broker else ""
            runs = one is not None and one.status == "running" and not one.healthy and not waits
            answers = look and runs and not health(service.name, self._settings)
            every.append(state_of(service, one, waits, answers=answers))
        return tuple(every)

    def log_tail(self, service: str) -> str:
        """The last lines that the container said."""
        one = self._containers().get(service)
        if one is None:
            return ""
        return redact(log_of(one, self.endpoint, lines=_TAIL_LINES), self._settings.secrets)

    def broker_lives(self) -> bool:
        """Whether a broker's process runs in the container (it may still wait to start it)."""
        one = self._containers().get("kafka")
        return one is not None and runs_broker(one, self.endpoint)

    def plan_reset(self, sources: Mapping[str, Mapping[str, str]]) -> Plan:
        """The project's own volumes of both modes; a remote engine is not even asked."""
        refusals = environment_refusals(sources)
        if not self.endpoint.local:
            why = f"Docker's engine is at {self.endpoint}, which is not this machine"
            return Plan(project=self._settings.project, volumes=(), refusals=(*refusals, why))
        names: dict[str, str] = {}
        for mode in Mode:
            names.update(self._compose(mode).layout().volumes)
        if why := foreign_folder(self._containers(), self._settings):
            refusals = (*refusals, why)
        found, strange = plan_volumes(self._docker(), self.endpoint, self._settings, names)
        return Plan(project=self._settings.project, volumes=found, refusals=(*refusals, *strange))

    def carry_out(self, plan: Plan, typed: str) -> None:
        """Remove the plan's volumes, labels looked at again."""
        check_confirmed(plan, typed)
        remove_volumes(self._docker(), self.endpoint, self._settings, plan.volumes)

    # What a start needs.

    def container(self, service: Service) -> Container | None:
        """A service's container as it is now."""
        return self._containers().get(service.name)

    def waiting_for(self, one: Container | None) -> str:
        """What a broker's container waits for before it starts the broker; nothing if it does not.

        The compose file has it wait for an old registration in ZooKeeper to expire.
        """
        if one is None or one.status != "running" or one.health == "healthy":
            return ""
        log = log_of(one, self.endpoint, lines=1)
        return log.strip() if log.startswith("waiting: ") else ""

    def check_cluster(self, one: Container) -> None:
        """Refuse to start a broker whose data is another ZooKeeper's; it is only created yet."""
        from buildtools.stack.properties import cluster_of

        text = read_file(one, self.endpoint, META)
        own = None if text is None else cluster_of(text)
        try:
            why = cluster_conflict(own, cluster_id(self._settings.zookeeper_port))
        except ZooKeeperError as error:
            raise StackError(
                "ZooKeeper does not answer", cause=Cause.BROKER_UNREACHABLE, why=str(error)
            ) from error
        if why:
            raise StackError(
                "kafka was not started",
                cause=Cause.KAFKA_CLUSTER_ID,
                why=why,
                next_step="keep or remove the data of Kafka and ZooKeeper together: "
                "buildtools stack reset",
            )

    def failure(self, service: Service, what: str, one: Container | None) -> StackError:
        """Why a service did not start, by its log."""
        text = "" if one is None else log_of(one, self.endpoint, lines=400)
        text = redact(text, self._settings.secrets)
        found = explain(text)
        tail = "\n".join(text.splitlines()[-_TAIL_LINES:])
        other = _OTHER_CLUSTER.search(text)
        if found.cause is Cause.KAFKA_CLUSTER_ID and other is not None:
            return StackError(
                what,
                cause=found.cause,
                where=f"container {one.name}" if one else service.name,
                why=f"its data is of cluster {other[2]}, .stack/.env names {other[1]}: one of them "
                "is not of this stack's making",
                next_step=f"KAFKA_CLUSTER_ID={other[2]} in .stack/.env keeps the data; buildtools "
                "stack reset empties it",
            )
        health = "" if one is None or not one.said else f"its health check says: {one.said}\n"
        return StackError(
            what,
            cause=found.cause if found.known else Cause.UNKNOWN,
            where=f"container {one.name}" if one else service.name,
            why=health + (f"{found.explanation}\n{tail}" if found.known else tail),
            next_step=found.remedy if found.known else "see its log, above",
        )

    def _docker(self) -> docker.DockerClient:
        if self._client is None:
            refuse_remote(self.endpoint)
            self._compose(Mode.ZOOKEEPER)  # what is missing here is said before an engine is asked
            self._client = connect(self.endpoint, self._environ)
        return self._client

    def _compose(self, mode: Mode) -> Compose:
        if not self._program:
            self._program = find_compose(self._environ)
        return Compose(
            program=self._program, settings=self._settings, mode=mode, environ=self._environ
        )

    def _containers(self) -> Mapping[str, Container]:
        return containers(self._docker(), self.endpoint, self._settings.project)

    def _check_mode(self, mode: Mode, found: Mapping[str, Container]) -> None:
        other = mode_of(found)
        if other is not None and other is not mode and found["kafka"].status != "exited":
            raise StackError(
                f"the stack runs in {other} mode",
                next_step="buildtools stack down, then up again in the other mode",
            )

    def _check_folder(self, found: Mapping[str, Container]) -> None:
        if why := foreign_folder(found, self._settings):
            raise StackError(
                f"the project {self._settings.project} is another folder's stack",
                why=why,
                next_step="give this one another STACK_PROJECT in .stack/.env",
            )

    def _check_port(self, service: Service) -> None:
        """Name who holds a port: a container, the engine for one that is gone, or a program."""
        if port_is_free(service.port):
            return
        holder = publisher(self._docker(), self.endpoint, service.port)
        who = listener(service.port)
        if not holder and who.startswith(PROXY):
            raise StackError(
                f"port {service.port} is taken",
                where=f"{service.name} on 127.0.0.1",
                why=f"Docker's engine holds it for a container that is gone, by its {who}: it does "
                "so when it crashed amid that container's start",
                next_step="restart the engine (systemctl restart docker), then buildtools stack up",
            )
        check_port(service.name, service.port, holder)

    def _check_space(self) -> None:
        """Of an engine whose data folder can be seen from here; others say it themselves."""
        with asking(self.endpoint, "the Docker engine does not answer"):
            folder = Path(str(self._docker().info().get("DockerRootDir", "")))
        if folder.is_absolute() and folder.is_dir():
            check_space(folder, shutil.disk_usage(folder).free)

    def _pull(
        self,
        compose: Compose,
        images: Mapping[str, str],
        missing: Sequence[Service],
        machine: Machine,
    ) -> None:
        import docker.errors

        for service in missing:
            name, image = service.name, images[service.name]
            with asking(self.endpoint, f"image {image} could not be looked at"):
                try:
                    self._docker().images.get(image)
                    continue
                except docker.errors.ImageNotFound:
                    machine.tell(name, f"pulling: {image}")
            compose.pull(name, machine.tell)

    def _clear(self, compose: Compose, named: Sequence[Service]) -> None:
        """Stop and remove these services' containers, with the volumes that have no name."""
        if not named:
            return
        names = [one.name for one in named]
        seconds = sum(one.grace for one in named) + 60
        held = (one.handle for name, one in self._containers().items() if name in names)
        nameless = nameless_volumes(held)
        compose.do("stop", *names, timeout=seconds, what="the containers could not be stopped")
        compose.do(
            *("rm", "--force", "--volumes", *names),
            timeout=seconds,
            what="the containers could not be removed",
        )
        remove_nameless(self._docker(), self.endpoint, nameless)

    def _take_back(
        self, compose: Compose, started: Sequence[Service], half: Mapping[str, tuple[str, ...]]
    ) -> None:
        """End what a start began, with the volumes that it made for those that never were healthy.

        An image that finds half of its data takes it for the whole: MySQL's would never make its
        accounts. What goes is not waited for.
        """
        found = self._containers()
        kill([one for name, one in found.items() if half.get(name)], self.endpoint)
        self._clear(compose, started)
        new = [Removable(name=name, where=name) for made in half.values() for name in made]
        remove_volumes(self._docker(), self.endpoint, self._settings, new)
        if not self._containers():
            self._remove_network(compose)

    def _remove_network(self, compose: Compose) -> None:
        compose.do("down", what="the stack's network could not be removed")


def _runs(found: Mapping[str, Container], service: Service) -> bool:
    one = found.get(service.name)
    return one is not None and one.status == "running"


def _base(word: str) -> str:
    return Path(word).name
