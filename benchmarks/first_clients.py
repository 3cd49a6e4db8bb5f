"""Clients that try from before a broker lives until they succeed, each a process of its own.

Moments are of the monotonic clock, which processes of one machine share. The second client speaks
the protocol itself: a library's consumer asks for its coordinator once a second only.
"""

from __future__ import annotations

import multiprocessing
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from typing import TypeAlias

from confluent_kafka import KafkaError, Message, Producer

EVERY_SECONDS = 0.02
_METADATA, _FIND_COORDINATOR, _JOIN = 3, 10, 11


class Moment:
    """When a client first succeeded, once it has."""

    def __init__(self, receiver: Connection) -> None:
        self._receiver = receiver
        self._at: float | None = None

    def at(self, seconds: float) -> float:
        """The moment, waited for; an error when it does not come."""
        if self._at is None:
            if not self._receiver.poll(seconds):
                raise RuntimeError("a client never succeeded")
            self._at = self._receiver.recv()
        return self._at


Client: TypeAlias = Callable[[int, str, Event], float | None]
"""Of a port and a topic's or group's name: when it succeeded, or None when it had to end before."""


@contextmanager
def trying(client: Client, port: int, word: str) -> Iterator[Moment]:
    """Run a client until it has succeeded, or until the end of this."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    over = context.Event()
    process = context.Process(target=_try, args=(client, port, word, over, sender))
    process.start()
    # Its interpreter and imports are there before anything that is measured begins.
    receiver.recv()
    try:
        yield Moment(receiver)
    finally:
        over.set()
        process.join(10)
        if process.is_alive():
            process.kill()


def _try(
    client: Client,
    port: int,
    word: str,
    over: Event,
    sender: Connection,
) -> None:
    sender.send(0.0)
    at = client(port, word, over)
    if at is not None:
        sender.send(at)


def produce(port: int, topic: str, over: Event) -> float | None:
    """A message every 20 ms, none of them retried, until one arrives."""
    arrived: list[float] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        if error is None:
            arrived.append(time.monotonic())

    producer = Producer(
        {
            "bootstrap.servers": f"127.0.0.1:{port}",
            "retries": 0,
            "linger.ms": 0,
            "message.timeout.ms": 1000,
            "reconnect.backoff.ms": 10,
            "reconnect.backoff.max.ms": 20,
            "topic.metadata.refresh.fast.interval.ms": 20,
            # It asks again for a topic that is not there twice as late each time, up to this.
            "retry.backoff.ms": 20,
            "retry.backoff.max.ms": 20,
            "log_level": 0,
        }
    )
    while not arrived and not over.is_set():
        producer.produce(topic, value=b"{}", on_delivery=delivered)
        producer.poll(EVERY_SECONDS)
    producer.purge()
    producer.flush(2)
    return arrived[0] if arrived else None


def join(port: int, group: str, over: Event) -> float | None:
    """A member that asks to join every 20 ms.

    Nobody is asked for the coordinator before its topic is there: the question itself would have
    the broker make it, sooner than without this client.
    """
    while not over.is_set():
        try:
            if _joins(port, group):
                return time.monotonic()
        except (OSError, struct.error, IndexError):
            pass
        time.sleep(EVERY_SECONDS)
    return None


def _joins(port: int, group: str) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=2) as link:
        if b"__consumer_offsets" not in _ask(link, _METADATA, 1, struct.pack(">i", -1)):
            return False
        name = _text(group)
        answer = _ask(link, _FIND_COORDINATOR, 1, name + b"\x00")
        if struct.unpack_from(">h", answer, 8)[0] != 0:
            return False
        member = _text("") + _text("consumer") + struct.pack(">i", 1)
        protocol = _text("range") + struct.pack(">i", 0)
        times = struct.pack(">ii", 6000, 6000)
        answer = _ask(link, _JOIN, 2, name + times + member + protocol)
        return bool(struct.unpack_from(">h", answer, 8)[0] == 0)


def _ask(link: socket.socket, key: int, version: int, body: bytes) -> bytes:
    """One request; the answer after its length and number."""
    request = struct.pack(">hhih", key, version, 1, -1) + body
    link.sendall(struct.pack(">i", len(request)) + request)
    length = struct.unpack(">i", _exactly(link, 4))[0]
    return _exactly(link, length)


def _exactly(link: socket.socket, count: int) -> bytes:
    whole = b""
    while len(whole) < count:
        piece = link.recv(count - len(whole))
        if not piece:
            raise ConnectionError("the broker ended the connection")
        whole += piece
    return whole


def _text(word: str) -> bytes:
    return struct.pack(">h", len(word)) + word.encode()
