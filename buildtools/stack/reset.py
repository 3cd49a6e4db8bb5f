"""Reset: every volume of a stopped stack removed together. Refused in production."""

from __future__ import annotations

import ipaddress
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from buildtools.processes import redact
from buildtools.stack.settings import Settings
from buildtools.stack.trouble import StackError
from buildtools.stack.volumes import Volume, foreign, volume

_ENVIRONMENTS = ("APP_ENV", "NODE_ENV")
_HOSTS = ("DB_HOST", "REDIS_HOST")
_URLS = ("DATABASE_URL", "REDIS_URL")
_LISTS = ("KAFKA_BROKERS",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removable:
    """A volume of either engine; ``where`` is shown: a folder, or the engine's name for it."""

    name: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a reset would do: ``volumes`` are removed; ``refusals`` are why it will not."""

    project: str
    volumes: tuple[Removable, ...]
    refusals: tuple[str, ...]


def plan_reset(settings: Settings, sources: Mapping[str, Mapping[str, str]]) -> Plan:
    """Look, and touch nothing. ``sources`` are variables by where they were read."""
    folder = settings.folder / "volumes"
    names = sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []
    found = tuple(volume(settings, name) for name in names)
    strange = [f"{one.folder}: {why}" for one in found if (why := foreign(settings, one))]
    if folder.is_symlink() or settings.folder.is_symlink():
        strange.append(f"{folder}: it is reached through a link")
    return Plan(
        project=settings.project,
        volumes=tuple(Removable(name=one.name, where=str(one.folder)) for one in found),
        refusals=(*environment_refusals(sources), *strange),
    )


def environment_refusals(sources: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """Why these variables forbid a reset: they say production, or name another machine."""
    found = []
    for where, variables in sources.items():
        found += [
            f"{name} is {variables[name].strip()} ({where})"
            for name in _ENVIRONMENTS
            if variables.get(name, "").strip().lower() in {"production", "prod"}
        ]
        found += [
            f"{name} is on {host}, which is not this machine ({where})"
            for name, host in _hosts(variables)
            if not is_loopback(host)
        ]
        if not is_local(engine := variables.get("DOCKER_HOST", "").strip()):
            found.append(f"DOCKER_HOST is {redact(engine)}, which is not this machine ({where})")
    return tuple(found)


def is_local(address: str) -> bool:
    """Whether a Docker engine at this address (``DOCKER_HOST``'s form) is this machine's own.

    A socket or a pipe, or TCP to a loopback address. ``ssh`` never is, whatever host it names.
    """
    scheme, separator, _ = address.partition("://")
    if not separator:
        return not address or address.startswith("/")
    if scheme in {"unix", "npipe", "fd"}:
        return True
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        return False
    return scheme in {"tcp", "http", "https"} and is_loopback(host)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by name or by number; names are not resolved."""
    bare = host.strip().strip("[]").lower().rstrip(".")
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def check_confirmed(plan: Plan, typed: str) -> None:
    """Raise :class:`StackError` for a plan that is refused, or whose project was not typed."""
    if plan.refusals:
        raise StackError(
            "the reset is refused, and nothing was touched",
            where=plan.project,
            why="\n".join(plan.refusals),
            next_step="this cannot be overridden: remove what stands there if it is really yours",
        )
    if typed != plan.project:
        raise StackError(
            "the reset was not confirmed, and nothing was touched",
            why=f"typed {typed!r}, the project is {plan.project!r}",
            next_step=f"buildtools stack reset --yes --project {plan.project}",
        )


def carry_out(plan: Plan, settings: Settings, typed: str) -> None:
    """Remove the folders of a plan; the services must be down.

    The plan is made of what was seen a moment ago: labels are looked at again. All volumes are
    moved away first, so that Kafka's data never stays behind without ZooKeeper's.
    """
    check_confirmed(plan, typed)
    found = [volume(settings, one.name) for one in plan.volumes]
    for one in found:
        if why := foreign(settings, one):
            raise StackError(f"volume {one.name} has changed", where=str(one.folder), why=why)
    _remove(found, settings)


def _remove(volumes: Sequence[Volume], settings: Settings) -> None:
    trash = settings.folder / "trash"
    away = trash / secrets.token_hex(4)
    away.mkdir(parents=True)
    for one in volumes:
        one.folder.rename(away / one.name)
    shutil.rmtree(trash)


def _hosts(variables: Mapping[str, str]) -> list[tuple[str, str]]:
    found = [(name, variables[name]) for name in _HOSTS if variables.get(name)]
    for name in _URLS:
        if value := variables.get(name):
            try:
                host = urlsplit(value).hostname
            except ValueError:
                host = value
            if host:
                found.append((name, host))
    for name in _LISTS:
        for entry in filter(None, (one.strip() for one in variables.get(name, "").split(","))):
            address = entry.rpartition("://")[2]
            host, colon, port = address.rpartition(":")
            found.append((name, host if colon and port.isdecimal() else address))
    return found
