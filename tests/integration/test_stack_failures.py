"""What goes wrong is named at once, with its mend, and leaves nothing running."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from buildtools.stack.engine_process import ProcessEngine
from buildtools.stack.readiness import wait_for
from buildtools.stack.settings import load_settings
from buildtools.stack.states import gone
from tests.integration.stack_project import TOPIC, Project, alive, first_produce, project

SCHEMA = json.loads(files("buildtools").joinpath("schemas/stack.schema.json").read_text())


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with project(tmp_path_factory.mktemp("whole")) as one:
        one.ok("up")
        yield one


@pytest.mark.parametrize(
    ("service", "variable", "cause"),
    [("mysql", "DB_PASSWORD", None), ("redis", "REDIS_PASSWORD", "redis-auth")],
)
@pytest.mark.parametrize("action", ["wait", "up"])
def test_a_wrong_password_fails_at_once(
    stack: Project, action: str, service: str, variable: str, cause: str | None
) -> None:
    begun = time.monotonic()
    done = stack.run(action, service, "--json", **{variable: "not-it"})
    assert time.monotonic() - begun < 10
    assert done.returncode == 1
    (found,) = json.loads(done.stdout)["services"]
    assert found["state"] == "wrong"
    assert found["cause"] == cause
    assert variable in found["mend"]


@pytest.mark.parametrize(
    "words", [("status",), ("wait",), ("topics",), ("env",), ("broker-id",), ("reset",)]
)
def test_the_answers_follow_their_schema(stack: Project, words: tuple[str, ...]) -> None:
    jsonschema.validate(json.loads(stack.ok(*words, "--json")), SCHEMA)


def test_a_second_up_leaves_what_runs_alone(stack: Project) -> None:
    before = {name: entry["pid"] for name, entry in stack.services().items()}
    stack.ok("up")
    assert {name: entry["pid"] for name, entry in stack.services().items()} == before


def test_a_missing_topic_is_created_and_drift_is_shown_and_left(stack: Project) -> None:
    own = stack.root / "stack"
    own.mkdir()
    shipped = files("buildtools").joinpath("../stack/topics.yaml").read_text()
    wanted = shipped.replace("partitions: 6", "partitions: 8") + "  extra:\n    partitions: 2\n"
    (own / "topics.yaml").write_text(wanted)
    try:
        checked = stack.run("topics", "--check", "--json")
        assert json.loads(checked.stdout)["missing"] == ["extra"]
        done = stack.run("topics")
        assert done.returncode == 1
        assert "created extra" in done.stdout
        assert f"@@ {TOPIC} @@\n-partitions: 6\n+partitions: 8" in done.stdout
        again = json.loads(stack.run("topics", "--json").stdout)
        assert again["created"] == []
        assert [one["found"] for one in again["drift"]] == ["6"]
    finally:
        shutil.rmtree(own)


@pytest.mark.parametrize(
    "variables",
    [{"APP_ENV": "production"}, {"NODE_ENV": "production"}, {"DB_HOST": "db.example.org"}],
)
def test_a_refused_reset_touches_nothing(stack: Project, variables: dict[str, str]) -> None:
    volumes = stack.folder / "volumes"
    before = {one: one.stat().st_ino for one in volumes.iterdir()}
    pids = stack.pids()
    done = stack.run("reset", "--yes", "--project", stack.name, **variables)
    assert done.returncode == 1
    assert "REFUSED" in done.stdout
    assert {one: one.stat().st_ino for one in volumes.iterdir()} == before
    assert all(alive(pid) for pid in pids)


def test_mariadb_keeps_its_temporary_files_to_itself(stack: Project) -> None:
    """Another server that starts removes those that it finds in the folder that both have."""
    own = stack.folder / "volumes" / "mysql-data" / "tmp"
    pid = stack.services()["mysql"]["pid"]
    opened = {str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()}
    temporary = [one for one in opened if one.endswith("(deleted)")]
    assert temporary
    assert all(Path(one).is_relative_to(own) for one in temporary if not one.startswith("/memfd:"))


def test_no_credential_is_in_a_log_or_on_a_command_line(stack: Project) -> None:
    lines = (stack.folder / ".env").read_text().splitlines()
    secrets = [line.split("=", 1)[1] for line in lines if "PASSWORD" in line]
    assert len(secrets) == 3
    texts = [one.read_text(errors="replace") for one in (stack.folder / "logs").iterdir()]
    texts += [Path(f"/proc/{pid}/cmdline").read_text() for pid in stack.pids()]
    assert not [secret for secret in secrets for text in texts if secret in text]


def test_a_reset_empties_everything_and_starts_anew(tmp_path: Path) -> None:
    with project(tmp_path / "one") as one:
        one.ok("up", "--mode", "kraft")
        first_produce(one.brokers)
        old = (one.folder / "volumes" / "kafka-kraft-data").stat().st_ino
        other = json.loads(one.run("reset", "--yes", "--project", "other", "--json").stdout)
        jsonschema.validate(other, SCHEMA)
        assert other["error"]["code"] == 1
        assert "ready" in one.ok("reset", "--yes", "--project", one.name)
        assert (one.folder / "volumes" / "kafka-kraft-data").stat().st_ino != old
        first_produce(one.brokers)


def test_a_wrong_advertised_address_is_wrong_not_late(tmp_path: Path) -> None:
    with project(tmp_path / "one") as one:
        begun = time.monotonic()
        done = one.run("up", "kafka", "--json", "--mode", "kraft", KAFKA_ADVERTISED_HOST="nowhere")
        assert time.monotonic() - begun < 60
        assert done.returncode == 1
        (found,) = json.loads(done.stdout)["services"]
        assert (found["state"], found["cause"]) == ("wrong", "kafka-advertised-listener")
        assert "KAFKA_ADVERTISED_HOST" in found["mend"]


def test_a_port_that_is_taken_is_named_before_anything_starts(tmp_path: Path) -> None:
    with project(tmp_path / "one") as one, socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = one.run("up", REDIS_PORT=str(port))
        assert done.returncode == 1
        assert f"port {port} is taken" in done.stderr
        assert f"(process {os.getpid()}) listens there" in done.stderr
        assert not one.pids()


def test_zookeeper_wiped_beside_kept_kafka_is_refused_before_the_broker_starts(
    tmp_path: Path,
) -> None:
    with project(tmp_path / "one") as one:
        one.ok("up", "kafka", "--mode", "zookeeper")
        one.ok("down")
        shutil.rmtree(one.folder / "volumes" / "zookeeper-data")
        log = one.folder / "logs" / "kafka.log"
        before = log.stat().st_size
        done = one.run("up", "kafka")
        assert done.returncode == 1
        assert "this ZooKeeper is new" in done.stderr
        assert "stack reset" in done.stderr
        assert log.stat().st_size == before
        assert not one.pids()


def test_what_is_not_on_the_machine_is_named_with_its_package(tmp_path: Path) -> None:
    with project(tmp_path / "one") as one:
        done = one.run("up", PATH="/nonexistent", JAVA_HOME="")
        assert done.returncode == 3
        assert "Java is not on this machine" in done.stderr
        assert "apt-get install" in done.stderr


def test_a_service_that_ends_in_its_start_takes_the_others_down_with_it(tmp_path: Path) -> None:
    with project(tmp_path / "one") as one:
        one.ok("env")
        one.ok("up", "redis")
        one.ok("down")
        data = one.folder / "volumes" / "redis-data" / "data"
        shutil.rmtree(data / "appendonlydir")
        (data / "appendonlydir").write_text("in the way")
        done = one.run("up", "redis", "mysql")
        assert done.returncode == 1
        assert "redis ended with exit code 1" in done.stderr
        assert not one.pids()


def test_topics_that_cannot_be_are_said_before_anything_is_touched(tmp_path: Path) -> None:
    with project(tmp_path / "one") as one:
        one.ok("up", "redis")
        one.ok("down")
        (one.root / "stack").mkdir()
        (one.root / "stack" / "topics.yaml").write_text("topics: {one: {partitions: none}}\n")
        volume = one.folder / "volumes" / "redis-data"
        before = volume.stat().st_ino
        for words in (("up", "redis"), ("reset", "--yes", "--project", one.name)):
            done = one.run(*words)
            assert done.returncode == 2, words
            assert "topic one cannot be" in done.stderr, words
            assert not one.pids(), words
        assert volume.stat().st_ino == before


def test_data_that_outlived_its_password_is_explained(tmp_path: Path) -> None:
    with project(tmp_path / "one") as one:
        one.ok("up", "mysql")
        one.ok("down")
        (one.folder / ".env").unlink()
        done = one.run("up", "mysql", "redis")
        assert done.returncode == 1
        assert "that its data was made with" in done.stdout
        assert "stack reset" in done.stdout
        # Only what was asked has a log worth showing.
        assert "the end of mysql's log" in done.stderr
        assert "the end of redis's log" not in done.stderr


def test_another_stack_at_the_ports_is_not_taken_for_this_one(tmp_path: Path) -> None:
    with project(tmp_path / "one") as one:
        one.ok("up", "redis")
        twin = Project(tmp_path / "two")
        twin.ports = one.ports
        twin.ok("env")
        done = twin.run("wait", "redis", "--json")
        (found,) = json.loads(done.stdout)["services"]
        assert (done.returncode, found["state"]) == (1, "wrong")
        assert f"answers at port {one.ports['REDIS_PORT']} is another's" in found["mend"]
        # The stack's own, which runs, is not told so.
        own = json.loads(one.run("wait", "redis", "--json", REDIS_PASSWORD="not-it").stdout)  # noqa: S106 - a wrong one
        assert "REDIS_PASSWORD" in own["services"][0]["mend"]


def test_a_service_that_is_ended_while_it_is_waited_for_ends_the_wait(tmp_path: Path) -> None:
    with project(tmp_path / "one") as one:
        one.ok("up", "redis")
        one.ok("down")
        settings = load_settings(one.root, one.environment())
        told: list[str] = []
        report = wait_for(
            settings,
            ["redis"],
            (),
            timeout=120,
            tell=lambda moment: told.append(moment.answer.outcome),
            gone=partial(gone, ProcessEngine(settings)),
        )
        assert told == ["not yet", "wrong"]
        assert "it is down" in report.last["redis"].why
        assert report.seconds < 60  # long before its time is over


def test_two_commands_do_not_change_one_stack_at_once(tmp_path: Path) -> None:
    import fcntl

    with project(tmp_path / "one") as one:
        one.ok("env")
        with (one.folder / "lock").open("ab") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            assert one.run("up", "redis").returncode == 6


def test_a_killed_service_is_started_again_and_a_killed_keeper_leaves_no_orphan(
    tmp_path: Path,
) -> None:
    with project(tmp_path / "one") as one:
        one.ok("up", "redis")
        first = one.services()["redis"]["pid"]
        os.kill(first, 9)
        deadline = time.monotonic() + 15
        while one.services()["redis"]["state"] != "healthy":
            assert time.monotonic() < deadline
        record = json.loads((one.folder / "run" / "redis.json").read_text())
        os.kill(record["keeper"]["pid"], 9)
        child = record["child"]["pid"]
        assert alive(child)
        one.ok("down")
        assert not alive(child)


def test_a_folder_that_is_removed_while_its_stack_runs_takes_the_stack_with_it(
    tmp_path: Path,
) -> None:
    """As `git clean -xfd` does: nothing could end those processes any more."""
    with project(tmp_path / "one") as one:
        one.ok("up", "redis")
        pids = one.pids()
        shutil.rmtree(one.folder)
        deadline = time.monotonic() + 30
        while any(alive(pid) for pid in pids):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert not one.folder.exists()
        one.ok("up", "redis")


def test_a_stack_whose_folder_was_moved_is_started_anew_where_it_is_now(tmp_path: Path) -> None:
    with project(tmp_path / "one") as one:
        one.ok("up", "redis")
        before = one.pids()
        moved = Project(tmp_path / "two")
        (moved.root / "pyproject.toml").unlink()
        moved.root.rmdir()
        one.root.rename(moved.root)
        moved.ports = one.ports
        try:
            moved.ok("up", "redis")
            assert not [pid for pid in before if alive(pid)]
            assert f"dir {moved.folder}" in " ".join(
                (moved.folder / "conf" / "redis.conf").read_text().replace('"', "").split()
            )
        finally:
            moved.remove()
            one.root.mkdir()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_start_leaves_nothing_running(tmp_path: Path, number: int) -> None:
    with project(tmp_path / "one") as one:
        starting = one.start("up")
        deadline = time.monotonic() + 30
        while not one.pids():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        pids = one.pids()
        starting.send_signal(number)
        assert starting.wait(60) == 130
        assert not one.pids()
        assert not [pid for pid in pids if alive(pid)]


@pytest.mark.parametrize("service", ["kafka", "mysql", "redis", "zookeeper"])
@pytest.mark.parametrize("port", ["closed", "silent"])
def test_an_interrupted_wait_ends_without_a_word_too_many(
    tmp_path: Path, port: str, service: str
) -> None:
    one = Project(tmp_path / "one")
    one.ok("env")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        names = ("KAFKA_PORT", "DB_PORT", "REDIS_PORT", "ZOOKEEPER_PORT")
        ports = dict.fromkeys(names, str(silent.getsockname()[1])) if port == "silent" else {}
        waiting = subprocess.Popen(
            (sys.executable, "-m", "buildtools", "stack", "wait", "--mode", "zookeeper", service),
            cwd=one.root,
            env=one.environment(**ports),
            stderr=subprocess.PIPE,
            text=True,
        )
        with waiting:
            assert waiting.stderr is not None
            assert "not yet" in waiting.stderr.readline()
            waiting.send_signal(signal.SIGINT)
            said = waiting.communicate(timeout=30)[1]
    assert waiting.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said


def test_a_full_disk_is_said_before_anything_starts(tmp_path: Path) -> None:
    root = tmp_path / "small"
    root.mkdir()
    if os.geteuid() != 0:
        assert not os.environ.get("CI"), "a small file system needs root"
        pytest.skip("a small file system needs root")
    mount = subprocess.run(
        ("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(root)), check=False
    )
    assert mount.returncode == 0
    try:
        one = Project(root)
        done = one.run("up")
        assert done.returncode == 1
        assert "no space for the stack's data" in done.stderr
        assert not one.pids()
    finally:
        subprocess.run(("umount", "-l", str(root)), check=True)
