"""A project of its own with a stack on free ports, worked from the command line as users do."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, Producer

PORTS = (
    "ZOOKEEPER_PORT",
    "KAFKA_PORT",
    "KAFKA_INSIDE_PORT",
    "KAFKA_CONTROLLER_PORT",
    "DB_PORT",
    "REDIS_PORT",
)
TOPIC = "db-operations-buffer"
ROUNDS = int(os.environ.get("STACK_ROUNDS", "2"))
"""How often the repeated tests start the stack; ten for the figures in docs/stack.md."""


def free_ports(count: int) -> list[int]:
    listeners = [socket.socket() for _ in range(count)]
    for listener in listeners:
        listener.bind(("127.0.0.1", 0))
    ports = [int(listener.getsockname()[1]) for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


class Project:
    """A project on free ports; ``variables`` choose the engine, which is processes by default."""

    def __init__(
        self, root: Path, name: str = "stack-test", variables: Mapping[str, str] | None = None
    ) -> None:
        self.root = root
        self.name = name
        self.variables = {"STACK_ENGINE": "process", **(variables or {})}
        root.mkdir(parents=True, exist_ok=True)
        (root / "pyproject.toml").write_text(f'[project]\nname = "{name}"\n')
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))

    @property
    def folder(self) -> Path:
        return self.root / ".stack"

    @property
    def brokers(self) -> str:
        return f"127.0.0.1:{self.ports['KAFKA_PORT']}"

    def environment(self, **more: str) -> dict[str, str]:
        unset = {"APP_ENV", "NODE_ENV", "DATABASE_URL", "REDIS_URL", "KAFKA_BROKERS"}
        unset |= {"DOCKER_HOST", "DOCKER_CONTEXT"}
        inherited = {key: value for key, value in os.environ.items() if key not in unset}
        ports = {key: str(value) for key, value in self.ports.items()}
        return {**inherited, **ports, "PYTHONFAULTHANDLER": "1", **self.variables, **more}

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            (sys.executable, "-m", "buildtools", "stack", *words),
            cwd=self.root,
            env=self.environment(**more),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            (sys.executable, "-m", "buildtools", "stack", *words),
            cwd=self.root,
            env=self.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def ok(self, *words: str, **more: str) -> str:
        done = self.run(*words, **more)
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def services(self) -> Mapping[str, Any]:
        found = json.loads(self.run("status", "--json").stdout)
        return {entry["service"]: entry for entry in found["services"]}

    def pids(self) -> set[int]:
        """Everything that runs for this project, keepers and services, by its record."""
        found = set()
        for file in (self.folder / "run").glob("*.json"):
            record = json.loads(file.read_text())
            found |= {one["pid"] for one in (record.get("keeper"), record.get("child")) if one}
        return found

    def remove(self) -> None:
        self.run("down")
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def project(root: Path) -> Iterator[Project]:
    made = Project(root)
    try:
        yield made
    finally:
        made.remove()


def alive(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in {"Z", "X"}


def first_produce(brokers: str, key: str = "k", *, seconds: float = 5) -> None:
    """One try, no retries, ``seconds`` at most: what a client sees that trusts "ready"."""
    answers: list[str] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        answers.append(str(error))  # an error beside None cannot be compared: it raises

    producer = Producer(
        {
            "bootstrap.servers": brokers,
            "retries": 0,
            "message.timeout.ms": int(seconds * 1000),
            "log_level": 0,
        }
    )
    producer.produce(TOPIC, key=key, value=b"{}", on_delivery=delivered)
    assert producer.flush(2 * seconds) == 0
    assert answers == ["None"]


def first_join(brokers: str, group: str, *, seconds: float = 20) -> int:
    """The messages that a new group reads from the beginning; fails when it gets no partition."""
    problems: list[KafkaError] = []
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "error_cb": problems.append,
            "log_level": 0,
        }
    )
    consumer.subscribe([TOPIC])
    messages, ends = 0, 0
    try:
        for _ in range(int(seconds * 10)):
            found = consumer.poll(0.1)
            if found is None:
                continue
            error = found.error()
            if error is None:
                messages += 1
            elif error.code() == KafkaError._PARTITION_EOF:
                ends += 1
                if ends == len(consumer.assignment()):
                    break
            else:
                raise AssertionError(error)
        assert consumer.assignment(), problems
    finally:
        consumer.close()
    return messages


def credentials(one: Project) -> dict[str, str]:
    lines = (one.folder / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def set_in_redis_and_mysql(one: Project) -> None:
    import pymysql
    import redis

    own = credentials(one)
    with redis.Redis(port=one.ports["REDIS_PORT"], password=own["REDIS_PASSWORD"]) as link:
        link.set("word", "kept")
    connection = pymysql.connect(
        host="127.0.0.1",
        port=one.ports["DB_PORT"],
        user=own["DB_USER"],
        password=own["DB_PASSWORD"],
        database=own["DB_NAME"],
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE words (word VARCHAR(10))")
        cursor.execute("INSERT INTO words VALUES ('kept')")


def read_from_redis_and_mysql(one: Project) -> tuple[str, str]:
    import pymysql
    import redis

    own = credentials(one)
    with redis.Redis(port=one.ports["REDIS_PORT"], password=own["REDIS_PASSWORD"]) as link:
        cached = link.get("word")
    connection = pymysql.connect(
        host="127.0.0.1",
        port=one.ports["DB_PORT"],
        user=own["DB_USER"],
        password=own["DB_PASSWORD"],
        database=own["DB_NAME"],
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT word FROM words")
        row = cursor.fetchone()
    assert isinstance(cached, bytes)
    assert row is not None
    return cached.decode(), str(row[0])
