"""One server process: started, watched, killed and ended by its process id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from .orphans import ends_with_us


class ServerError(Exception):
    """A server did not start; the tail of its log is in the message."""


def need(program: str) -> str:
    """Where ``program`` is. Without it the test skips, and under `CI` it fails."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found:
        return found
    if os.environ.get("CI"):
        pytest.fail(f"{program} is missing on this machine")
    pytest.skip(f"{program} is missing on this machine")


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listened on a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until(
    probe: Callable[[], bool], *, timeout: float, what: str, pause: float = 0.05
) -> None:
    """Returns when ``probe`` says so; :class:`ServerError` after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not probe():
        if time.monotonic() > deadline:
            raise ServerError(f"{what} within {timeout} s: no")
        time.sleep(pause)


class Program:
    """A child process with its output in a file."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> None:
        self._command = tuple(command)
        self.log = log
        self._folder = folder
        self._environment = dict(environment) if environment is not None else None
        self._user = user
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the child that was started last."""
        if self._child is None:
            raise ServerError(f"{self._command[0]} was never started")
        return self._child.pid

    def start(self) -> None:
        """Starts the process; its output is appended to the log."""
        with self.log.open("ab") as out:
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env=self._environment,
                user=self._user,
            )
        ends_with_us(self._child.pid)

    def ready(self, probe: Callable[[], bool], *, timeout: float) -> None:
        """Waits for ``probe``; a process that ends meanwhile is an error with its log's tail."""

        def look() -> bool:
            if not self.running:
                raise ServerError(f"{self._command[0]} ended:\n{self.tail()}")
            return probe()

        try:
            wait_until(look, timeout=timeout, what=f"{Path(self._command[0]).name} ready")
        except ServerError as error:
            self.kill()
            raise ServerError(f"{error}\n{self.tail()}") from None

    def tail(self, lines: int = 25) -> str:
        """The last lines of the log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the process, if it is alive."""
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and waits."""
        self.signal(signal.SIGKILL)
        if self._child is not None:
            self._child.wait()

    def wait(self, *, timeout: float) -> int:
        """The exit code of a process that ends by itself."""
        if self._child is None:
            raise ServerError(f"{self._command[0]} was never started")
        return self._child.wait(timeout)

    def stop(self, *, timeout: float = 15.0) -> int:
        """SIGTERM, and SIGKILL after ``timeout`` seconds; gives the exit code."""
        if self._child is None:
            return 0
        self.signal(signal.SIGTERM)
        try:
            return self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._child.wait()
