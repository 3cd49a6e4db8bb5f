"""The status port on loopback: bounded, and nothing of a request comes back."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator

import pytest

from database_consumer.applier import Counted
from database_consumer.metrics import Metrics
from database_consumer.status import AT_ONCE, StatusServer
from database_consumer.view import DatabaseView, WorkerView


def view(*, healthy: bool = True, partitions: tuple[str, ...] = ("t[0]",)) -> WorkerView:
    return WorkerView(
        running=True,
        paused=not healthy,
        pending=7,
        uptime=1.0,
        partitions=partitions,
        database=DatabaseView(
            kind="mysql",
            healthy=healthy,
            last_check=0.0,
            uptime=1.0,
            reason="" if healthy else "gone",
            fallback="",
        ),
        cache=None,
        counts=None,
        counted=Counted(applied=3),
    )


class Shown:
    now = view()

    def __call__(self) -> WorkerView:
        return self.now


@pytest.fixture
def shown() -> Shown:
    return Shown()


@pytest.fixture
def server(shown: Shown) -> Iterator[StatusServer]:
    found = StatusServer(shown, Metrics().registry)
    found.start()
    yield found
    found.stop()


def get(server: StatusServer, path: str, method: str = "GET") -> tuple[int, bytes]:
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        link.request(method, path)
        answer = link.getresponse()
        return answer.status, answer.read()
    finally:
        link.close()


def test_pages_say_what_the_worker_is(server: StatusServer, shown: Shown) -> None:
    assert get(server, "/healthz")[0] == 200
    assert get(server, "/readyz")[0] == 200
    document = json.loads(get(server, "/status")[1])
    assert document["consumer"] == {
        "running": True,
        "paused": False,
        "pending": 7,
        "databaseHealthy": True,
    }
    assert set(document["database"]) == {"healthy", "lastCheck", "uptime"}
    assert b"database_consumer_commit_seconds_bucket" in get(server, "/metrics")[1]
    shown.now = view(healthy=False, partitions=())
    code, body = get(server, "/readyz")
    assert code == 503
    assert json.loads(body)["waiting"] == ["database", "kafka: no partition is assigned yet"]
    assert get(server, "/healthz")[0] == 200


def test_other_paths_and_methods_get_nothing_of_themselves_back(server: StatusServer) -> None:
    code, body = get(server, "/<script>alert(1)</script>")
    assert code == 404
    assert b"script" not in body
    assert get(server, "/status", "POST")[0] == 501
    assert get(server, "/" + "a" * 5_000)[0] == 414


def test_callers_that_say_nothing_hold_up_nobody_for_long(server: StatusServer) -> None:
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(AT_ONCE + 4)]
    time.sleep(0.3)
    deadline = time.monotonic() + 15
    answered = False
    while not answered and time.monotonic() < deadline:
        try:
            answered = get(server, "/healthz")[0] == 200
        except (OSError, http.client.HTTPException):
            time.sleep(0.2)
    for one in silent:
        one.close()
    assert answered


def test_it_listens_on_loopback_alone(server: StatusServer) -> None:
    assert server._server is not None
    assert server._server.server_address[0] == "127.0.0.1"
