"""The project's containers, by compose's labels: how they stand, what they say and hold."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildtools.stack.compose import FILES
from buildtools.stack.docker_endpoint import Endpoint, asking
from buildtools.stack.services import Service
from buildtools.stack.settings import Mode, Settings
from buildtools.stack.states import State

if TYPE_CHECKING:
    import docker

PROJECT, SERVICE = "com.docker.compose.project", "com.docker.compose.service"
_FOLDER = "com.docker.compose.project.working_dir"
_FILES = "com.docker.compose.project.config_files"
_ONE_OFF = "com.docker.compose.oneoff=False"
_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container as it was a moment ago; ``handle`` is the SDK's.

    ``status`` and ``health`` are the engine's words (``health`` empty without a check), ``said`` is
    the last answer of the check, ``code`` the last exit code, ``restarts`` counts the engine's own.
    """

    name: str
    service: str
    status: str
    health: str
    said: str
    code: int
    restarts: int
    pid: int
    labels: Mapping[str, str]
    handle: Any

    @property
    def healthy(self) -> bool:
        """Whether it runs and its check, if it has one, passes."""
        return self.status == "running" and self.health in {"healthy", ""}


def containers(
    client: docker.DockerClient, endpoint: Endpoint, project: str
) -> Mapping[str, Container]:
    """The project's containers by their service's name. Raises :class:`CannotLookError`."""
    labels = [f"{PROJECT}={project}", _ONE_OFF]
    with asking(endpoint, "the containers cannot be listed"):
        found = client.containers.list(all=True, filters={"label": labels}, ignore_removed=True)
        return {one.service: one for one in map(_container, found)}


def _container(handle: Any) -> Container:
    state = handle.attrs["State"]
    health = state.get("Health") or {}
    looks = health.get("Log") or [{}]
    return Container(
        name=handle.name,
        service=handle.labels.get(SERVICE, ""),
        status=state["Status"],
        health=health.get("Status", ""),
        said=str(looks[-1].get("Output", "")).strip()[-400:],
        code=int(state.get("ExitCode") or 0),
        restarts=int(handle.attrs.get("RestartCount") or 0),
        pid=int(state.get("Pid") or 0),
        labels=handle.labels,
        handle=handle,
    )


def state_of(
    service: Service, one: Container | None, waits: str, *, answers: bool = False
) -> State:
    """A container's state in the words of all engines; ``waits``: what its start waits for.

    ``answers``: it is well as seen from here, which is sooner than its own check has passed.
    """
    if one is None or one.status == "created":
        return State(service=service, word="down")
    restarts, pid = one.restarts, one.pid or None
    if one.status != "running":
        why = f"{one.status}, last with exit code {one.code}"
        return State(service=service, word="exited", restarts=restarts, why=why)
    if one.healthy or answers:
        word = "healthy" if one.health or answers else "running"
        return State(service=service, word=word, pid=pid, restarts=restarts)
    if waits:
        why = waits.removeprefix("waiting: ")
        return State(service=service, word="waiting", pid=pid, restarts=restarts, why=why)
    why = one.said if one.health == "unhealthy" else "its health check has not passed yet"
    return State(service=service, word="starting", pid=pid, restarts=restarts, why=why)


def mode_of(found: Mapping[str, Container]) -> Mode | None:
    """The mode in which the broker's container was made, by the file that it was made from."""
    kafka = found.get("kafka")
    if kafka is None:
        return None
    names = {Path(one).name for one in kafka.labels.get(_FILES, "").split(",")}
    return next((mode for mode, name in FILES.items() if name in names), None)


def foreign_folder(found: Mapping[str, Container], settings: Settings) -> str:
    """Why these containers are another folder's, or nothing.

    Compose names the folder that it was run in; by hand that is the compose file's own.
    """
    root = settings.root.resolve()
    shipped = Path(__file__).resolve().parents[1] / "_stack"
    own = {root, root / "stack", shipped, shipped.parents[1] / "stack"}
    for one in found.values():
        folder = one.labels.get(_FOLDER, "")
        if folder and Path(folder).resolve() not in own:
            return f"container {one.name} belongs to the stack in {folder}"
    return ""


def log_of(one: Container, endpoint: Endpoint, *, lines: int) -> str:
    """The last lines of both of its streams, unmasked."""
    with asking(endpoint, f"the log of {one.name} cannot be read"):
        said: bytes = one.handle.logs(tail=lines)
    return said.decode(errors="replace")


def publisher(client: docker.DockerClient, endpoint: Endpoint, port: int) -> str:
    """The running container of any project that publishes a port of this machine, or nothing."""
    with asking(endpoint, "the containers cannot be listed"):
        for one in client.containers.list(ignore_removed=True):
            published = [place for every in one.ports.values() for place in every or ()]
            if any(place["HostPort"] == str(port) for place in published):
                return f"container {one.name}"
    return ""


def kill(found: Iterable[Container], endpoint: Endpoint) -> None:
    """End containers at once, whatever they are about."""
    import docker.errors

    for one in found:
        with asking(endpoint, f"{one.name} could not be ended"):
            try:
                one.handle.kill()
            except docker.errors.APIError as error:
                if error.status_code not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                    raise  # those two: it is gone, or does not run


def runs_broker(one: Container, endpoint: Endpoint) -> bool:
    """Whether the container's broker answers its check, or its process is there.

    Health begins anew at each start, so that a healthy one is no broker of before.
    """
    if one.status != "running" or one.health == "healthy":
        return one.status == "running"
    with asking(endpoint, f"the processes of {one.name} cannot be listed"):
        table = one.handle.top()
    return any("kafka.Kafka" in word for row in table.get("Processes") or () for word in row)


def read_file(one: Container, endpoint: Endpoint, path: str) -> str | None:
    """A small file of a container that need not run, volumes included; None without it."""
    import docker.errors

    with asking(endpoint, f"{path} of {one.name} cannot be read"):
        try:
            stream, _ = one.handle.get_archive(path)
            whole = b"".join(stream)
        except docker.errors.NotFound:
            return None
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        member = tar.next()
        content = tar.extractfile(member) if member is not None and member.isfile() else None
        return None if content is None else content.read(_LARGEST).decode(errors="replace")
