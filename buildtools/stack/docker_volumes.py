"""The project's volumes in a Docker engine: whose they are, what a reset may remove."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildtools.errors import BuildtoolsError
from buildtools.stack.containers import PROJECT
from buildtools.stack.docker_endpoint import Endpoint, asking
from buildtools.stack.reset import Removable
from buildtools.stack.settings import Settings, env_file
from buildtools.stack.trouble import StackError

if TYPE_CHECKING:
    import docker

VOLUME = "com.docker.compose.volume"
FOLDER = "buildtools.stack.folder"
"""The label that names the project's folder: two folders' projects may have one name."""
_NAMELESS = re.compile(r"[0-9a-f]{64}")


def check_volumes(
    client: docker.DockerClient, endpoint: Endpoint, settings: Settings, names: Mapping[str, str]
) -> None:
    """Refuse to start on a volume that is somebody else's; compose would use it as it is."""
    for key, one in _there(client, endpoint, names):
        if why := foreign(one, key, settings):
            raise StackError(
                f"volume {one.name} is not this stack's",
                where=str(endpoint),
                why=why,
                next_step="give this project another STACK_PROJECT in .stack/.env",
            )


def make_volumes(
    client: docker.DockerClient, endpoint: Endpoint, settings: Settings, names: Mapping[str, str]
) -> tuple[str, ...]:
    """Make those of these volumes that are not there, with compose's labels and the folder's.

    Compose takes them as its own. Gives the names of those that were made.
    """
    there = {one.name for _, one in _there(client, endpoint, names)}
    made = []
    for key, name in names.items():
        if name in there:
            continue
        labels = {PROJECT: settings.project, VOLUME: key, FOLDER: str(settings.root.resolve())}
        with asking(endpoint, f"volume {name} could not be made"):
            client.volumes.create(name, labels=labels)
        made.append(name)
    return tuple(made)


def plan_volumes(
    client: docker.DockerClient, endpoint: Endpoint, settings: Settings, names: Mapping[str, str]
) -> tuple[tuple[Removable, ...], tuple[str, ...]]:
    """What of these volumes is there, and why some must not be removed."""
    found, refusals = [], []
    for key, one in _there(client, endpoint, names):
        found.append(Removable(name=one.name, where=f"volume {one.name}"))
        if why := foreign(one, key, settings):
            refusals.append(f"volume {one.name}: {why}")
        with asking(endpoint, "the containers cannot be listed"):
            users = client.containers.list(all=True, filters={"volume": one.name})
        refusals += [
            f"volume {one.name}: container {user.name}, which is not the stack's, uses it"
            for user in users
            if user.labels.get(PROJECT) != settings.project
        ]
    return tuple(found), tuple(refusals)


def remove_volumes(
    client: docker.DockerClient,
    endpoint: Endpoint,
    settings: Settings,
    wanted: Sequence[Removable],
) -> None:
    """Remove the volumes of a plan; all are looked at again before the first one goes."""
    handles = []
    for planned in wanted:
        with asking(endpoint, f"volume {planned.name} cannot be looked at"):
            one = client.volumes.get(planned.name)
        if why := foreign(one, None, settings):
            raise StackError(f"volume {one.name} has changed", where=str(endpoint), why=why)
        handles.append(one)
    gone: list[str] = []
    for one in handles:
        try:
            with asking(endpoint, f"volume {one.name} could not be removed"):
                one.remove()
        except BuildtoolsError as error:
            raise StackError(
                error.what,
                where=error.where,
                why=f"{error.why}; removed before it: {', '.join(gone) or 'none'}",
                next_step="mend that, and run the same reset again: data of Kafka and ZooKeeper "
                "only goes together",
            ) from error
        gone.append(one.name)


def nameless_volumes(handles: Iterable[Any]) -> tuple[str, ...]:
    """The volumes without a name, which an image declares, that these containers hold."""
    mounts = [mount for one in handles for mount in one.attrs.get("Mounts") or ()]
    names = {str(mount.get("Name")) for mount in mounts if mount.get("Type") == "volume"}
    return tuple(sorted(name for name in names if _NAMELESS.fullmatch(name)))


def remove_nameless(client: docker.DockerClient, endpoint: Endpoint, names: Iterable[str]) -> None:
    """Remove those of them that outlived their containers.

    A container that compose made anew was handed its volumes on, and the engine no longer counts
    them as the container's own. One that somebody else uses meanwhile stays.
    """
    import docker.errors

    for name in names:
        with asking(endpoint, f"volume {name} could not be removed"):
            try:
                client.volumes.get(name).remove()
            except docker.errors.NotFound:
                continue
            except docker.errors.APIError as error:
                if error.status_code != HTTPStatus.CONFLICT:
                    raise


def foreign(one: Any, key: str | None, settings: Settings) -> str:
    """Why a volume is not this project's, by its labels; nothing when it is."""
    labels: Mapping[str, str] = one.attrs.get("Labels") or {}
    if labels.get(PROJECT) is None:
        return f"it has no label {PROJECT}: compose did not make it"
    if labels[PROJECT] != settings.project:
        return f"it is labelled as a volume of project {labels[PROJECT]}"
    if key is not None and labels.get(VOLUME) != key:
        return f"it is labelled as volume {labels.get(VOLUME)}"
    folder = labels.get(FOLDER, "")
    if folder and Path(folder) != settings.root.resolve() and _has_stack(Path(folder)):
        return f"it belongs to the stack in {folder}"
    return ""


def _has_stack(folder: Path) -> bool:
    """Whether a stack is there; one that is gone was moved here, with its name and its data."""
    try:
        env_file(folder).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass  # another user's, which cannot be looked at
    return True


def _there(
    client: docker.DockerClient, endpoint: Endpoint, names: Mapping[str, str]
) -> Iterable[tuple[str, Any]]:
    with asking(endpoint, "the volumes cannot be listed"):
        every = {one.name: one for one in client.volumes.list()}
    return [(key, every[name]) for key, name in names.items() if name in every]
