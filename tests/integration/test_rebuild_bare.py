"""The main job on a bare machine: Python and pip, as nobody; three verified drivers after it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.bare_tree import BareTree, make_tree
from tests.integration.mariadb_server import DATABASE, PASSWORD, MariaDbServer

pytestmark = [pytest.mark.root, pytest.mark.network]

ROOT = Path(__file__).parents[2]
DRIVERS = ("mysqlclient", "mariadb", "pysqlite3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """A bare tree after its rebuild: what was printed, how long it took, what lies outside home."""

    tree: BareTree
    document: dict[str, list[dict[str, object]]]
    seconds: float
    outside: list[str]


@pytest.fixture(scope="module", autouse=True)
def _root() -> None:
    if os.geteuid() != 0:
        message = "debootstrap and chroot need root"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)


def with_tool(path: Path, project_wheel: Path) -> BareTree:
    """A bare tree with the tool in a venv of its own and an application's venv beside it."""
    tree = make_tree(path)
    tree.check(["python3", "-m", "venv", "tool"])
    tree.check(["tool/bin/pip", "install", "--quiet", tree.put(project_wheel)])
    tree.check(["python3", "-m", "venv", "--without-pip", "app"])
    return tree


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory, project_wheel: Path) -> Iterator[Rebuilt]:
    tree = with_tool(tmp_path_factory.mktemp("bare") / "tree", project_wheel)
    before, started = time.time(), time.monotonic()
    ran = tree.run(
        ["/bin/sh", "-c", 'tool/bin/buildtools rebuild "$@" --python app --json 2>log', "sh",
         *DRIVERS]
    )  # fmt: skip
    seconds = time.monotonic() - started
    assert ran.returncode == 0, ran.output + (tree.home / "log").read_text()
    outside = tree.written_outside_home(before)
    yield Rebuilt(tree=tree, document=json.loads(ran.output), seconds=seconds, outside=outside)
    subprocess.run(["rm", "-rf", tree.path], check=True)


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDbServer]:
    with MariaDbServer(tmp_path_factory.mktemp("mariadb")) as server:
        yield server


def test_three_drivers_are_installed_and_verified_in_time(rebuilt: Rebuilt) -> None:
    print(f"three drivers rebuilt in {rebuilt.seconds:.1f} s")  # noqa: T201 - a figure worth keeping
    assert [one["driver"] for one in rebuilt.document["steps"]] == list(DRIVERS)
    assert {one["outcome"] for one in rebuilt.document["steps"]} == {"installed"}
    assert {one["status"] for one in rebuilt.document["drivers"]} == {"ok"}


def test_nothing_outside_of_home_was_written(rebuilt: Rebuilt) -> None:
    assert rebuilt.outside == []


@pytest.mark.parametrize("user", ["native", "curve"])
def test_the_drivers_use_a_live_server(user: str, rebuilt: Rebuilt, mariadb: MariaDbServer) -> None:
    dsn = f"mysql://{user}:{PASSWORD}@127.0.0.1:{mariadb.port}/{DATABASE}"
    said = rebuilt.tree.check(
        ["tool/bin/buildtools", "verify", *DRIVERS, "--python", "app", "--json", "--quiet",
         "--dsn", dsn]
    )  # fmt: skip
    assert {one["status"] for one in json.loads(said)["drivers"]} == {"ok"}


def test_a_second_run_has_nothing_to_do(rebuilt: Rebuilt) -> None:
    said = rebuilt.tree.check(["tool/bin/buildtools", "rebuild", *DRIVERS, "--python", "app"])
    assert said.startswith("nothing is due")


def test_the_wheelhouse_serves_a_second_machine_offline(
    rebuilt: Rebuilt, project_wheel: Path, tmp_path: Path
) -> None:
    second = with_tool(tmp_path / "tree", project_wheel)
    try:
        assert not list(second.path.glob("usr/lib/*/libmariadb*"))
        house = rebuilt.tree.home / ".cache" / "buildtools" / "wheelhouse"
        subprocess.run(["cp", "-a", str(house), str(second.home / "wheelhouse")], check=True)
        said = second.check(
            ["tool/bin/buildtools", "rebuild", *DRIVERS, "--python", "app", "--offline",
             "--wheelhouse", "wheelhouse", "--json", "--quiet"]
        )  # fmt: skip
        document = json.loads(said)
        assert {one["source"] for one in document["steps"]} == {"wheelhouse"}
        assert {one["status"] for one in document["drivers"]} == {"ok"}
    finally:
        subprocess.run(["rm", "-rf", str(second.path)], check=True)
