"""An engine that crashes amid a start of the stack: said at once, taken up where it was left."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildtools.stack.listeners import PROXY, listener
from tests.integration.docker_engine import Dockerd, dockerd
from tests.integration.docker_images import VARIABLES, make_images
from tests.integration.stack_project import (
    Project,
    read_from_redis_and_mysql,
    set_in_redis_and_mysql,
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Dockerd]:
    with dockerd() as one:
        make_images(one.client(), one.root)
        yield one


@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.0, 1.5])
def test_an_engine_that_is_killed_amid_a_start_is_named_and_the_next_start_comes_through(
    engine: Dockerd, tmp_path: Path, seconds: float
) -> None:
    name = f"crash{int(seconds * 10)}"
    variables = {"STACK_ENGINE": "docker", **engine.variables, **VARIABLES}
    one = Project(tmp_path / "one", name, variables)
    starting = subprocess.Popen(
        (sys.executable, "-m", "buildtools", "stack", "up", "redis", "mysql"),
        cwd=one.root,
        env=one.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with starting:
        deadline = time.monotonic() + 60
        while not engine.client().containers.list(filters={"name": name}, ignore_removed=True):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(seconds)
        engine.kill()
        # Long before its own time is over, which is 120 s.
        said = starting.communicate(timeout=60)[0]
    assert "Traceback" not in said
    if starting.returncode:  # else it was ready before
        assert "Docker" in said
        assert "start it" in said or "stack up" in said
    assert one.run("status").returncode == 3
    assert engine.start()
    again = one.run("up", "redis", "mysql")
    if again.returncode:
        # Killed between a container's port and its start, the engine keeps the port until it is
        # started once more: see below.
        assert f"for a container that is gone, by its {PROXY}" in again.stderr
        engine.restart()
        one.ok("up", "redis", "mysql")
    set_in_redis_and_mysql(one)
    one.ok("down")
    one.ok("up", "redis", "mysql")
    assert read_from_redis_and_mysql(one) == ("kept", "kept")
    one.ok("down")


def test_a_port_that_a_crashed_engine_keeps_is_named_with_its_mend(
    engine: Dockerd, tmp_path: Path
) -> None:
    """Moby takes up the ports of a network's ends as it starts, also of those it then forgets."""
    variables = {"STACK_ENGINE": "docker", **engine.variables, **VARIABLES}
    one = Project(tmp_path / "one", "kept", variables)
    for seconds in (0.02, 0.04, 0.06, 0.08, 0.1) * 3:
        _kill_as_a_port_is_taken(engine, one, seconds)
        assert engine.start()
        again = one.run("up", "redis")
        if again.returncode:
            break
        one.ok("down")  # the kill came too late, or too early
    else:
        pytest.fail("the engine kept no port")
    assert f"port {one.ports['REDIS_PORT']} is taken" in again.stderr
    assert f"for a container that is gone, by its {PROXY}" in again.stderr
    assert "restart the engine" in again.stderr
    engine.restart()
    one.ok("up", "redis")
    one.ok("down")


def test_the_container_that_holds_a_port_is_named(engine: Dockerd, tmp_path: Path) -> None:
    variables = {"STACK_ENGINE": "docker", **engine.variables, **VARIABLES}
    one = Project(tmp_path / "one", "first", variables)
    port = str(one.ports["REDIS_PORT"])
    other = Project(tmp_path / "other", "second", {**variables, "REDIS_PORT": port})
    one.ok("up", "redis")
    taken = other.run("up", "redis")
    assert taken.returncode == 1
    assert "container first-redis-1 listens there" in taken.stderr
    one.ok("down")


def _kill_as_a_port_is_taken(engine: Dockerd, one: Project, seconds: float) -> None:
    """Start Redis, and kill the engine so long after its port's proxy is there."""
    with subprocess.Popen(
        (sys.executable, "-m", "buildtools", "stack", "up", "redis"),
        cwd=one.root,
        env=one.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as starting:
        port = one.ports["REDIS_PORT"]
        deadline = time.monotonic() + 60
        while not listener(port):
            assert time.monotonic() < deadline
        time.sleep(seconds)
        engine.kill()
        starting.wait(timeout=60)
