"""``docker compose`` with the stack's file, its project name and its variables."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from buildtools.errors import BuildtoolsError, CannotLookError
from buildtools.explain import explain
from buildtools.findings import Cause
from buildtools.processes import Completed, run
from buildtools.stack.docker_endpoint import INSTEAD, docker_environment, docker_program
from buildtools.stack.settings import Mode, Settings, env_file, env_text, read_env
from buildtools.stack.topics import stack_file
from buildtools.stack.trouble import StackError

FILES: Mapping[Mode, str] = {Mode.ZOOKEEPER: "compose.yaml", Mode.KRAFT: "compose.kraft.yaml"}
IMAGES = ("ZOOKEEPER_IMAGE", "KAFKA_IMAGE", "KAFKA_KRAFT_IMAGE", "MYSQL_IMAGE", "REDIS_IMAGE")
_LEAST_MAJOR = 2
_SECONDS = 60.0
_PULL_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What compose makes of a file: each service's image, each volume's whole name by its key.

    ``plain`` are the volumes with nothing but a name, by service: key and whole name.
    """

    images: Mapping[str, str]
    volumes: Mapping[str, str]
    plain: Mapping[str, Mapping[str, str]]


def _plain(mount: Mapping[str, str], volumes: Mapping[str, Mapping[str, object]]) -> bool:
    return mount["type"] == "volume" and set(volumes.get(mount.get("source", ""), ())) == {"name"}


def find_compose(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The words that start compose. Raises :class:`StackError` where there is only version 1."""
    env = docker_environment(environ)
    plugin = (docker_program(environ), "compose")
    alone = shutil.which("docker-compose", path=environ.get("PATH", ""))
    found = "no compose"
    for words in (plugin, (alone,) if alone else ()):
        if not words:
            continue
        done = run((*words, "version", "--short"), timeout=30, env=env)
        version = re.search(r"(\d+)\.\d+", done.stdout) if done.ok else None
        if version is not None and int(version[1]) >= _LEAST_MAJOR:
            return words
        if version is not None:
            found = f"only version {done.stdout.strip()}"
    raise StackError(
        "Docker Compose 2 is not on this machine",
        why=f"there is {found}; version 1 does not wait for health in the order of this file",
        next_step="install Docker's compose plugin (apt-get install docker-compose-plugin or, from "
        f"Debian 13 on, docker-compose), {INSTEAD}",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Compose:
    """Compose for one project and mode. Methods raise :class:`BuildtoolsError` with its words."""

    program: tuple[str, ...]
    settings: Settings
    mode: Mode
    environ: Mapping[str, str]

    @property
    def file(self) -> Path:
        """The compose file: the project's own, else the one that ships."""
        return stack_file(FILES[self.mode], self.settings.root)

    def layout(self) -> Layout:
        """The file as compose reads it, with every variable put in."""
        done = self._run(("config", "--format", "json"), timeout=_SECONDS)
        if not done.ok:
            raise self._failure(done, "the compose file cannot be used")
        try:
            found = json.loads(done.stdout)
            images = {name: one["image"] for name, one in found["services"].items()}
            every = found.get("volumes", {})
            volumes = {name: one["name"] for name, one in every.items()}
            mounts = {name: one.get("volumes", ()) for name, one in found["services"].items()}
            plain = {
                name: {one["source"]: volumes[one["source"]] for one in own if _plain(one, every)}
                for name, own in mounts.items()
            }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CannotLookError(
                "the compose file cannot be used", where=str(self.file), why=str(error)
            ) from error
        return Layout(images=images, volumes=volumes, plain=plain)

    def do(
        self,
        *words: str,
        timeout: float = _SECONDS,
        what: str,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        """Run one of its commands; ``what`` says what failed when it fails."""
        done = self._run(words, timeout=timeout, on_line=tell)
        if not done.ok:
            raise self._failure(done, what)

    def pull(self, service: str, tell: Callable[[str, str], None]) -> None:
        """Get the image of a service, which takes as long as it takes."""
        try:
            self.do(
                *("pull", service),
                timeout=_PULL_SECONDS,
                what=f"the image of {service} could not be had",
                tell=lambda line: tell(service, f"pulling: {line}"),
            )
        except BuildtoolsError as error:
            if getattr(error, "cause", None) is Cause.NO_SPACE:
                raise
            raise StackError(
                error.what,
                where=error.where,
                why=error.why,
                next_step="check the network and docker login, name other images in .stack/.env "
                f"({', '.join(IMAGES)}), {INSTEAD}",
            ) from error

    def _run(
        self,
        words: Sequence[str],
        *,
        timeout: float,
        on_line: Callable[[str], None] | None = None,
    ) -> Completed:
        settings = self.settings
        return run(
            (
                *self.program,
                *("--ansi", "never", "--project-name", settings.project),
                *("--project-directory", str(settings.root)),
                *("--env-file", str(env_file(settings.root)), "--file", str(self.file)),
                *words,
            ),
            timeout=timeout,
            env={**docker_environment(self.environ), **self._variables()},
            cwd=settings.root,
            on_line=on_line,
            secrets=settings.secrets,
        )

    def _variables(self) -> dict[str, str]:
        """The settings under their names in the file, as this program read them."""
        one = self.settings
        own = read_env(env_text(env_file(one.root)))
        images = {name: self.environ.get(name) or own.get(name, "") for name in IMAGES}
        return {
            "STACK_PROJECT": one.project,
            "ZOOKEEPER_PORT": str(one.zookeeper_port),
            "KAFKA_PORT": str(one.kafka_port),
            "KAFKA_ADVERTISED_HOST": one.advertised_host,
            "KAFKA_CLUSTER_ID": one.cluster_id,
            "DB_PORT": str(one.db_port),
            "DB_NAME": one.db_name,
            "DB_USER": one.db_user,
            "DB_PASSWORD": one.db_password,
            "DB_ROOT_PASSWORD": one.db_root_password,
            "REDIS_PORT": str(one.redis_port),
            "REDIS_PASSWORD": one.redis_password,
            **{name: image for name, image in images.items() if image},
        }

    def _failure(self, done: Completed, what: str) -> BuildtoolsError:
        said = done.tail(8)
        if done.timed_out:
            said = f"nothing came of it in {done.seconds:.0f} s\n{said}"
        if "address already in use" in said or "port is already allocated" in said:
            return StackError(
                "a port is taken",
                where=str(self.file),
                why=said,
                next_step="end the program that listens there, or name another port in .stack/.env",
            )
        found = explain(said)
        if "no space left on device" in said:
            return StackError(
                what,
                cause=Cause.NO_SPACE,
                where="Docker's data folder",
                why=said,
                next_step="docker system df; docker image prune",
            )
        return StackError(
            what,
            cause=found.cause if found.known else Cause.UNKNOWN,
            where=str(self.file),
            why=said,
            next_step=found.remedy if found.known else "docker compose ps; docker compose logs",
        )
