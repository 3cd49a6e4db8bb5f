"""The bare questions of readiness, against servers that answer well, badly or not at all."""

from __future__ import annotations

import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import pytest
from servers.programs import free_port

from database_consumer.readiness import KafkaProbe, Outcome, wire

OFFSET_FETCH, FIND_COORDINATOR, API_VERSIONS = 9, 10, 18


class FakeBroker:
    """Answers each request by its key; one that it has no answer for is never answered."""

    def __init__(self, answers: Mapping[int, bytes]) -> None:
        self.answers = dict(answers)
        self.asked: list[int] = []
        self.puzzled = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.address = f"127.0.0.1:{self.port}"
        self._links: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            self._links.append(link)
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        # Who asks may hang up as he likes.
        with suppress(OSError), link:
            while length := link.recv(4, socket.MSG_WAITALL):
                request = link.recv(struct.unpack(">i", length)[0], socket.MSG_WAITALL)
                key, version, number = struct.unpack_from(">hhi", request)
                self.asked.append(key)
                # A client's own ApiVersions is a later version than the bare one's.
                if key not in self.answers or (key == API_VERSIONS and version):
                    self.puzzled.set()
                    continue
                answer = struct.pack(">i", number) + self.answers[key]
                link.sendall(struct.pack(">i", len(answer)) + answer)

    def close(self) -> None:
        self._listener.close()
        for link in self._links:
            link.close()


@contextmanager
def fake_broker(answers: Mapping[int, bytes]) -> Iterator[FakeBroker]:
    one = FakeBroker(answers)
    try:
        yield one
    finally:
        one.close()


def coordinator(code: int, port: int) -> bytes:
    host = b"127.0.0.1"
    return struct.pack(">ihhih", 0, code, -1, 1, len(host)) + host + struct.pack(">i", port)


def offsets(code: int) -> bytes:
    return struct.pack(">ih", 0, code)


def test_a_server_answers_only_when_it_speaks() -> None:
    assert "refused" in wire.silent(f"127.0.0.1:{free_port()}")
    with fake_broker({API_VERSIONS: b"\0" * 6}) as one:
        assert wire.silent(f"127.0.0.1:{free_port()}, PLAINTEXT://{one.address}") == ""
        assert wire.undialled(one.address) == ""
        one.answers[API_VERSIONS] = b""
        assert wire.silent(one.address) == ""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        address = f"127.0.0.1:{proxy.getsockname()[1]}"

        def hang_up() -> None:
            link, _ = proxy.accept()
            link.recv(100)
            link.close()

        threading.Thread(target=hang_up, daemon=True).start()
        assert "without an answer" in wire.silent(address)
        assert wire.undialled(address) == ""


@pytest.mark.parametrize(
    ("found", "fetched", "why"),
    [
        (15, 0, "there is none yet"),
        (0, 14, "it loads its offsets"),
        (0, 16, "it has moved"),
        (0, 0, ""),
        (30, 0, ""),
        (0, 30, ""),
    ],
    ids=["none", "loading", "moved", "serves", "not authorised", "not authorised to fetch"],
)
def test_only_a_coordinator_on_its_way_is_pending(found: int, fetched: int, why: str) -> None:
    with fake_broker({OFFSET_FETCH: offsets(fetched)}) as one:
        one.answers[FIND_COORDINATOR] = coordinator(found, one.port)
        assert wire.coordinator_pending(one.address, "g") == why
        assert one.asked == ([FIND_COORDINATOR] if found else [FIND_COORDINATOR, OFFSET_FETCH])


@pytest.mark.parametrize("answer", [b"", b"\0" * 6, b"\xff" * 40], ids=["empty", "cut", "noise"])
def test_what_is_not_understood_is_left_to_the_client(answer: bytes) -> None:
    with fake_broker({FIND_COORDINATOR: answer}) as one:
        assert wire.coordinator_pending(one.address, "g") == ""
    assert wire.coordinator_pending(f"127.0.0.1:{free_port()}", "g") == ""


def test_the_coordinator_is_asked_for_before_the_client_is() -> None:
    """The broker makes its topic meanwhile."""
    with fake_broker({API_VERSIONS: b"\0" * 6, FIND_COORDINATOR: coordinator(15, 0)}) as one:
        probe = KafkaProbe(
            {"bootstrap.servers": one.address, "log_level": 0}, topics=("wanted",), group="g"
        )
        assert probe.look().outcome is Outcome.NOT_YET
        assert FIND_COORDINATOR in one.asked
        probe.close()


WAIT = """
import sys
from database_consumer.readiness import KafkaProbe, answers, kafka, wait_ready, wire

kafka.ASK_SECONDS = wire.ASK_SECONDS = 120.0
probe = KafkaProbe({"bootstrap.servers": sys.argv[1], "log_level": 0}, topics=("t",), group="g")
print("waits", flush=True)
try:
    wait_ready([probe], timeout=600)
except KeyboardInterrupt:
    raise SystemExit(130)
"""


@pytest.mark.parametrize("answers", [{}, {API_VERSIONS: b"\0" * 6}], ids=["silent", "client"])
def test_an_interrupt_ends_a_look_that_nobody_answers(answers: Mapping[int, bytes]) -> None:
    """In the bare question, and in the client's own call: each would last two minutes here."""
    with fake_broker({**answers, FIND_COORDINATOR: coordinator(15, 0)}) as one:
        if not answers:
            del one.answers[FIND_COORDINATOR]
        waiting = subprocess.Popen(
            (sys.executable, "-c", WAIT, one.address), stdout=subprocess.PIPE
        )
        try:
            assert one.puzzled.wait(30)
            time.sleep(1)  # the client's call begins right after the question that was answered
            waiting.send_signal(signal.SIGINT)
            assert waiting.wait(30) == 130
        finally:
            waiting.kill()
            waiting.communicate()
