"""The broker's registration in ZooKeeper: whose it is, how old, waited out, deleted with care.

A broker that is killed leaves ``/brokers/ids/1`` behind until its session expires (18 s here); one
that starts meanwhile ends with ``NodeExists`` (KAFKA-1387, KAFKA-6584, KAFKA-14845).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from buildtools.findings import Cause
from buildtools.stack.trouble import StackError
from buildtools.stack.zookeeper import Node, ZooKeeper, ZooKeeperError

BROKER = 1
PATH = f"/brokers/ids/{BROKER}"
CLUSTER_PATH = "/cluster/id"
SESSION_SECONDS = 18.0
WAIT_SECONDS = 45.0
"""How long a registration is waited out: the session and ZooKeeper's longest, which is 40 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A broker's node; ``age`` in seconds, ``endpoints`` as the broker gave them."""

    owner: int
    version: int
    age: float
    endpoints: tuple[str, ...]

    def __str__(self) -> str:
        where = f", of a broker at {', '.join(self.endpoints)}" if self.endpoints else ""
        return f"{PATH} is held by session 0x{self.owner:x} since {self.age:.0f} s{where}"


def registration_of(node: Node, now: float) -> Registration:
    """What a node says; ``now`` in seconds since 1970."""
    try:
        found = json.loads(node.data)
        endpoints = tuple(str(one) for one in found.get("endpoints", ()))
    except (ValueError, AttributeError, TypeError):
        endpoints = ()
    return Registration(
        owner=node.owner,
        version=node.version,
        age=max(0.0, now - node.created / 1000),
        endpoints=endpoints,
    )


def registration(port: int) -> Registration | None:
    """The broker's registration, or None. Raises :class:`ZooKeeperError`."""
    with ZooKeeper(port) as zookeeper:
        node = zookeeper.node(PATH)
    return None if node is None else registration_of(node, time.time())


def cluster_id(port: int) -> str | None:
    """The cluster's id as ZooKeeper has it, or None. Raises :class:`ZooKeeperError`."""
    with ZooKeeper(port) as zookeeper:
        node = zookeeper.node(CLUSTER_PATH)
    try:
        return None if node is None else str(json.loads(node.data)["id"])
    except (ValueError, KeyError, TypeError):
        return ""


def wait_out(
    look: Callable[[], Registration | None],
    *,
    tell: Callable[[Registration], None],
    seconds: float = WAIT_SECONDS,
    pause: float = 0.25,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Registration | None:
    """Wait until nobody holds the id; the registration that is still there after ``seconds``."""
    begin = clock()
    while True:
        found = look()
        if found is None:
            return None
        tell(found)
        if clock() - begin >= seconds:
            return found
        sleep(pause)


def lives(
    seen: Registration,
    *,
    process: Callable[[], bool],
    session: Callable[[int], bool | None],
    looks: int = 2,
    pause: float = 1.0,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Whether the broker of a registration lives: its process is there, or its session connected.

    A broker is dead by more than one look alone: one that answers late, or that is just connecting
    anew, is alive. What could not be asked is raised as the question raised it.
    """
    for look in range(looks):
        if look:
            sleep(pause)
        if session(seen.owner) or process():
            return True
    return False


def delete_registration(port: int, seen: Registration) -> None:
    """Delete the node that was seen: version and owner are read again right before.

    Raises :class:`StackError` when it is no longer that node.
    """
    try:
        with ZooKeeper(port) as zookeeper:
            node = zookeeper.node(PATH)
            if node is None:
                return
            same = node.owner == seen.owner and node.version == seen.version
            if same and zookeeper.delete(PATH, node.version):
                return
    except ZooKeeperError as error:
        raise StackError(
            f"{PATH} could not be deleted",
            cause=Cause.BROKER_UNREACHABLE,
            why=str(error),
            next_step="buildtools stack status",
        ) from error
    raise StackError(
        f"{PATH} was not deleted",
        cause=Cause.ZOOKEEPER_NODE_EXISTS,
        why=f"it was session 0x{seen.owner:x}'s, and another has registered since",
        next_step="a broker is starting or runs: buildtools stack status",
    )


def cluster_conflict(kafka: str | None, zookeeper: str | None) -> str:
    """Why Kafka's data does not belong to this ZooKeeper, or nothing.

    ``kafka`` is ``cluster.id`` of its ``meta.properties``, None where it has no data yet.
    """
    if kafka is None or kafka == zookeeper:
        return ""
    if zookeeper is None:
        return f"Kafka's data is of cluster {kafka}, but this ZooKeeper is new and knows of none"
    return f"Kafka's data is of cluster {kafka}, this ZooKeeper of {zookeeper}"
