"""The stack in containers: the compose files themselves, a real engine, images made here.

Long because one engine and one set of images, which take minutes to make, serve every test of it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from buildtools.stack.broker_id import delete_registration, registration
from tests.integration.docker_engine import Dockerd, dockerd
from tests.integration.docker_images import VARIABLES, make_images
from tests.integration.stack_project import (
    Project,
    credentials,
    first_join,
    first_produce,
    read_from_redis_and_mysql,
    set_in_redis_and_mysql,
)

SCHEMA = json.loads(files("buildtools").joinpath("schemas/stack.schema.json").read_text())
ROUNDS = int(os.environ.get("STACK_ROUNDS", "1"))
COMPOSE = Path(__file__).resolve().parents[2] / "stack"


@pytest.fixture(scope="module")
def engine() -> Iterator[Dockerd]:
    with dockerd() as one:
        make_images(one.client(), one.root)
        yield one


@contextmanager
def stack_of(engine: Dockerd, root: Path, name: str) -> Iterator[Project]:
    one = Project(root, name, {"STACK_ENGINE": "docker", **engine.variables, **VARIABLES})
    try:
        yield one
    finally:
        one.run("down")
        for volume in engine.client().volumes.list():
            if volume.name.startswith(f"{name}_"):
                volume.remove(force=True)


@pytest.fixture(scope="module")
def stack(engine: Dockerd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Started by hand, as the head of the compose file says."""
    with stack_of(engine, tmp_path_factory.mktemp("shop"), "shop") as one:
        one.ok("env")
        _by_hand(one, "up", "--detach")
        yield one


