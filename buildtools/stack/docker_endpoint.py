"""Which Docker engine a command would speak to, asked of the client itself; and speaking to it.

``docker context inspect`` knows the order in which ``DOCKER_HOST``, ``DOCKER_CONTEXT`` and the
chosen context count, and asks no engine. Compose follows the same order.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildtools.errors import CannotLookError
from buildtools.processes import PASSED_ON, clean_environment, redact, run
from buildtools.stack.reset import is_local
from buildtools.stack.trouble import StackError, missing_extra

if TYPE_CHECKING:
    import docker

_PASSED = (
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY"),
    *("DOCKER_TLS", "DOCKER_API_VERSION", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR"),
)
ANSWER_SECONDS = 5.0
"""How long an engine may take for its version; a living one takes milliseconds."""
WORK_SECONDS = 120.0
LEAST_API = (1, 40)
"""Engine 19.03: health checks with a start period, and compose's labels as they are used here."""
INSTEAD = "or run the stack without Docker: --engine process"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An engine's address (``unix:///var/run/docker.sock``) and the context that names it."""

    context: str
    host: str

    @property
    def local(self) -> bool:
        """Whether the engine is this machine's own."""
        return is_local(self.host)

    def __str__(self) -> str:
        named = "" if self.context == "default" else f" (context {self.context})"
        return f"{redact(self.host)}{named}"


def docker_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What a child of Docker's needs: which engine, with which configuration."""
    names = (*_PASSED, *PASSED_ON)
    return clean_environment({name: environ[name] for name in names if name in environ})


def docker_program(environ: Mapping[str, str]) -> str:
    """Where Docker's client is. Raises :class:`CannotLookError`."""
    found = shutil.which("docker", path=environ.get("PATH", ""))
    if found is None:
        raise CannotLookError(
            "Docker is not on this machine",
            why="no docker on PATH",
            next_step=f"install Docker (apt-get install docker.io, or Docker Desktop), {INSTEAD}",
        )
    return found


def find_endpoint(environ: Mapping[str, str]) -> Endpoint:
    """The engine that Docker's client would ask. Raises :class:`CannotLookError`."""
    words = (docker_program(environ), "context", "inspect")
    done = run(words, timeout=30, env=docker_environment(environ))
    try:
        found = json.loads(done.stdout)[0]
        return Endpoint(context=found["Name"], host=found["Endpoints"]["docker"]["Host"])
    except (ValueError, LookupError, TypeError) as error:
        raise CannotLookError(
            "Docker's context cannot be read",
            why=str(error) if done.ok else done.tail(3),
            next_step="docker context ls; docker context use default",
        ) from error


def refuse_remote(endpoint: Endpoint) -> None:
    """Raise :class:`StackError` unless the engine is this machine's own."""
    if not endpoint.local:
        raise StackError(
            "the Docker engine is not this machine's",
            where=str(endpoint),
            why="the stack is reached on 127.0.0.1, and its data must not land on another machine",
            next_step=f"docker context use default, unset DOCKER_HOST, {INSTEAD}",
        )


def connect(endpoint: Endpoint, environ: Mapping[str, str]) -> docker.DockerClient:
    """A client of an engine that answers and is new enough.

    Raises :class:`CannotLookError` when it does not answer in time, :class:`StackError` when it is
    remote or too old.
    """
    refuse_remote(endpoint)
    try:
        import docker
        from docker.utils import kwargs_from_env
    except ImportError as error:
        raise missing_extra("docker") from error
    options = kwargs_from_env(environment=dict(environ)) | {"base_url": endpoint.host}
    try:
        client = docker.DockerClient(**options, version="auto", timeout=ANSWER_SECONDS)
        found = str(client.version()["ApiVersion"])
    except Exception as error:  # the SDK lets requests' and urllib3's own through as well
        raise _no_answer(endpoint, str(error), _last_word(error.__cause__ or error)) from error
    if tuple(int(part) for part in found.split(".")[:2]) < LEAST_API:
        raise _too_old(endpoint, f"its API is {found}")
    client.close()
    return docker.DockerClient(**options, version="auto", timeout=WORK_SECONDS)


@contextmanager
def asking(endpoint: Endpoint, what: str) -> Iterator[None]:
    """Turn what the SDK raises into :class:`CannotLookError`; ``what`` could not be done."""
    import docker.errors
    import requests

    try:
        yield
    except requests.ConnectionError as error:
        raise CannotLookError(
            f"the Docker engine is gone: {what}",
            where=str(endpoint),
            why=f"it answered a moment ago, and now: {_last_word(error)}",
            next_step="start it again (Docker Desktop, or systemctl start docker), then buildtools "
            "stack up takes up what is left, and stack down ends it",
        ) from error
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        raise CannotLookError(what, where=str(endpoint), why=redact(str(error))) from error


def _last_word(error: BaseException) -> str:
    """The operating system's own words, below what the SDK's libraries wrap around them."""
    for one in (error, *error.args):
        for found in (one, *getattr(one, "args", ())):
            if isinstance(found, OSError) and found.strerror:
                return str(found.strerror)
    return redact(str(error))


def _no_answer(endpoint: Endpoint, said: str, shown: str) -> Exception:
    start = "start it (Docker Desktop, or systemctl start docker), " + INSTEAD
    if "too old" in said or "API versions below" in said:
        return _too_old(endpoint, said)
    if "timed out" in said.lower() or "timeout" in said.lower():
        return CannotLookError(
            "the Docker engine does not answer",
            where=str(endpoint),
            why=f"it accepted the connection and was silent for {ANSWER_SECONDS:.0f} s",
            next_step=f"restart it (Docker Desktop, or systemctl restart docker), {INSTEAD}",
        )
    if "Permission denied" in said:
        return CannotLookError(
            "the Docker engine does not let this user in",
            where=str(endpoint),
            why="permission denied at its socket",
            next_step=f"join its group (usermod -aG docker USER, then log in anew), {INSTEAD}",
        )
    return CannotLookError(
        "no Docker engine answers", where=str(endpoint), why=shown, next_step=start
    )


def _too_old(endpoint: Endpoint, why: str) -> StackError:
    least = ".".join(map(str, LEAST_API))
    return StackError(
        "the Docker engine is too old for the stack",
        where=str(endpoint),
        why=f"{why}; {least} (Docker 19.03) is the least: a health check's start period, by which "
        "services are started in order",
        next_step=f"upgrade Docker, {INSTEAD}",
    )
