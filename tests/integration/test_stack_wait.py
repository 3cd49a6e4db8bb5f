"""How late "ready" comes, and how early an open port does: both beside a produce that succeeds."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Message, Producer

from tests.integration.stack_project import ROUNDS, TOPIC, Project, first_produce, project

LATEST_SECONDS = 2.0
"""Loose, for machines with other work; the figures of a quiet one are in docs/stack.md."""


class FirstSuccess:
    """Produces a message every 20 ms, none of them retried, until one arrives."""

    def __init__(self, brokers: str) -> None:
        self.at: float | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._produce, args=(brokers,))

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            # "Ready" may come first: the producer's own metadata is up to a second old.
            self._thread.join(5)
            self._over.set()
            self._thread.join()

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is None and self.at is None:
            self.at = time.monotonic()

    def _produce(self, brokers: str) -> None:
        producer = Producer(
            {
                "bootstrap.servers": brokers,
                "retries": 0,
                "linger.ms": 0,
                "message.timeout.ms": 1000,
                "reconnect.backoff.ms": 10,
                "reconnect.backoff.max.ms": 50,
                "topic.metadata.refresh.fast.interval.ms": 20,
                # It asks again for a topic that is not there twice as late each time, up to this.
                "retry.backoff.ms": 20,
                "retry.backoff.max.ms": 20,
                "log_level": 0,
            }
        )
        while self.at is None and not self._over.is_set():
            producer.produce(TOPIC, value=b"{}", on_delivery=self._delivered)
            producer.poll(0.02)
        producer.purge()
        producer.flush(2)


@pytest.mark.parametrize("mode", ["zookeeper", "kraft"])
def test_wait_ends_soon_after_the_first_produce_could_succeed(tmp_path: Path, mode: str) -> None:
    late, early = [], []
    with project(tmp_path / "one") as one:
        one.ok("up", "kafka", "--mode", mode)
        for _ in range(ROUNDS):
            one.ok("down")
            first = FirstSuccess(one.brokers)
            with first.running(), _started(one) as start:
                waiting = one.start("wait", "kafka")
                port_open = _until_open(one)
                assert waiting.wait(150) == 0
                ready = time.monotonic()
                first_produce(one.brokers)
                assert start.wait(60) == 0
            assert first.at is not None
            late.append(ready - first.at)
            early.append(first.at - port_open)
    print(f"{mode}: ready after the first success by", _shown(late))  # noqa: T201 - the figures
    print(f"{mode}: the port open before it by", _shown(early))  # noqa: T201 - the figures
    assert max(late) < LATEST_SECONDS
    # An open port comes before a produce can succeed: who trusts it is too early.
    assert max(early) > 0


@contextmanager
def _started(one: Project) -> Iterator[subprocess.Popen[bytes]]:
    process = one.start("up", "kafka", "--no-wait")
    try:
        yield process
    finally:
        process.wait(120)


def _until_open(one: Project) -> float:
    """When the port of clients accepts, as `nc -z` sees it."""
    import socket

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", one.ports["KAFKA_PORT"])) == 0:
                return time.monotonic()
        time.sleep(0.01)
    raise AssertionError("the port never opened")


def _shown(seconds: list[float]) -> str:
    return " ".join(f"{one:.2f}" for one in seconds) + " s"
