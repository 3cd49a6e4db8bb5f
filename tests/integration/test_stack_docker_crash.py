"""An engine that crashes amid a start of the stack: said at once, taken up where it was left."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

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
    one.ok("up", "redis", "mysql")
    set_in_redis_and_mysql(one)
    one.ok("down")
    one.ok("up", "redis", "mysql")
    assert read_from_redis_and_mysql(one) == ("kept", "kept")
    one.ok("down")
