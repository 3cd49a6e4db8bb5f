"""Two questions to a broker without a client: whether it answers, and a group's coordinator.

A client waits out its own pauses between two tries, half a second and more; a bare question costs a
millisecond and can be asked at any pace. Only for listeners without TLS and SASL, and only to know
when a client is worth its while: what cannot be understood here is left to the client.
"""

from __future__ import annotations

import socket
import struct

from database_consumer.readiness.answers import ASK_SECONDS

_OFFSET_FETCH, _FIND_COORDINATOR, _API_VERSIONS = 9, 10, 18
_SHORTEST, _LONGEST = 4, 1 << 20
_PENDING = {
    14: "it loads its offsets",
    15: "there is none yet",
    16: "it has moved",
}
"""Kafka's codes for a coordinator that is on its way, in both answers."""


def silent(servers: str) -> str:
    """Why none of the bootstrap servers answers ApiVersions; nothing when one does."""
    why = "no server is named"
    for host, port in _addresses(servers):
        try:
            with _dial(host, port) as link:
                _ask(link, _API_VERSIONS, 0, b"")
        except (OSError, struct.error) as error:
            why = f"{host}:{port}: {error}"
        else:
            return ""
    return why


def undialled(servers: str) -> str:
    """Why none of the bootstrap servers accepts a connection; nothing when one does."""
    why = "no server is named"
    for host, port in _addresses(servers):
        try:
            _dial(host, port).close()
        except OSError as error:
            why = f"{host}:{port}: {error}"
        else:
            return ""
    return why


def call_coordinator(servers: str, group: str) -> None:
    """Ask for the group's coordinator and leave it at that: the broker makes what it needs."""
    _located(servers, group)


def coordinator_pending(servers: str, group: str) -> str:
    """Why the group's coordinator does not serve yet; nothing where only a client could say."""
    code, address = _located(servers, group)
    if code or address is None:
        return _PENDING.get(code, "")
    try:
        with _dial(*address) as link:
            # Of no topic in particular; the code is the last of the answer.
            answer = _ask(link, _OFFSET_FETCH, 2, _text(group) + struct.pack(">i", -1))
        (code,) = struct.unpack_from(">h", answer, len(answer) - 2)
    except (OSError, struct.error):
        return ""
    return _PENDING.get(code, "")


def _located(servers: str, group: str) -> tuple[int, tuple[str, int] | None]:
    """FindCoordinator, version 1, of the first server that answers: its code and the address."""
    for host, port in _addresses(servers):
        try:
            with _dial(host, port) as link:
                answer = _ask(link, _FIND_COORDINATOR, 1, _text(group) + b"\0")
            code, length = struct.unpack_from(">hh", answer, 8)
            at = 12 + max(length, 0) + 4
            (length,) = struct.unpack_from(">h", answer, at)
            name = answer[at + 2 : at + 2 + length].decode()
            (number,) = struct.unpack_from(">i", answer, at + 2 + length)
        except (OSError, struct.error, UnicodeDecodeError):
            continue
        return code, (name, number) if not code else None
    return 0, None


def _addresses(servers: str) -> list[tuple[str, int]]:
    """``host:port,…`` as a client reads it, 9092 where no port is named."""
    found = []
    for word in servers.split(","):
        plain = word.strip().rpartition("://")[2]
        host, colon, port = plain.rpartition(":")
        if not colon or not port.isdigit():
            host, port = plain, "9092"
        if host:
            found.append((host.strip("[]"), int(port)))
    return found


def _dial(host: str, port: int) -> socket.socket:
    return socket.create_connection((host, port), timeout=ASK_SECONDS)


def _ask(link: socket.socket, key: int, version: int, body: bytes) -> bytes:
    """One request of a client without a name; the answer after its length."""
    request = struct.pack(">hhih", key, version, 1, -1) + body
    link.sendall(struct.pack(">i", len(request)) + request)
    (length,) = struct.unpack(">i", _exactly(link, 4))
    if not _SHORTEST <= length <= _LONGEST:
        raise ConnectionError(f"an answer of {length} bytes is none of Kafka's")
    return _exactly(link, length)


def _exactly(link: socket.socket, count: int) -> bytes:
    whole = b""
    while len(whole) < count:
        piece = link.recv(count - len(whole))
        if not piece:
            raise ConnectionError("the connection was closed without an answer")
        whole += piece
    return whole


def _text(word: str) -> bytes:
    return struct.pack(">h", len(word.encode())) + word.encode()
