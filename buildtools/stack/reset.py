"""Reset: every volume of a stopped stack removed together. Refused in production."""

from __future__ import annotations

import ipaddress
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from buildtools.stack.settings import Settings
from buildtools.stack.trouble import StackError
from buildtools.stack.volumes import Volume, foreign, volume

_ENVIRONMENTS = ("APP_ENV", "NODE_ENV")
_HOSTS = ("DB_HOST", "REDIS_HOST")
_URLS = ("DATABASE_URL", "REDIS_URL")
_LISTS = ("KAFKA_BROKERS",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a reset would do: ``volumes`` are removed; ``refusals`` are why it will not."""

    project: str
    volumes: tuple[Volume, ...]
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
        volumes=found,
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
    return tuple(found)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by name or by number; names are not resolved."""
    bare = host.strip().strip("[]").lower().rstrip(".")
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def carry_out(plan: Plan, settings: Settings, typed: str) -> None:
    """Remove the volumes of a plan; the services must be down.

    The plan is made of what was seen a moment ago: labels are looked at again. All volumes are
    moved away first, so that Kafka's data never stays behind without ZooKeeper's.
    """
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
    for one in plan.volumes:
        if why := foreign(settings, one):
            raise StackError(f"volume {one.name} has changed", where=str(one.folder), why=why)
    _remove(plan.volumes, settings)


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
