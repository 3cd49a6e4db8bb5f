"""What the stack consists of: names, order and times to stop, as in the compose files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from buildtools.errors import UsageError
from buildtools.stack.settings import Mode, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service: ``after`` must be healthy before it starts; ``grace`` in seconds to stop.

    ``ports`` are those that it listens on, ``port`` the one for clients; ``volumes`` hold its data.
    """

    name: str
    port: int
    ports: tuple[int, ...]
    volumes: tuple[str, ...]
    after: tuple[str, ...] = ()
    grace: float = 30.0


def services(settings: Settings, mode: Mode) -> tuple[Service, ...]:
    """The services of a mode, in the order in which they start."""
    inside = (settings.kafka_port, settings.inside_port)
    mysql = Service(
        name="mysql",
        port=settings.db_port,
        ports=(settings.db_port,),
        volumes=("mysql-data",),
        grace=60.0,
    )
    redis = Service(
        name="redis",
        port=settings.redis_port,
        ports=(settings.redis_port,),
        volumes=("redis-data",),
    )
    if mode is Mode.KRAFT:
        kafka = Service(
            name="kafka",
            port=settings.kafka_port,
            ports=(*inside, settings.controller_port),
            volumes=("kafka-kraft-data",),
            grace=60.0,
        )
        return (kafka, mysql, redis)
    zookeeper = Service(
        name="zookeeper",
        port=settings.zookeeper_port,
        ports=(settings.zookeeper_port,),
        volumes=("zookeeper-data",),
    )
    kafka = Service(
        name="kafka",
        port=settings.kafka_port,
        ports=inside,
        volumes=("kafka-data",),
        after=("zookeeper",),
        grace=60.0,
    )
    return (zookeeper, kafka, mysql, redis)


def chosen(every: Sequence[Service], names: Sequence[str]) -> tuple[Service, ...]:
    """The named services with those that they need; all when none is named."""
    known = {service.name: service for service in every}
    for name in names:
        if name not in known:
            raise UsageError(
                f"the stack has no service {name!r}", next_step=f"one of: {', '.join(known)}"
            )
    wanted = set(names or known)
    for service in reversed(every):
        if service.name in wanted:
            wanted.update(service.after)
    return tuple(service for service in every if service.name in wanted)