def _by_hand(one: Project, *words: str) -> None:
    done = subprocess.run(
        (
            *("docker", "compose", "--project-directory", str(one.root)),
            *("--env-file", str(one.folder / ".env"), "-f", str(COMPOSE / "compose.yaml"), *words),
        ),
        cwd=one.root,
        env=one.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _inspect(engine: Dockerd, one: Project, service: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = engine.client().containers.get(f"{one.name}-{service}-1").attrs
    return found


def test_the_broker_starts_when_zookeeper_is_healthy_and_not_before(
    engine: Dockerd, stack: Project
) -> None:
    # The engine keeps the last five looks, and this comes before there were as many good ones.
    looks = _inspect(engine, stack, "zookeeper")["State"]["Health"]["Log"]
    first = min(look["End"] for look in looks if look["ExitCode"] == 0)
    assert _inspect(engine, stack, "kafka")["State"]["StartedAt"] > first[:26]


def test_what_was_started_by_hand_is_ready_when_wait_says_so(stack: Project) -> None:
    stack.ok("wait")
    first_produce(stack.brokers)
    assert first_join(stack.brokers, "database-writer-group") == 1
    assert {one["state"] for one in stack.services().values()} <= {"healthy", "starting"}


def test_up_leaves_what_runs_alone_and_remembers_the_engine(stack: Project) -> None:
    before = {name: entry["pid"] for name, entry in stack.services().items()}
    stack.ok("up")
    assert {name: entry["pid"] for name, entry in stack.services().items()} == before
    found = json.loads(stack.ok("status", "--json", STACK_ENGINE="auto"))
    assert (found["engine"], found["engine_why"]) == ("docker", "the stack was last started by it")


@pytest.mark.parametrize(
    "words", [("status",), ("wait",), ("topics",), ("env",), ("broker-id",), ("reset",)]
)
def test_the_answers_follow_their_schema(stack: Project, words: tuple[str, ...]) -> None:
    jsonschema.validate(json.loads(stack.ok(*words, "--json")), SCHEMA)


def test_only_loopback_is_published_and_every_service_restarts(
    engine: Dockerd, stack: Project
) -> None:
    for service in stack.services():
        found = _inspect(engine, stack, service)
        assert found["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
        for published in filter(None, found["NetworkSettings"]["Ports"].values()):
            assert {one["HostIp"] for one in published} == {"127.0.0.1"}


def test_a_wrong_password_fails_at_once(stack: Project) -> None:
    done = stack.run("wait", "mysql", "--json", DB_PASSWORD="not-it")  # noqa: S106 - a wrong one
    assert done.returncode == 1
    (found,) = json.loads(done.stdout)["services"]
    assert found["state"] == "wrong"
    assert "DB_PASSWORD" in found["mend"]


def test_no_credential_is_in_a_log_or_on_a_command_line(engine: Dockerd, stack: Project) -> None:
    secrets = [value for name, value in credentials(stack).items() if "PASSWORD" in name]
    assert len(secrets) == 3
    texts = []
    for service in stack.services():
        one = engine.client().containers.get(f"{stack.name}-{service}-1")
        texts += [one.logs().decode(errors="replace"), json.dumps(one.top())]
    assert not [secret for secret in secrets for text in texts if secret in text]


def test_a_missing_topic_is_created(stack: Project) -> None:
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": stack.brokers})
    admin.delete_topics(["trainer-allocated"])["trainer-allocated"].result(10)
    deadline = time.monotonic() + 20
    while "created trainer-allocated" not in stack.run("topics").stdout:
        assert time.monotonic() < deadline
    assert json.loads(stack.ok("topics", "--json"))["drift"] == []


def test_the_living_brokers_registration_is_not_deleted(stack: Project) -> None:
    assert "all is well" in stack.ok("broker-id")
    refused = stack.run("broker-id", "--delete")
    assert refused.returncode == 1
    assert "is alive" in refused.stderr


def test_a_killed_broker_waits_the_old_session_out_and_comes_back(
    engine: Dockerd, stack: Project
) -> None:
    seconds = []
    for number in range(ROUNDS):
        before = _inspect(engine, stack, "kafka")
        begun = time.monotonic()
        os.kill(before["State"]["Pid"], signal.SIGKILL)
        _until_restarted(engine, stack, before["State"]["StartedAt"])
        if number == 0:
            stale = stack.run("broker-id", "--json")
            assert stale.returncode == 1, stale.stdout
            assert json.loads(stale.stdout)["cause"] == "zookeeper-node-exists"
            waits = stack.services()["kafka"]
            assert waits["state"] == "waiting"
            assert "/brokers/ids/1" in waits["why"]
        stack.ok("wait", "kafka")
        seconds.append(time.monotonic() - begun)
        first_produce(stack.brokers, f"k{number}")
        # Waited out, not crashed until it fitted.
        assert _inspect(engine, stack, "kafka")["RestartCount"] == before["RestartCount"] + 1
    print("back after", " ".join(f"{one:.1f}" for one in seconds), "s")  # noqa: T201 - the figures


def test_with_the_originals_settings_the_same_broker_ends_with_node_exists(
    engine: Dockerd, stack: Project
) -> None:
    """No restart, ten seconds to stop, the image's command at once.

    The session is 40 s long, not 18: on a busy machine the broker takes that long to start.
    """
    stack.ok("wait", "kafka")
    kafka = engine.client().containers.get(f"{stack.name}-kafka-1")
    own = stack.root / "original.yaml"
    service = {
        "restart": "no",
        "stop_grace_period": "10s",
        "command": ["/etc/confluent/docker/run"],
        "environment": {"KAFKA_ZOOKEEPER_SESSION_TIMEOUT_MS": "40000"},
    }
    own.write_text(json.dumps({"services": {"kafka": service}}))
    anew = ("up", "--detach", "--force-recreate", "--renew-anon-volumes", "--no-deps", "kafka")
    kafka.stop()
    _by_hand(stack, "-f", str(own), *anew)
    try:
        stack.ok("wait", "kafka")
        found = _inspect(engine, stack, "kafka")
        assert found["Config"]["Cmd"] == ["/etc/confluent/docker/run"]
        os.kill(found["State"]["Pid"], signal.SIGKILL)
        again = engine.client().containers.get(f"{stack.name}-kafka-1")
        again.wait(timeout=30)
        since = int(time.time())
        again.start()
        assert again.wait(timeout=120)["StatusCode"] != 0
        assert "NodeExists" in again.logs(since=since).decode(errors="replace")
        # The stack's own would wait for that session's end; it is deleted as `broker-id` does.
        port = stack.ports["ZOOKEEPER_PORT"]
        held = registration(port)
        assert held is not None
        delete_registration(port, held)
        assert registration(port) is None
    finally:
        _by_hand(stack, *anew)
    stack.ok("wait", "kafka")


def test_data_outlives_down_and_up(engine: Dockerd, stack: Project) -> None:
    stack.ok("wait")
    held = first_join(stack.brokers, "before")
    set_in_redis_and_mysql(stack)
    ours = engine.client().containers.list(all=True, filters={"name": "shop-"})
    mounts = [mount for one in ours for mount in one.attrs["Mounts"]]
    nameless = {mount["Name"] for mount in mounts if len(mount.get("Name", "")) == 64}
    assert nameless
    stack.ok("down")
    assert not engine.client().containers.list(all=True, filters={"name": "shop-"})
    assert {name for name in engine.volumes() if name.startswith("shop_")} == {
        "shop_zookeeper-data", "shop_zookeeper-log", "shop_kafka-data", "shop_mysql-data",
        "shop_redis-data",
    }  # fmt: skip
    # Volumes without a name (the images declare some) are gone with their containers; what compose
    # left behind as it made a container anew, in the tests before, is not the stack's to find.
    assert not nameless & set(engine.volumes())
    stack.ok("up")
    first_produce(stack.brokers)
    assert first_join(stack.brokers, "later") == held + 1
    assert read_from_redis_and_mysql(stack) == ("kept", "kept")


@pytest.mark.parametrize(
    "variables",
    [
        {"APP_ENV": "production"},
        {"DB_HOST": "db.example.org"},
        {"DOCKER_HOST": "tcp://build.example.org:2375"},
        {"DOCKER_HOST": "ssh://root@127.0.0.1"},
        {"DOCKER_HOST": "", "DOCKER_CONTEXT": "far"},
    ],
    ids=["production", "host", "tcp", "ssh", "context"],
)
def test_a_refused_reset_touches_nothing(
    engine: Dockerd, stack: Project, variables: dict[str, str]
) -> None:
    if "DOCKER_CONTEXT" in variables and not (engine.root / "config/contexts").exists():
        engine.docker("context", "create", "far", "--docker", "host=tcp://build.example.org:2375")
    volumes = engine.volumes()
    pids = {name: one["pid"] for name, one in stack.services().items()}
    done = stack.run("reset", "--yes", "--project", stack.name, **variables)
    assert done.returncode == 1
    assert "REFUSED" in done.stdout
    assert engine.volumes() == volumes
    assert {name: one["pid"] for name, one in stack.services().items()} == pids


def test_a_reset_for_a_volume_without_the_projects_label_is_refused(
    engine: Dockerd, tmp_path: Path
) -> None:
    client = engine.client()
    with stack_of(engine, tmp_path / "one", "yard") as one:
        one.ok("env")
        client.volumes.create("yard_kafka-data")
        client.volumes.create("yard_redis-data", labels={"com.docker.compose.project": "other"})
        before = engine.volumes()
        done = one.run("reset", "--yes", "--project", "yard")
        assert done.returncode == 1
        assert "volume yard_kafka-data: it has no label" in done.stdout
        assert "volume yard_redis-data: it is labelled as a volume of project other" in done.stdout
        assert engine.volumes() == before
        begun = one.run("up", "redis")
        assert begun.returncode == 1
        assert "is not this stack's" in begun.stderr
        assert not one.services()["redis"]["pid"]


def test_a_reset_removes_this_projects_volumes_and_no_other(
    engine: Dockerd, stack: Project
) -> None:
    client = engine.client()
    client.volumes.create("bystander")
    label = {"com.docker.compose.project": "shop2", "com.docker.compose.volume": "kafka-data"}
    client.volumes.create("shop2_kafka-data", labels=label)
    before = engine.volumes()
    assert stack.run("reset", "--yes", "--project", "shpo").returncode == 1
    assert engine.volumes() == before
    planned = json.loads(stack.ok("reset", "--json"))
    own = {name for name in before if name.startswith("shop_")}
    assert set(planned["remove"]) == {f"volume {name}" for name in own}
    assert "ready" in stack.ok("reset", "--yes", "--project", "shop")
    after = engine.volumes()
    assert all(after[name] != before[name] for name in own)
    assert {name: after[name] for name in ("bystander", "shop2_kafka-data")} == {
        name: before[name] for name in ("bystander", "shop2_kafka-data")
    }
    first_produce(stack.brokers)
    assert first_join(stack.brokers, "database-writer-group") == 1


def test_zookeeper_wiped_beside_kept_kafka_is_refused_before_the_broker_starts(
    engine: Dockerd, stack: Project
) -> None:
    stack.ok("up", "kafka")
    stack.ok("down")
    client = engine.client()
    for name in ("shop_zookeeper-data", "shop_zookeeper-log"):
        client.volumes.get(name).remove()
    done = stack.run("up", "kafka")
    assert done.returncode == 1
    assert "this ZooKeeper is new" in done.stderr
    assert "stack reset" in done.stderr
    assert "InconsistentClusterId" not in done.stderr
    assert not client.containers.list(all=True, filters={"name": "shop-"})


@pytest.mark.parametrize("mode", ["zookeeper", "kraft"])
def test_ready_is_ready_and_an_open_port_is_not(engine: Dockerd, tmp_path: Path, mode: str) -> None:
    """From nothing, with `wait`; then the same clients with `nc -z` in its place.

    The engine's proxy accepts at the broker's port before the broker lives. Topics are there.
    """
    seconds, failed = [], []
    for number in range(ROUNDS):
        with stack_of(engine, tmp_path / f"{mode}{number}", f"new-{mode}{number}") as one:
            begun = time.monotonic()
            one.ok("up", "--mode", mode)
            seconds.append(time.monotonic() - begun)
            assert _failures(one, "after-wait") == []
            one.ok("down")
            starting = one.start("up", "kafka", "--no-wait")
            try:
                until_open(one)
                failed.append(_failures(one, "after-open"))
            finally:
                starting.wait(120)
    print(f"{mode}: ready after", " ".join(f"{one:.1f}" for one in seconds), "s")  # noqa: T201 - the figures
    print(f"{mode}: with nc -z these failed: {failed}")  # noqa: T201 - the figures
    assert any(failed)


def test_a_wrong_advertised_address_is_wrong_not_late(engine: Dockerd, tmp_path: Path) -> None:
    with stack_of(engine, tmp_path / "one", "nowhere") as one:
        done = one.run("up", "kafka", "--json", "--mode", "kraft", KAFKA_ADVERTISED_HOST="nowhere")
        assert done.returncode == 1, done.stderr
        (found,) = json.loads(done.stdout)["services"]
        assert (found["state"], found["cause"]) == ("wrong", "kafka-advertised-listener")
        assert "KAFKA_ADVERTISED_HOST" in found["mend"]


def test_krafts_data_of_another_cluster_is_named_with_the_line_that_keeps_it(
    engine: Dockerd, tmp_path: Path
) -> None:
    """As where ``.stack`` was removed, and made anew beside the volumes."""
    with stack_of(engine, tmp_path / "one", "outlived") as one:
        one.ok("up", "kafka", "--mode", "kraft")
        first_produce(one.brokers)
        one.ok("down")
        (one.folder / ".env").unlink()
        done = one.run("up", "kafka")
        assert done.returncode == 1
        line = next(word for word in done.stderr.split() if word.startswith("KAFKA_CLUSTER_ID="))
        file = one.folder / ".env"
        kept = [row for row in file.read_text().splitlines() if "KAFKA_CLUSTER_ID" not in row]
        file.write_text("\n".join([*kept, line, ""]))
        one.ok("up", "kafka")
        assert first_join(one.brokers, "later") == 1


def test_a_service_that_ends_in_its_start_is_named_and_all_is_taken_back(
    engine: Dockerd, tmp_path: Path
) -> None:
    with stack_of(engine, tmp_path / "one", "broken") as one:
        begun = time.monotonic()
        done = one.run("up", "redis", "mysql", REDIS_IMAGE="stack-test/zookeeper")
        assert done.returncode == 1
        assert "redis ended with exit code" in done.stderr
        assert time.monotonic() - begun < 100  # before the start's own deadline, 120 s
        assert not engine.client().containers.list(all=True, filters={"name": "broken"})


def test_an_image_that_cannot_be_had_is_named_with_the_mend(
    engine: Dockerd, tmp_path: Path
) -> None:
    with stack_of(engine, tmp_path / "one", "none") as one:
        done = one.run("up", "redis", REDIS_IMAGE="127.0.0.1:1/none:1")
        assert done.returncode == 1
        assert "the image of redis could not be had" in done.stderr
        assert "REDIS_IMAGE" in done.stderr
        assert "--engine process" in done.stderr


def test_an_interrupted_start_leaves_nothing_running(engine: Dockerd, tmp_path: Path) -> None:
    with stack_of(engine, tmp_path / "one", "cut") as one:
        starting = one.start("up", "redis", "mysql")
        deadline = time.monotonic() + 60
        while not engine.client().containers.list(filters={"name": "cut-"}, ignore_removed=True):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        starting.send_signal(signal.SIGTERM)
        assert starting.wait(90) == 130
        assert not engine.client().containers.list(all=True, filters={"name": "cut-"})
        # Half of MySQL's data would be taken for the whole, which has the application's account.
        assert "cut_mysql-data" not in engine.volumes()


def test_another_folders_stack_of_the_same_name_is_left_alone(
    engine: Dockerd, tmp_path: Path
) -> None:
    with stack_of(engine, tmp_path / "one", "twice") as one:
        one.ok("up", "redis")
        twin = Project(tmp_path / "two", "twice", one.variables)
        twin.ok("env")
        for words in (("up", "redis"), ("down",), ("reset", "--yes", "--project", "twice")):
            done = twin.run(*words)
            assert done.returncode == 1, words
            assert str(one.root) in done.stderr + done.stdout
        assert one.services()["redis"]["state"] == "healthy"
        # Nor when it is down: its data is there.
        one.ok("down")
        before = engine.volumes()
        for words in (("up", "redis"), ("reset", "--yes", "--project", "twice")):
            done = twin.run(*words)
            assert done.returncode == 1, words
            assert f"it belongs to the stack in {one.root}" in done.stderr + done.stdout
        assert engine.volumes() == before


def _failures(one: Project, name: str) -> list[str]:
    """What of the first produce and the first join does not come off within a few seconds."""
    failed = []
    try:
        first_produce(one.brokers, name, seconds=2)
    except AssertionError:
        failed.append("produce")
    try:
        first_join(one.brokers, name, seconds=4)
    except AssertionError:
        failed.append("join")
    return failed


def until_open(one: Project) -> None:
    """What `nc -z` waits for."""
    import socket

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", one.ports["KAFKA_PORT"])) == 0:
                return
        time.sleep(0.01)
    raise AssertionError("the port never opened")


def _until_restarted(engine: Dockerd, one: Project, before: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        state = _inspect(engine, one, "kafka")["State"]
        if state["Status"] == "running" and state["StartedAt"] != before:
            return
        assert time.monotonic() < deadline
        time.sleep(0.1)
