"""The fixtures themselves: real servers, and a proxy that does what it says."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from confluent_kafka import Consumer, Producer
from servers.kafka import KafkaVersion, kafka_server
from servers.programs import wait_until
from servers.proxy import Cut, Proxy, proxy_to
from servers.redis import redis_server


@pytest.mark.server
@pytest.mark.parametrize("version", list(KafkaVersion))
def test_a_real_broker_takes_and_gives_messages_and_survives_a_kill(
    tmp_path: Path, version: KafkaVersion
) -> None:
    with kafka_server(tmp_path / "kafka", version) as broker:
        broker.create_topic("t", 3)
        _publish(broker.address, b"one")
        broker.kill()
        broker.start()
        _publish(broker.address, b"two")
        consumer = Consumer(
            {
                "bootstrap.servers": broker.address,
                "group.id": "g",
                "auto.offset.reset": "earliest",
            }
        )
        consumer.subscribe(["t"])
        seen: list[bytes] = []
        deadline = time.monotonic() + 30
        while len(seen) < 2 and time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                seen.append(message.value() or b"")
        consumer.close()
        assert sorted(seen) == [b"one", b"two"]


@pytest.mark.server
def test_redis_comes_back_empty_with_another_run_id(tmp_path: Path) -> None:
    with redis_server(tmp_path / "redis", password="pass-word-9") as server:  # noqa: S106
        client = redis.Redis.from_url(server.url)
        client.set("k", "v")
        before = client.info("server")["run_id"]
        server.kill()
        server.start()
        assert client.get("k") is None
        assert client.info("server")["run_id"] != before
        client.close()


@pytest.fixture
def echo() -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_echo, args=(link,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_the_proxy_passes_stalls_and_cuts(echo: int) -> None:
    with proxy_to(echo) as proxy:
        with _dial(proxy) as link:
            link.sendall(b"hello")
            assert link.recv(10) == b"hello"
            proxy.stall()
            link.sendall(b"late")
            link.settimeout(0.2)
            with pytest.raises(TimeoutError):
                link.recv(10)
            proxy.restore()
            link.settimeout(5)
            assert link.recv(10) == b"late"
            assert proxy.cut() == 1
            with pytest.raises(ConnectionResetError):
                link.recv(10)
        proxy.refuse()
        with pytest.raises(ConnectionResetError), _dial(proxy) as link:
            link.recv(1)


def test_the_proxy_cuts_between_a_request_and_its_answer(echo: int) -> None:
    with proxy_to(echo) as proxy:
        cut = proxy.arm(Cut(pattern=b"COMMIT"))
        with _dial(proxy) as link:
            link.sendall(b"INSERT")
            assert link.recv(10) == b"INSERT"
            link.sendall(b"COMMIT")
            with pytest.raises(ConnectionResetError):
                link.recv(10)
        assert cut.count == 1
        with _dial(proxy) as link:
            link.sendall(b"COMMIT")
            assert link.recv(10) == b"COMMIT"


def test_the_proxy_cuts_after_bytes(echo: int) -> None:
    with proxy_to(echo) as proxy:
        proxy.arm(Cut(after=10, deliver=False))
        with _dial(proxy) as link:
            link.sendall(b"12345")
            assert link.recv(10) == b"12345"
            link.sendall(b"67890")
            with pytest.raises(ConnectionResetError):
                link.recv(10)


def _dial(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def _echo(link: socket.socket) -> None:
    with link:
        try:
            while data := link.recv(1024):
                link.sendall(data)
        except OSError:
            return


def _publish(address: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": address})
    producer.produce("t", value)
    assert producer.flush(30) == 0


def test_a_server_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from servers.programs import Program\n"
        "child = Program(['sleep', '600'], log=Path('log')); child.start()\n"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    words = (sys.executable, "-c", script)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, env=environment) as owner:
        assert owner.stdout is not None
        server = int(owner.stdout.readline())
        os.kill(server, 0)
        owner.kill()
    wait_until(lambda: not alive(server), timeout=30, what="the server ended")


def alive(pid: int) -> bool:
    """Whether it still runs; one that nobody has waited for yet has ended all the same."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:  # no Linux, or gone between the two looks
        return not Path("/proc").is_dir()
