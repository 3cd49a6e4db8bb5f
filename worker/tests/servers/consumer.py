"""A worker as an operating system sees it: `database-consumer run` in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .programs import Program, free_port, wait_until


class ConsumerProcess:
    """Started with an environment of its own; nothing of the caller's settings leaks in."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str],
        *,
        command: tuple[str, ...] = (sys.executable, "-m", "database_consumer"),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.status_port = free_port()
        clean = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        environment = clean | dict(settings) | {"STATUS_PORT": str(self.status_port)}
        self.program = Program(
            (*command, "run"), log=folder / "worker.log", folder=folder, environment=environment
        )

    def start(self, *, ready: float | None = None) -> None:
        """Starts it; with ``ready``, waits so many seconds for `/readyz`."""
        self.program.start()
        if ready is not None:
            self.program.ready(self.is_ready, timeout=ready)

    def is_ready(self) -> bool:
        """Whether `/readyz` says so."""
        try:
            return bool(self.ask("/readyz")["ready"])
        except OSError:
            return False

    def ask(self, path: str = "/status") -> dict[str, Any]:
        """A JSON page of the status port."""
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.status_port}{path}", timeout=5
        ) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found

    def metric(self, name: str) -> float:
        """The sum of a metric's samples."""
        url = f"http://127.0.0.1:{self.status_port}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith((f"{name} ", f"{name}{{"))
        )

    def resident(self) -> int:
        """Bytes of memory in use (Linux)."""
        for line in Path(f"/proc/{self.program.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def events(self) -> list[dict[str, Any]]:
        """The log's lines so far."""
        out = []
        for line in self.program.log.read_text(errors="replace").splitlines():
            if line.startswith("{"):
                try:
                    out.append(json.loads(line))
                except ValueError:  # torn by a kill
                    continue
        return out

    def wait_event(self, name: str, *, timeout: float = 30, after: int = 0) -> None:
        """Waits for a line of the log whose event starts with ``name``."""
        wait_until(
            lambda: any(str(one.get("event")).startswith(name) for one in self.events()[after:]),
            timeout=timeout,
            what=f"event {name!r} in the log",
        )

    def kill(self) -> None:
        """SIGKILL."""
        self.program.kill()

    def terminate(self) -> None:
        """SIGTERM, without waiting."""
        self.program.signal(signal.SIGTERM)

    def stop(self, *, timeout: float = 30) -> int:
        """SIGTERM, and the exit code."""
        return self.program.stop(timeout=timeout)
