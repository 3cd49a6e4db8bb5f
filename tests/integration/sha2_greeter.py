"""A server that greets like MySQL 8 and asks for ``caching_sha2_password``, for one login each.

Debian has no MySQL 8; whether a client library can load the login plugin shows before any query: it
must answer the greeting with the plugin's own scramble, which is checked here. Source: MySQL's
client/server protocol, "Protocol::HandshakeV10" and "caching_sha2_password".
"""

from __future__ import annotations

import hashlib
import socket
import struct
import threading
from types import TracebackType
from typing import Self

PASSWORD = "sha2-s3cret"  # noqa: S105 - of a server that lives for one test
_NONCE = b"0123456789abcdefghij"
_PLUGIN = b"caching_sha2_password"
# LONG_PASSWORD, LONG_FLAG, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH.
_CAPABILITIES = 0x1 | 0x4 | 0x200 | 0x2000 | 0x8000 | 0x80000
_OK = b"\x00\x00\x00\x02\x00\x00\x00"
_FAST_AUTH_OK = b"\x01\x03"


def _scramble(password: bytes) -> bytes:
    first = hashlib.sha256(password).digest()
    second = hashlib.sha256(hashlib.sha256(first).digest() + _NONCE).digest()
    return bytes(a ^ b for a, b in zip(first, second, strict=True))


class Sha2Greeter:
    """Answers logins on a free port of 127.0.0.1 until it is left; counts the right ones."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.right = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                client.settimeout(10)
                try:
                    self._login(client)
                except (OSError, EOFError):
                    continue

    def _login(self, client: socket.socket) -> None:
        greeting = (
            b"\x0a8.4.0\x00"
            + struct.pack("<I", 1)
            + _NONCE[:8]
            + b"\x00"
            + struct.pack("<HBHHB", _CAPABILITIES & 0xFFFF, 45, 2, _CAPABILITIES >> 16, 21)
            + bytes(10)
            + _NONCE[8:]
            + b"\x00"
            + _PLUGIN
            + b"\x00"
        )
        _send(client, 0, greeting)
        answer = _receive(client)
        if _scramble(PASSWORD.encode()) not in answer or _PLUGIN not in answer:
            return
        self.right += 1
        _send(client, 2, _FAST_AUTH_OK)
        _send(client, 3, _OK)
        while command := _receive(client):
            if command[0] == 1:  # COM_QUIT
                return
            _send(client, 1, _OK)


def _send(client: socket.socket, number: int, payload: bytes) -> None:
    client.sendall(struct.pack("<I", len(payload))[:3] + bytes([number]) + payload)


def _receive(client: socket.socket) -> bytes:
    header = _exactly(client, 4)
    return _exactly(client, int.from_bytes(header[:3], "little"))


def _exactly(client: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        chunk = client.recv(count - len(got))
        if not chunk:
            raise EOFError
        got += chunk
    return got
