"""A MySQL server of a hundred lines that greets one client, asks it for one way to log in, refuses.

A client library that has an authentication plugin answers with that plugin's scramble; one that
lacks it hangs up with error 2059. So what a driver can do is seen without any real server.
Source: MySQL Client/Server Protocol, "Connection Phase"; MariaDB's page on client_ed25519.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import Self

SCRAMBLES = {
    "mysql_native_password": (20, b"01234567890123456789\0"),
    "caching_sha2_password": (32, b"01234567890123456789\0"),
    "client_ed25519": (64, b"0123456789abcdef0123456789abcdef"),
}
"""Bytes that a client answers, and the challenge that it is given, by plugin."""

REFUSAL = "buildtools asked only how you log in"
ACCESS_DENIED = 1045
PATIENCE = 10.0
"""Seconds that a client has for each of its packets."""

_LONG_PASSWORD = 1 << 0
_LONG_FLAG = 1 << 2
_CONNECT_WITH_DB = 1 << 3
_PROTOCOL_41 = 1 << 9
_TRANSACTIONS = 1 << 13
_SECURE_CONNECTION = 1 << 15
_MULTI = 7 << 16
_PLUGIN_AUTH = 1 << 19
_PLUGIN_AUTH_LENENC = 1 << 21
_CAPABILITIES = (
    _LONG_PASSWORD | _LONG_FLAG | _CONNECT_WITH_DB | _PROTOCOL_41 | _TRANSACTIONS
    | _SECURE_CONNECTION | _MULTI | _PLUGIN_AUTH | _PLUGIN_AUTH_LENENC
)  # fmt: skip


class OneLogin:
    """Listens for one client; ``answer`` is what it sent, or None.

    On a socket at ``path`` where one is given, else on a free ``port`` of 127.0.0.1.
    """

    def __init__(self, plugin: str, path: str | None = None) -> None:
        self.plugin = plugin
        self.answer: bytes | None = None
        self.port = 0
        if path is None:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.port = self._listener.getsockname()[1]
        else:
            self._listener = socket.create_server(path, family=socket.AF_UNIX)
        self._listener.settimeout(PATIENCE)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Closing would not wake the thread where no client ever came.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError), socket.socket(self._listener.family) as waker:
            waker.settimeout(1)
            waker.connect(self._listener.getsockname())
        self._listener.close()
        self._thread.join(PATIENCE)

    def _serve(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            client, _ = self._listener.accept()
            with client:
                client.settimeout(PATIENCE)
                self._greet(client)

    def _greet(self, client: socket.socket) -> None:
        # A plugin that no client takes as its own, so that each asks for the switch.
        first = "mysql_native_password"
        if self.plugin == first:
            first = "caching_sha2_password"
        send(client, 0, greeting(first))
        sequence, _ = receive(client)
        challenge = SCRAMBLES[self.plugin][1]
        send(client, sequence + 1, b"\xfe" + self.plugin.encode() + b"\0" + challenge)
        sequence, self.answer = receive(client)
        refusal = struct.pack("<BH", 0xFF, ACCESS_DENIED) + b"#28000" + REFUSAL.encode()
        send(client, sequence + 1, refusal)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)
            client.recv(1)


def greeting(plugin: str) -> bytes:
    """The first packet of a server that names ``plugin`` as its default."""
    challenge = b"abcdefghijklmnopqrst"
    return b"".join(
        (
            b"\x0a8.0.99-buildtools\0",
            struct.pack("<I", 1),
            challenge[:8] + b"\0",
            struct.pack("<H", _CAPABILITIES & 0xFFFF),
            struct.pack("<BH", 45, 2),  # utf8mb4_general_ci, autocommit
            struct.pack("<H", _CAPABILITIES >> 16),
            struct.pack("<B", len(challenge) + 1),
            bytes(10),
            challenge[8:] + b"\0",
            plugin.encode() + b"\0",
        )
    )


def send(client: socket.socket, sequence: int, payload: bytes) -> None:
    """One packet: three bytes of length, one of sequence."""
    client.sendall(struct.pack("<I", len(payload))[:3] + bytes([sequence & 0xFF]) + payload)


def receive(client: socket.socket) -> tuple[int, bytes]:
    """One packet's sequence and payload; ``EOFError`` when the client has hung up."""
    head = exactly(client, 4)
    return head[3], exactly(client, int.from_bytes(head[:3], "little"))


def exactly(client: socket.socket, count: int) -> bytes:
    """So many bytes."""
    found = b""
    while len(found) < count:
        part = client.recv(count - len(found))
        if not part:
            raise EOFError
        found += part
    return found


def closed_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
