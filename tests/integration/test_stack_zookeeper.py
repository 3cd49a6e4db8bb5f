"""ZooKeeper's protocol over a real socket, answered from a script: what a live one rarely says."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from buildtools.stack.broker_id import Registration, delete_registration
from buildtools.stack.trouble import StackError
from buildtools.stack.zookeeper import Node, ZooKeeper, ZooKeeperError

SEEN = Registration(owner=0x10, version=0, age=3.0, endpoints=())


def frame(body: bytes) -> bytes:
    return struct.pack(">i", len(body)) + body


SESSION = frame(struct.pack(">iiqi16s", 0, 6000, 1, 16, bytes(16)))


def node_answer(owner: int, version: int, data: bytes = b"{}") -> Callable[[int], bytes]:
    stat = struct.pack(">qqqqiiiqiiq", 1, 1, 5000, 5000, version, 0, 0, owner, 2, 0, 1)
    body = struct.pack(">i", len(data)) + data + stat
    return lambda number: frame(struct.pack(">iqi", number, 9, 0) + body)


def error_answer(code: int) -> Callable[[int], bytes]:
    return lambda number: frame(struct.pack(">iqi", number, 9, code))


@contextmanager
def server(hello: bytes, *answers: Callable[[int], bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """One connection over a real socket, answered from a script; what was asked is kept."""
    listener = socket.create_server(("127.0.0.1", 0))
    asked: list[bytes] = []

    def serve() -> None:
        link, _ = listener.accept()
        with link, link.makefile("rb") as stream:
            script = [lambda _number: hello, *answers]
            for answer in script:
                head = stream.read(4)
                if len(head) < 4:
                    return
                body = stream.read(struct.unpack(">i", head)[0])
                asked.append(body)
                link.sendall(answer(struct.unpack_from(">i", body)[0]))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], asked
    finally:
        thread.join(5)
        listener.close()


def test_a_node_is_read_with_its_owner_and_version() -> None:
    script = (SESSION, node_answer(0x10, 4, b"data"), error_answer(0))
    with server(*script) as (port, _), ZooKeeper(port) as zookeeper:
        found = zookeeper.node("/brokers/ids/1")
    assert found == Node(path="/brokers/ids/1", data=b"data", created=5000, version=4, owner=0x10)


def test_a_missing_node_is_none() -> None:
    script = (SESSION, error_answer(-101), error_answer(0))
    with server(*script) as (port, _), ZooKeeper(port) as zookeeper:
        assert zookeeper.node("/x") is None


@pytest.mark.parametrize("hello", [frame(b"\x00" * 8), frame(b""), b"HTTP/1.1 400"])
def test_what_is_no_zookeeper_is_an_error(hello: bytes) -> None:
    with server(hello) as (port, _), pytest.raises(ZooKeeperError), ZooKeeper(port):
        pass


def test_the_node_that_was_seen_is_deleted_with_its_version() -> None:
    with server(SESSION, node_answer(0x10, 0), error_answer(0), error_answer(0)) as (port, asked):
        delete_registration(port, SEEN)
    assert struct.unpack_from(">i", asked[2], 4)[0] == 2
    assert asked[2].endswith(b"/brokers/ids/1" + struct.pack(">i", 0))


def test_another_owner_meanwhile_keeps_the_node() -> None:
    script = (SESSION, node_answer(0x11, 0), error_answer(0))
    with (
        server(*script) as (port, asked),
        pytest.raises(StackError, match="was not deleted"),
    ):
        delete_registration(port, SEEN)
    assert all(struct.unpack_from(">i", one, 4)[0] != 2 for one in asked[1:])


def test_a_version_that_changes_at_the_last_moment_keeps_the_node() -> None:
    answers = (node_answer(0x10, 0), error_answer(-103), error_answer(0))
    with server(SESSION, *answers) as (port, _), pytest.raises(StackError, match="not deleted"):
        delete_registration(port, SEEN)
