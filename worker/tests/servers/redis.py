"""A real Redis, in memory only: after a kill it comes back empty, with another run id."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .programs import Program, free_port, need


class RedisServer:
    """redis-server on 127.0.0.1; ``password`` makes it ask for one.

    With ``tls`` (CA, certificate, key) the port takes TLS only.
    """

    def __init__(
        self,
        folder: Path,
        *,
        password: str = "",
        snapshots: bool = False,
        tls: tuple[Path, Path, Path] | None = None,
    ) -> None:
        self.port = free_port()
        self.password = password
        folder.mkdir(parents=True, exist_ok=True)
        self._tls = tls
        command = [need("redis-server"), "--bind", "127.0.0.1"]
        if tls is None:
            command += ["--port", str(self.port)]
        else:
            names = ("--tls-ca-cert-file", "--tls-cert-file", "--tls-key-file")
            command += ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"]
            command += [word for pair in zip(names, map(str, tls), strict=True) for word in pair]
        command += ["--dir", str(folder), "--appendonly", "no", "--daemonize", "no"]
        command += [] if snapshots else ["--save", ""]
        command += ["--requirepass", password] if password else []
        self.program = Program(command, log=folder / "redis.log")

    @property
    def url(self) -> str:
        """Its URL, with the password."""
        login = f":{self.password}@" if self.password else ""
        scheme = "redis" if self._tls is None else "rediss"
        return f"{scheme}://{login}127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Starts it and waits until it answers PING."""
        self.program.start()
        self.program.ready(self._answers, timeout=15)

    def kill(self) -> None:
        """SIGKILL."""
        self.program.kill()

    def stop(self) -> None:
        """Ends it."""
        self.program.stop()

    def _answers(self) -> bool:
        try:
            with self._link() as link:
                login = f"AUTH {self.password}\r\n" if self.password else ""
                link.sendall(f"{login}PING\r\nQUIT\r\n".encode())
                return b"+PONG" in b"".join(iter(lambda: link.recv(64), b""))
        except OSError:
            return False

    def _link(self) -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=1)
        if self._tls is None:
            return plain
        return ssl.create_default_context(cafile=str(self._tls[0])).wrap_socket(
            plain, server_hostname="127.0.0.1"
        )


@contextmanager
def redis_server(
    folder: Path, *, password: str = "", tls: tuple[Path, Path, Path] | None = None
) -> Iterator[RedisServer]:
    """A running Redis, ended on the way out."""
    server = RedisServer(folder, password=password, tls=tls)
    try:
        server.start()
        yield server
    finally:
        server.program.kill()
