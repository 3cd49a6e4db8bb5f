"""A real MariaDB of a test's own: its own data folder, a free port of 127.0.0.1, ended by its pid.

with MariaDbServer(tmp_path / "mariadb") as server:
    server.sql("CREATE DATABASE app")
    server.url("root", "app")
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

PATIENCE = 120.0
"""Seconds that the server may take to answer."""
PASSWORD = "pr0be-s3cret"  # noqa: S105 - of a server that lives for one test
DATABASE = "probes"


def _program(*names: str) -> str:
    for name in names:
        found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
        if found:
            return found
    if os.environ.get("CI") == "true":
        pytest.fail(f"{names[0]} is not on this machine: Debian's package is mariadb-server")
    pytest.skip(f"{names[0]} is not on this machine: Debian's package is mariadb-server")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


class MariaDbServer:
    """Starts on entry, answers the protocol before it is given out, and is gone on exit.

    Users: ``root`` (no password, over the socket), ``native`` (mysql_native_password) and ``curve``
    (ed25519), both with :data:`PASSWORD` and all rights on :data:`DATABASE`; ``reader`` may read
    it and make real tables but no temporary ones.
    """

    def __init__(self, folder: Path, *, options: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.port = free_port()
        self.log = folder / "error.log"
        self.said = folder / "said.log"
        self._data = folder / "data"
        # A socket's path holds 107 bytes at most; a test's own folder may be deeper than that, and
        # another run of pytest closes the way into it to every user but root.
        self._short = Path(tempfile.mkdtemp(prefix="mdb-"))
        self.socket = self._short / "s.sock"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._install()
            self.start()
            self._users()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def url(self, user: str = "native", database: str = DATABASE, query: str = "") -> str:
        """The address for one of the users."""
        suffix = f"?{query}" if query else ""
        return f"mysql://{user}:{PASSWORD}@127.0.0.1:{self.port}/{database}{suffix}"

    def sql(self, statements: str, database: str = "") -> str:
        """Run statements as root over the socket; what they print, tab separated."""
        words = [_program("mariadb", "mysql"), "--no-defaults", f"--socket={self.socket}", "-uroot"]
        done = subprocess.run(
            [*words, "--batch", "--skip-column-names", *([database] if database else [])],
            input=statements,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        if done.returncode:
            raise AssertionError(done.stderr)
        return done.stdout

    def start(self) -> None:
        """Start the server over the data that is there and wait until it greets."""
        words = [_program("mariadbd", "mysqld"), "--no-defaults", *self._user()]
        words += [
            f"--datadir={self._data}",
            f"--tmpdir={self._short}",  # its own: a server that starts empties the one it has
            f"--socket={self.socket}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            f"--pid-file={self.folder / 'pid'}",
            f"--log-error={self.log}",
            "--innodb-buffer-pool-size=32M",
            "--innodb-flush-log-at-trx-commit=0",
            "--skip-name-resolve",
            "--plugin-load-add=auth_ed25519",
            *self._options,
        ]
        with self.said.open("ab") as said:
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
        self._wait_for_greeting()

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End the server by its process id, asked first unless ``number`` says otherwise."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def close(self) -> None:
        """End the server at once and take its socket's folder away."""
        self.stop(signal.SIGKILL)
        shutil.rmtree(self._short, ignore_errors=True)

    def _install(self) -> None:
        if os.geteuid() == 0:
            # The server gives up root for this user, who must then reach its files.
            owner = pwd.getpwnam("mysql")
            for folder in (self.folder, self._short):
                os.chown(folder, owner.pw_uid, owner.pw_gid)
            for parent in self.folder.parents:
                if parent.owner() == "root" and parent not in {Path("/"), Path("/tmp")}:
                    with contextlib.suppress(PermissionError):
                        parent.chmod(parent.stat().st_mode | 0o011)
        words = [_program("mariadb-install-db", "mysql_install_db"), "--no-defaults"]
        words += [*self._user(), f"--datadir={self._data}", f"--tmpdir={self._short}"]
        words += ["--skip-test-db"]
        words += ["--auth-root-authentication-method=normal", "--skip-name-resolve"]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE)
        if done.returncode:
            raise AssertionError(done.stdout + done.stderr)

    def _user(self) -> list[str]:
        return ["--user=mysql"] if os.geteuid() == 0 else []

    def _users(self) -> None:
        self.sql(
            f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4;"
            f"CREATE USER native@'%' IDENTIFIED VIA mysql_native_password"
            f" USING PASSWORD('{PASSWORD}');"
            f"CREATE USER curve@'%' IDENTIFIED VIA ed25519 USING PASSWORD('{PASSWORD}');"
            f"CREATE USER reader@'%' IDENTIFIED BY '{PASSWORD}';"
            f"GRANT ALL ON {DATABASE}.* TO native@'%', curve@'%';"
            f"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP ON {DATABASE}.* TO reader@'%';"
        )

    def _wait_for_greeting(self) -> None:
        """Until the server sends protocol 10's greeting; an open port is not enough."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            with contextlib.suppress(OSError, struct.error):
                with socket.create_connection(("127.0.0.1", self.port), timeout=2) as client:
                    head = client.recv(5, socket.MSG_WAITALL)
                if head[4:] == b"\x0a":
                    return
            time.sleep(0.05)
        code = None if self._process is None else self._process.poll()
        texts = [f.read_text(errors="replace") for f in (self.said, self.log) if f.exists()]
        ended = "runs but is silent" if code is None else f"ended with {code}"
        text = "\n".join(texts)[-3000:]
        raise AssertionError(f"MariaDB {ended}, asked on port {self.port}:\n{text}")
