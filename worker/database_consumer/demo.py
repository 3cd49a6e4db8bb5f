"""The whole path on one machine with no server, and a count at the end that must be exact.

An in-process broker that speaks the Kafka protocol, SQLite in a temporary folder, an in-process
cache. Operations flow, some twice; one is poison; the database goes away while more come in, and
returns. What the tables hold is compared with a model that applied the same operations one by one.
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from database_consumer.cache.memory import MemoryCache
from database_consumer.operations import Metadata, Operation
from database_consumer.publisher import KafkaLetters, Publisher
from database_consumer.settings import Settings, load_settings
from database_consumer.sources.embedded import QUIET, EmbeddedBroker, EmbeddedSource
from database_consumer.stores.base import Store, StorePolicy, StoreUnavailable
from database_consumer.stores.opening import open_store
from database_consumer.stores.sharing import SharedStore
from database_consumer.worker import Parts, Worker

KEYS = 200
DUPLICATES = 0.05
AWAY_SECONDS = 2.0
POISON = b'{"type": "CREATE", "entity": "User", "data": {"id": 7, "name": '


class DemoError(Exception):
    """The demo did not come to its end; the message says where it stood."""


class Gate:
    """A lock that refuses while it is shut: the database is away for whoever wants to enter."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.shut = False

    def __enter__(self) -> None:
        if self.shut:
            raise StoreUnavailable("the demo has taken the database away")
        self._lock.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()


@dataclass(slots=True)
class Model:
    """What the table must hold: the operations applied one by one, in order."""

    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    published: int = 0

    def operation(self, chance: random.Random) -> Operation:
        """The next operation, already applied here."""
        self.published += 1
        ident = chance.randrange(KEYS)
        name = f"name {self.published}"
        metadata = Metadata(operation_id=f"demo-{self.published}", source="demo")
        if ident not in self.rows:
            row = {"id": ident, "name": name, "email": f"user{ident}@example.org"}
            self.rows[ident] = row
            return _operation("CREATE", dict(row), metadata)
        if chance.random() < 0.2:  # noqa: PLR2004 -- one in five goes
            del self.rows[ident]
            return _operation("DELETE", {"id": ident}, metadata)
        self.rows[ident]["name"] = name
        return _operation("UPDATE", {"id": ident, "name": name}, metadata)


def run_demo(*, operations: int, seconds: float, say: Callable[[str], None]) -> bool:
    """Runs it; whether everything was exact. Raises :class:`DemoError` after ``seconds``."""
    deadline = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="database-consumer-demo-") as folder:
        broker = EmbeddedBroker()
        try:
            return _Demo(Path(folder), broker.address, operations, deadline, say).run()
        finally:
            broker.close()


