"""A broker that is killed and started again at once, while ZooKeeper still holds its session."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from tests.integration.stack_project import ROUNDS, Project, first_produce, project


def test_a_killed_broker_comes_back_by_itself(tmp_path: Path) -> None:
    seconds = []
    with project(tmp_path / "one") as one:
        one.ok("up", "zookeeper", "kafka", "--mode", "zookeeper")
        for number in range(ROUNDS):
            before = one.services()["kafka"]
            begun = time.monotonic()
            os.kill(before["pid"], signal.SIGKILL)
            _until_gone(one, before["pid"])
            one.ok("wait", "kafka")
            seconds.append(time.monotonic() - begun)
            first_produce(one.brokers, f"k{number}")
            after = one.services()["kafka"]
            assert after["pid"] != before["pid"]
            # Waited out, not crashed until it fitted: one start, no more.
            assert after["restarts"] == before["restarts"] + 1
    print("back after", " ".join(f"{one:.1f}" for one in seconds), "s")  # noqa: T201 - the figures


def test_without_the_wait_the_same_broker_ends_with_node_exists(tmp_path: Path) -> None:
    with project(tmp_path / "one") as one:
        one.ok("up", "zookeeper", "kafka", "--mode", "zookeeper")
        orders = json.loads((one.folder / "run" / "kafka.orders.json").read_text())
        record = json.loads((one.folder / "run" / "kafka.json").read_text())
        os.kill(record["keeper"]["pid"], signal.SIGKILL)
        os.kill(record["child"]["pid"], signal.SIGKILL)
        time.sleep(0.5)
        stale = one.run("broker-id", "--json")
        assert stale.returncode == 1
        found = json.loads(stale.stdout)
        assert found["stale"]
        assert found["cause"] == "zookeeper-node-exists"
        assert found["owner"].startswith("0x")
        at_once = subprocess.run(
            orders["argv"], cwd=one.folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert at_once.returncode != 0
        assert "NodeExists" in at_once.stdout
        assert one.ok("broker-id", "--wait").startswith("nobody holds")


def test_a_stale_registration_is_deleted_only_when_nobody_lives_by_it(tmp_path: Path) -> None:
    with project(tmp_path / "one") as one:
        one.ok("up", "zookeeper", "kafka", "--mode", "zookeeper")
        refused = one.run("broker-id", "--delete")
        assert refused.returncode == 1
        assert "is alive" in refused.stderr
        assert "well" in one.ok("broker-id")
        # A process that cannot be seen from here is alive by its session.
        record = one.folder / "run" / "kafka.json"
        aside = record.rename(record.with_suffix(".aside"))
        try:
            assert "well" in one.ok("broker-id", KAFKA_INSIDE_PORT="1")
        finally:
            aside.rename(record)


def _until_gone(one: Project, pid: int) -> None:
    deadline = time.monotonic() + 10
    while one.services()["kafka"]["pid"] == pid:
        assert time.monotonic() < deadline
        time.sleep(0.05)
