"""The little of ZooKeeper's protocol that is needed: look at a node, delete one version of it.

Frames are a length and a body in big-endian "jute" (zookeeper.jute in ZooKeeper's source).
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_DELETE, _GET_DATA, _CLOSE = 2, 4, -11
_NO_NODE, _BAD_VERSION = -101, -103
_LARGEST = 1 << 20


class ZooKeeperError(Exception):
    """ZooKeeper did not answer, or refused; ``code`` is its error code, 0 when it has none."""

    def __init__(self, why: str, code: int = 0) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node: ``created`` is milliseconds since 1970 by ZooKeeper's clock.

    ``owner`` is the session that an ephemeral node lives by, 0 for a lasting one.
    """

    path: str
    data: bytes
    created: int
    version: int
    owner: int


class ZooKeeper:
    """One session, from entering to leaving it. Every call raises :class:`ZooKeeperError`."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", timeout: float = 5.0) -> None:
        self._address = (host, port)
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._number = 0

    def __enter__(self) -> Self:
        try:
            self._socket = socket.create_connection(self._address, self._timeout)
            hello = struct.pack(">iqiqi16s?", 0, 0, 6000, 0, 16, bytes(16), False)  # noqa: FBT003 - a value to pack
            self._send(hello)
            answer = self._receive()
        except OSError as error:
            self._close()
            raise ZooKeeperError(f"{self._address[0]}:{self._address[1]}: {error}") from error
        if len(answer) < 8 or struct.unpack_from(">ii", answer)[1] <= 0:  # noqa: PLR2004 - two ints
            self._close()
            raise ZooKeeperError("ZooKeeper gave no session")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._ask(_CLOSE, b"")
        except ZooKeeperError:
            pass
        finally:
            self._close()

    def node(self, path: str) -> Node | None:
        """The node at a path, or None."""
        try:
            body = self._ask(_GET_DATA, _text(path) + b"\x00")
        except ZooKeeperError as error:
            if error.code == _NO_NODE:
                return None
            raise
        (size,) = struct.unpack_from(">i", body)
        at = 4 + max(size, 0)
        _, _, created, _, version, _, _, owner = struct.unpack_from(">qqqqiiiq", body, at)
        return Node(path=path, data=body[4:at], created=created, version=version, owner=owner)

    def delete(self, path: str, version: int) -> bool:
        """Delete a node when it still has this version; False when it has changed or is gone."""
        try:
            self._ask(_DELETE, _text(path) + struct.pack(">i", version))
        except ZooKeeperError as error:
            if error.code in {_NO_NODE, _BAD_VERSION}:
                return False
            raise
        return True

    def _ask(self, kind: int, body: bytes) -> bytes:
        self._number += 1
        try:
            self._send(struct.pack(">ii", self._number, kind) + body)
            while True:
                answer = self._receive()
                number, _, code = struct.unpack_from(">iqi", answer)
                if number == self._number:
                    break
        except (OSError, struct.error) as error:
            raise ZooKeeperError(f"ZooKeeper broke off: {error}") from error
        if code:
            raise ZooKeeperError(f"ZooKeeper answers with error {code}", code)
        return answer[16:]

    def _send(self, body: bytes) -> None:
        if self._socket is None:
            raise OSError("no session")
        self._socket.sendall(struct.pack(">i", len(body)) + body)

    def _receive(self) -> bytes:
        (size,) = struct.unpack(">i", self._exactly(4))
        if not 0 <= size <= _LARGEST:
            raise OSError(f"a frame of {size} bytes")
        return self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        if self._socket is None:
            raise OSError("no session")
        whole = b""
        while len(whole) < size:
            piece = self._socket.recv(size - len(whole))
            if not piece:
                raise OSError("the connection was closed")
            whole += piece
        return whole

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def connected(
    port: int, session: int, *, host: str = "127.0.0.1", timeout: float = 5.0
) -> bool | None:
    """Whether a client is connected by this session now, by ``cons``; None when it does not tell.

    It does not tell where the word is not on its whitelist. Raises :class:`ZooKeeperError`.
    """
    whole = b""
    try:
        with socket.create_connection((host, port), timeout) as link:
            link.sendall(b"cons")
            while piece := link.recv(65536):
                whole += piece
    except OSError as error:
        raise ZooKeeperError(f"{host}:{port}: {error}") from error
    if b"(queued=" not in whole:  # this very question is a connection, and is listed
        return None
    return f"sid=0x{session & (1 << 64) - 1:x},".encode() in whole


def _text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack(">i", len(encoded)) + encoded