class _Demo:
    def __init__(
        self,
        folder: Path,
        address: str,
        operations: int,
        deadline: float,
        say: Callable[[str], None],
    ) -> None:
        self._operations = max(10, operations)
        self._deadline = deadline
        self._say = say
        self._chance = random.Random(20)  # noqa: S311 -- the same demo every time
        self._model = Model()
        self._twice = 0
        self._settings = _settings(address)
        self._gate = Gate()
        self._cache = MemoryCache()
        database = f"sqlite:///{folder / 'demo.sqlite3'}"
        self._make: Callable[[], Store] = lambda: open_store(
            database, policy=StorePolicy(cache=True)
        )
        shared = SharedStore(self._make(), guard=self._gate)
        self._kind = str(shared.kind)
        self._worker = Worker(
            self._settings,
            Parts(
                source=EmbeddedSource(self._settings, **QUIET),
                stores=lambda: shared,
                cache=self._cache,
                letters=KafkaLetters(self._settings, redact=str, **QUIET),
            ),
        )
        self._address = address

    def run(self) -> bool:
        """The story, told line by line."""
        self._say(f"broker    in this process, Kafka protocol, {self._address}")
        self._say(f"database  {self._kind}, in a temporary folder")
        thread = threading.Thread(target=self._worker.run, name="worker", daemon=True)
        thread.start()
        try:
            self._flow()
        finally:
            self._worker.stop()
            thread.join(20)
        return self._compare()

    def _flow(self) -> None:
        half = self._operations // 2
        with Publisher(self._settings, **QUIET) as publisher:
            self._publish(publisher, half)
            self._until(self._through, "the first half")
            self._say(
                f"applied   {self._worker.counted().applied} operations, {self._twice} "
                "duplicates left out"
            )
            publisher.publish_raw(b"poison", POISON)
            self._gate.shut = True
            self._say("database  taken away; operations keep coming")
            self._publish(publisher, self._operations - half)
            publisher.flush()
            gone = time.monotonic()
            self._until(lambda: time.monotonic() > gone + AWAY_SECONDS, "the outage")
            view = self._worker.view()
            self._say(
                f"worker    paused={str(view.paused).lower()}, {view.pending} pending, "
                "nothing lost, no attempt burned"
            )
            self._gate.shut = False
        back = time.monotonic()
        self._until(self._through, "the backlog")
        self._say(f"database  back; backlog worked off {time.monotonic() - back:.1f} s later")
        self._until(self._told, "the cache and the dead-letter topic")

    def _publish(self, publisher: Publisher, count: int) -> None:
        for _ in range(count):
            operation = self._model.operation(self._chance)
            publisher.publish(operation)
            if self._chance.random() < DUPLICATES:
                publisher.publish(operation)
                self._twice += 1

    def _until(self, done: Callable[[], bool], what: str) -> None:
        while not done():
            if time.monotonic() > self._deadline:
                raise DemoError(f"out of time while waiting for {what}; give it --seconds")
            time.sleep(0.05)

    def _through(self) -> bool:
        done = self._worker.counted()
        return (
            done.applied == self._model.published
            and done.duplicates == self._twice
            and self._worker.intake.load().in_hand == 0
        )

    def _told(self) -> bool:
        held = self._worker.counted()
        return held.dead == 1 and self._letter() is not None and self._cached()

    def _cached(self) -> bool:
        return len(self._cache.rows()) == len(self._model.rows)

    def _letter(self) -> bytes | None:
        """The poison's bytes as the dead-letter topic gives them back."""
        config = {"bootstrap.servers": self._address, "group.id": "demo-reader"} | QUIET
        reader = Consumer(config)
        try:
            topic = self._settings.topic_dead_letters
            reader.assign([TopicPartition(topic, number, 0) for number in range(4)])
            for message in reader.consume(1, 1.0):
                if message.error() is None:
                    return message.value()
        finally:
            reader.close()
        return None

    def _compare(self) -> bool:
        store = self._make()
        store.open()
        rows = {
            int(row["id"]): {name: row[name] for name in ("name", "email")}
            for row in store.rows("User")
        }
        letters = store.dead_letters()
        store.close()
        wanted = {
            ident: {"name": row["name"], "email": row["email"]}
            for ident, row in self._model.rows.items()
        }
        done = self._worker.counted()
        exact = rows == wanted and done.applied == self._model.published and len(letters) == 1
        self._say(
            f"dead      {len(letters)} letter: {letters[0].error_class} "
            f"({letters[0].error_message[:60]})"
            if letters
            else "dead      none"
        )
        self._say(f"cache     {len(self._cache.rows())} rows")
        self._say(
            f"table     {len(rows)} rows, {len(wanted)} expected; {done.applied} of "
            f"{self._model.published} operations applied, {done.duplicates} duplicates left out"
        )
        self._say("exact" if exact else "NOT EXACT")
        return exact


def _operation(kind: str, data: dict[str, Any], metadata: Metadata) -> Operation:
    return Operation(kind, "User", data, str(metadata.operation_id), metadata)


def _settings(address: str) -> Settings:
    """Settings of its own: nothing of a `.env` or of the environment leads to a real server."""
    return load_settings(
        {
            "kafka_brokers": address,
            "kafka_security_protocol": "PLAINTEXT",
            "kafka_group_instance_id": None,
            "kafka_sasl_mechanism": None,
            "kafka_ssl_ca": None,
            "database_url": None,
            "db_host": None,
            "redis_url": None,
            "redis_host": None,
            "db_reconnect_interval": 300,
            "db_health_check_interval": 1_000,
            "consumer_session_timeout": 10_000,
            "consumer_heartbeat_interval": 1_000,
            "shutdown_timeout_ms": 10_000,
            "log_level": "error",
            "log_dir": None,
            "writers": 1,
        },
        env_file=None,
    )
