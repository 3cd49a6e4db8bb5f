"""A Docker that is not there, silent, too old, elsewhere or full: named at once, with the mend."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.docker_engine import add_compose, dockerd
from tests.integration.stack_project import Project


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    add_compose(folder)
    return folder


def _project(root: Path, **variables: str) -> Project:
    one = Project(root / "project", "trouble", {"STACK_ENGINE": "docker", **variables})
    one.ok("env")
    return one


def _fails(one: Project, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Long before the time that a start may take (120 s): nothing waits for what cannot come."""
    begun = time.monotonic()
    done = one.run(*words, **more)
    assert time.monotonic() - begun < 90
    assert "Traceback" not in done.stderr
    assert done.returncode in {1, 3}, done.stderr
    assert not one.folder.joinpath("volumes").exists()
    return done


@contextmanager
def unix_server(path: Path, answer: bytes | None) -> Iterator[str]:
    """A socket that accepts; it says ``answer`` to every request, or nothing at all."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(16)
    held: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            held.append(link)
            if answer is not None:
                link.recv(65536)
                link.sendall(answer)
                link.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"unix://{path}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        for link in held:
            link.close()


def _version(api: str) -> bytes:
    body = json.dumps({"Version": "1.12.6", "ApiVersion": api, "MinAPIVersion": "1.12"}).encode()
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def test_docker_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = _fails(_project(tmp_path), "up", "redis", PATH="/nonexistent")
    assert done.returncode == 3
    assert "Docker is not on this machine" in done.stderr
    assert "--engine process" in done.stderr


def test_an_engine_that_does_not_run_is_named(tmp_path: Path, config: Path) -> None:
    one = _project(tmp_path, DOCKER_CONFIG=str(config), DOCKER_HOST=f"unix://{tmp_path}/none")
    done = _fails(one, "up", "redis")
    assert done.returncode == 3
    assert "no Docker engine answers" in done.stderr
    assert "systemctl start docker" in done.stderr


def test_an_engine_that_accepts_and_is_silent_hangs_nothing(tmp_path: Path, config: Path) -> None:
    """All at once, since each of them is idle until its patience ends."""
    commands = (("up", "redis"), ("status",), ("down",), ("reset",))
    with unix_server(tmp_path / "s", None) as host, ThreadPoolExecutor(len(commands)) as pool:
        every = [
            _project(tmp_path / words[0], DOCKER_CONFIG=str(config), DOCKER_HOST=host)
            for words in commands
        ]
        found = pool.map(lambda one, words: _fails(one, *words), every, commands)
        for words, done in zip(commands, found, strict=True):
            assert done.returncode == 3, words
            assert "the Docker engine does not answer" in done.stderr, words
            assert "was silent" in done.stderr, words


@pytest.mark.parametrize("api", ["1.18", "1.30"])
def test_an_engine_without_the_needed_feature_is_named(
    tmp_path: Path, config: Path, api: str
) -> None:
    with unix_server(tmp_path / "s", _version(api)) as host:
        one = _project(tmp_path, DOCKER_CONFIG=str(config), DOCKER_HOST=host)
        done = _fails(one, "up", "redis")
    assert done.returncode == 1
    assert "too old" in done.stderr
    assert "19.03" in done.stderr


@pytest.mark.parametrize("version", ["", "docker-compose version 1.29.2, build unknown"])
def test_a_machine_without_compose_2_is_named(tmp_path: Path, version: str) -> None:
    """The real client without a plugin; compose 1, which Debian 12 has, by what it says."""
    programs = tmp_path / "bin"
    programs.mkdir()
    docker = shutil.which("docker")
    assert docker is not None
    (programs / "docker").symlink_to(docker)
    if version:
        (programs / "docker-compose").write_text(f"#!/bin/sh\necho '{version}'\n")
        (programs / "docker-compose").chmod(0o755)
    empty = tmp_path / "empty"
    empty.mkdir()
    with unix_server(tmp_path / "s", _version("1.41")) as host:
        one = _project(tmp_path, DOCKER_CONFIG=str(empty), DOCKER_HOST=host)
        done = _fails(one, "up", "redis", PATH=f"{programs}:/bin")
    assert done.returncode == 1
    assert "Docker Compose 2 is not on this machine" in done.stderr
    assert ("1.29.2" in done.stderr) is bool(version)
    assert "docker-compose-plugin" in done.stderr


def test_an_engine_elsewhere_is_refused_before_it_is_asked(tmp_path: Path, config: Path) -> None:
    one = _project(tmp_path, DOCKER_CONFIG=str(config))
    for host in ("tcp://build.example.org:2375", "ssh://root@build.example.org"):
        done = _fails(one, "up", "redis", DOCKER_HOST=host)
        assert done.returncode == 1
        assert "not this machine's" in done.stderr
        reset = _fails(one, "reset", "--yes", "--project", "trouble", DOCKER_HOST=host)
        assert "REFUSED" in reset.stdout
        # Also where processes run the stack.
        with_processes = one.run("reset", "--engine", "process", DOCKER_HOST=host)
        assert "REFUSED" in with_processes.stdout


def _auto(one: Project, **more: str) -> tuple[str, str]:
    found = json.loads(one.run("status", "--json", STACK_ENGINE="auto", **more).stdout)
    return found["engine"], found["engine_why"]


def test_auto_takes_processes_and_says_why(tmp_path: Path, config: Path) -> None:
    one = _project(tmp_path, DOCKER_CONFIG=str(config))
    assert _auto(one, PATH="/nonexistent") == (
        "process",
        "Docker cannot be used: Docker is not on this machine: no docker on PATH",
    )
    name, why = _auto(one, DOCKER_HOST=f"unix://{tmp_path}/none")
    assert name == "process"
    assert "no Docker engine answers" in why
    with unix_server(tmp_path / "s", None) as host:
        name, why = _auto(one, DOCKER_HOST=host)
    assert name == "process"
    assert "was silent" in why


@pytest.fixture
def small_disk() -> Iterator[Path]:
    if os.geteuid() != 0:
        assert not os.environ.get("CI"), "a small file system needs root"
        pytest.skip("a small file system needs root")
    # Short: containerd's socket is below it, and the path of a socket has 108 characters at most.
    folder = Path(tempfile.mkdtemp(prefix="small-", dir="/var/tmp"))
    mount = ("mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(folder))
    subprocess.run(mount, check=True)
    try:
        yield folder
    finally:
        subprocess.run(("umount", "-l", str(folder)), check=True)
        folder.rmdir()


def test_a_full_disk_a_taken_port_and_auto_with_a_real_engine(
    tmp_path: Path, small_disk: Path
) -> None:
    """One engine for the three, with its data on a small disk; nothing is ever started."""
    with dockerd(small_disk) as engine:
        variables: Mapping[str, str] = engine.variables
        one = _project(tmp_path, **variables)
        full = _fails(one, "up", "redis")
        assert "no space for the stack's data" in full.stderr
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            taken = _fails(one, "up", "redis", REDIS_PORT=str(port))
        assert f"port {port} is taken" in taken.stderr
        assert not engine.volumes()
        name, why = _auto(one)
        assert name == "docker"
        assert f"answers at {engine.host}" in why
