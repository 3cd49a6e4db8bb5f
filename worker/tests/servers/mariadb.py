"""A real MariaDB of this machine: a free port of 127.0.0.1, its own data, ended by its id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pymysql

from .orphans import ends_with_us

READY_SECONDS = 60.0
PASSWORD = "not-a-secret"  # noqa: S105


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(*names: str) -> str | None:
    for name in names:
        found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
        if found:
            return found
    return None


class MariaDb:
    """A server process; it can be killed and started again on the same port and data."""

    def __init__(self, folder: Path, *, options: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.port = free_port()
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None
        self._log = folder / "server.log"

    def url(self, database: str = "test", *, port: int | None = None, driver: str = "") -> str:
        """For SQLAlchemy; ``port`` is a proxy's."""
        scheme = f"mysql+{driver}" if driver else "mysql"
        return f"{scheme}://worker:{PASSWORD}@127.0.0.1:{port or self.port}/{database}"

    def create(self) -> None:
        install = program("mariadb-install-db", "mysql_install_db")
        if install is None:
            raise FileNotFoundError("mariadb-install-db")
        (self.folder / "data").mkdir(parents=True)
        if os.geteuid() == 0:
            shutil.chown(self.folder, "mysql", "mysql")
            shutil.chown(self.folder / "data", "mysql", "mysql")
        words = [
            install,
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            f"--tmpdir={self.folder}",  # its own: a server that starts empties the one it has
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            *(["--user=mysql"] if os.geteuid() == 0 else []),
        ]
        subprocess.run(words, check=True, capture_output=True, timeout=120)

    def program(self) -> list[str]:
        """The server's program, with what only it needs."""
        server = program("mariadbd", "mysqld")
        if server is None:
            raise FileNotFoundError("mariadbd")
        return [server, "--no-defaults"]

    def start(self) -> None:
        words = [
            *self.program(),
            f"--datadir={self.folder / 'data'}",
            f"--tmpdir={self.folder}",  # its own: a server that starts empties the one it has
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            f"--socket={self.folder / 's'}",
            f"--pid-file={self.folder / 'pid'}",
            "--innodb-buffer-pool-size=256M",
            "--skip-name-resolve",
            *(["--user=mysql"] if os.geteuid() == 0 else []),
            *self.options,
        ]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log)
        ends_with_us(self.process.pid, self.folder)
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            if self.process is None or self.process.poll() is not None:
                raise RuntimeError(f"the server ended: {self._log.read_text()[-2000:]}")
            if self._answers():
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"no answer: {self._log.read_text()[-2000:]}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        """By the protocol; the driver leaves a socket behind where nothing listens: look first."""
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(self.folder / "s")) != 0:
                return False
        connection = pymysql.connect(
            unix_socket=str(self.folder / "s"), user="root", defer_connect=True
        )
        try:
            connection.connect()
        except pymysql.err.OperationalError:
            return False
        finally:
            if connection.open:
                connection.close()
        return True

    def root(self, database: str | None = None) -> pymysql.connections.Connection:
        """A connection of the administrator."""
        return pymysql.connect(
            unix_socket=str(self.folder / "s"), user="root", database=database, autocommit=True
        )

    def prepare(self) -> None:
        """The worker's account."""
        with self.root() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE USER 'worker'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'")
            cursor.execute("GRANT ALL ON *.* TO 'worker'@'127.0.0.1'")

    def database(self, name: str) -> str:
        """A new, empty database; its URL."""
        with self.root() as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
            cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        return self.url(name)

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL after a while."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(30)


@contextmanager
def running(
    folder: Path, *, options: tuple[str, ...] = (), kind: type[MariaDb] = MariaDb
) -> Iterator[MariaDb]:
    """A server with the worker's account, until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        # The server runs as the user mysql, who may not enter pytest's folders, now or after the
        # next session of pytest has closed them again.
        folder = Path(tempfile.mkdtemp(prefix="database-"))
        folder.chmod(0o755)
    server = kind(folder, options=options)
    try:
        server.create()
        server.start()
        server.prepare()
        yield server
    finally:
        server.stop()
        if os.geteuid() == 0:
            shutil.rmtree(folder, ignore_errors=True)
