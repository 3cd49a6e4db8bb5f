"""A Docker engine of the tests' own: Debian's dockerd, its data, socket and process id apart.

It starts as root wherever cgroups can be written; networks are plain bridges without packet
filters, ports go through its proxy, so that the machine's own rules stay as they are. Under ``CI``
a machine where it does not start fails the tests with the end of its log.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.docker_images import compose_plugin

_START_SECONDS = 90.0
_SIZE = "6g"


class Dockerd:
    """One running engine, below a folder of its own."""

    def __init__(self, root: Path, program: str) -> None:
        self.root = root
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: list[Any] = []

    def start(self) -> bool:
        """Start it, also again after :meth:`kill`; whether it answers in time."""
        with (self.root / "log").open("ab") as out:
            self._process = subprocess.Popen(
                (
                    self._program,
                    *("--data-root", str(self.root / "data")),
                    *("--exec-root", str(self.root / "exec")),
                    *("--pidfile", str(self.root / "pid"), "--host", self.host),
                    *("--bridge", "none", "--iptables=false", "--ip6tables=false"),
                    *("--log-level", "warn"),
                ),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while self.runs and time.monotonic() < deadline:
            if self._pings():
                return True
            time.sleep(0.2)
        return False

    def _pings(self) -> bool:
        """Whether it answers; not by the SDK, which leaves sockets open where nobody does."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_START_SECONDS)
            try:
                probe.connect(f"{self.root}/sock")
                probe.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n")
                return b" 200 " in probe.recv(1024)
            except OSError:
                return False

    @property
    def runs(self) -> bool:
        """Whether its process does."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it at once, as a crash does: its containers are left to themselves."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        # Its containerd ends with it; where nobody collects it, the next start would wait for it.
        (self.root / "exec" / "containerd" / "containerd.pid").unlink(missing_ok=True)

    def restart(self) -> None:
        """End it as its service manager does, and start it again."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(60)
        assert self.start()

    @property
    def host(self) -> str:
        """Where it listens, as ``DOCKER_HOST`` wants it."""
        return f"unix://{self.root}/sock"

    @property
    def variables(self) -> Mapping[str, str]:
        """What a command needs to speak to this engine, with compose as a plugin."""
        return {"DOCKER_HOST": self.host, "DOCKER_CONFIG": str(self.root / "config")}

    def client(self, timeout: float = 600) -> Any:
        """The SDK's client, closed with the engine."""
        import docker

        made = docker.DockerClient(base_url=self.host, timeout=timeout)
        self._clients.append(made)
        return made

    def docker(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """The command line client."""
        return subprocess.run(
            ("docker", *words),
            env={**os.environ, **self.variables},
            capture_output=True,
            text=True,
            timeout=300,
            check=check,
        )

    def volumes(self) -> dict[str, str]:
        """Every volume with what its folder is: one that was made anew is another.

        The engine's ``CreatedAt`` is no birth: it moves whenever a file comes or goes in it.
        """
        places = {one.name: Path(one.attrs["Mountpoint"]) for one in self.client().volumes.list()}
        # Of the folder around a volume's own, which changes only as the volume is made.
        return {name: str(place.parent.stat().st_ctime_ns) for name, place in places.items()}

    def end(self) -> None:
        """End it by its process id; its containers are removed first."""
        try:
            client = self.client(60)
            for one in client.containers.list(all=True, ignore_removed=True):
                one.remove(force=True, v=True)
        finally:
            for one in self._clients:
                one.close()
            process = self._process
            assert process is not None
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def add_compose(config: Path) -> None:
    """Lay compose into a ``DOCKER_CONFIG``, as a user's own plugin."""
    plugins = config / "cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-compose").symlink_to(compose_plugin())


def _cannot(why: str) -> None:
    """No engine here: a failure under CI, a skip elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


@contextmanager
def dockerd(root: Path | None = None) -> Iterator[Dockerd]:
    """Start an engine; everything of it is gone afterwards."""
    program = shutil.which("dockerd", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        _cannot("no dockerd: apt-get install docker.io")
    if os.geteuid() != 0:
        _cannot("a Docker engine of the tests' own needs root")
    # Short, since the path of a socket has 108 characters at most.
    folder = root or Path(tempfile.mkdtemp(prefix="dockerd-", dir="/var/tmp"))
    try:
        with _in_memory(folder, needed=root is None):
            yield from _started(str(program), folder)
    finally:
        if root is None:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _in_memory(folder: Path, *, needed: bool) -> Iterator[None]:
    """The engine's data in memory: images unpack in seconds, nothing stays on the disk."""
    mount = ("mount", "-t", "tmpfs", "-o", f"size={_SIZE},mode=0755", "tmpfs", str(folder))
    mounted = needed and subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield
    finally:
        if mounted:
            subprocess.run(("umount", "-l", str(folder)), check=False)


def _started(program: str, folder: Path) -> Iterator[Dockerd]:
    add_compose(folder / "config")
    one = Dockerd(folder, program)
    try:
        if not one.start():
            tail = (folder / "log").read_text(errors="replace")[-3000:]
            one.kill()
            _cannot(f"dockerd does not start here:\n{tail}")
        yield one
    finally:
        if one.runs:
            one.end()
        _end_shims(folder)
        _unmount_below(folder)


def _end_shims(folder: Path) -> None:
    """End what keeps the containers of an engine that died: the next one does not find them all."""
    for one in Path("/proc").glob("[0-9]*"):
        try:
            words = (one / "cmdline").read_text().split("\0")
            if "containerd-shim" not in words[0] or not any(str(folder) in word for word in words):
                continue
            children = (one / "task" / one.name / "children").read_text().split()
            for pid in (one.name, *children):
                os.kill(int(pid), signal.SIGKILL)
        except OSError:
            continue  # it has ended


def _unmount_below(folder: Path) -> None:
    """Unmount what an engine that died may have left."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted(mounts, reverse=True):
        if mount.startswith(f"{folder}/"):
            subprocess.run(("umount", "-l", mount), check=False, capture_output=True)
