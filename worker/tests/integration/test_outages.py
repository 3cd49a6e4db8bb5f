"""The database away for long, answers that get lost, and a key that must wait.

OUTAGE_SECONDS=600 runs the outage at its full length, PARKED_SECONDS=155 the waiting key; the CI
sizes are 30 and 31 s.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from zlib import crc32

import pytest
from confluent_kafka import Producer
from servers.consumer import ConsumerProcess
from servers.kafka import KafkaVersion
from servers.programs import wait_until
from servers.proxy import Cut
from servers.stack import TOPIC, Stack, stack

pytestmark = pytest.mark.server

OUTAGE = float(os.environ.get("OUTAGE_SECONDS", "30"))
AMBIGUOUS = int(os.environ.get("AMBIGUOUS_COMMITS", "100"))
PARKED = float(os.environ.get("PARKED_SECONDS", "31"))
AMBIGUOUS_ID = 20_000_000
FLOWING_ID = 60_000_000
"""Above what a long outage counts up to from 100,000."""

MEMORY = 30 * 1024 * 1024


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack(tmp_path_factory.mktemp("stack"), KafkaVersion.KRAFT) as found:
        yield found


@pytest.fixture
def producer(servers: Stack) -> Iterator[Producer]:
    found = Producer({"bootstrap.servers": servers.kafka.direct, "enable.idempotence": True})
    yield found
    assert found.flush(60) == 0


def send(producer: Producer, ident: int, kind: str = "CREATE", **data: object) -> None:
    operation = {
        "type": kind,
        "entity": data.pop("entity", "User"),
        "data": {"id": ident, **data},
        "metadata": {"operationId": f"{kind}-{ident}-{crc32(repr(data).encode())}"},
    }
    while True:
        try:
            producer.produce(TOPIC, json.dumps(operation).encode(), f"User:{ident}".encode())
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return


def test_an_outage_costs_no_memory_no_membership_and_no_dead_letter(
    servers: Stack, producer: Producer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = servers.settings(DB_RECONNECT_INTERVAL="5000")
    worker = ConsumerProcess(tmp_path_factory.mktemp("outage"), settings)
    worker.start(ready=60)
    try:
        padding = "x" * 250
        for ident in range(20_000):
            send(producer, ident, name=padding, email="warm@x.org")
        producer.flush(60)
        wait_until(lambda: rows(servers, "warm@x.org") == 20_000, timeout=60, what="warmed up")
        assigned = [one for one in worker.events() if one["event"] == "assigned"]
        servers.to_mariadb.refuse()
        before = len(worker.events())
        ident = 100_000
        least = most = 0
        end = time.monotonic() + OUTAGE
        while time.monotonic() < end:
            for _ in range(200):
                send(producer, ident, name=padding, email="during@x.org")
                ident += 1
            time.sleep(0.25)
            held = worker.resident()
            least, most = (least or held), max(most, held)
        producer.flush(60)
        assert rows(servers, "during@x.org") == 0
        wait_until(
            lambda: worker.ask()["consumer"]["pending"] == ident - 100_000,
            timeout=30,
            what="all that waits is known, though nothing is read",
        )
        servers.to_mariadb.restore()
        back = time.monotonic()
        wait_until(lambda: rows(servers, "during@x.org") > 0, timeout=60, what="a first commit")
        first = time.monotonic() - back
        wait_until(
            lambda: rows(servers, "during@x.org") == ident - 100_000,
            timeout=120 + OUTAGE,
            what="all of it",
        )
        after = worker.events()[before:]
        print(f"outage {OUTAGE} s: grew {(most - least) >> 20} MB, first commit {first:.2f} s")  # noqa: T201
        assert most - least < MEMORY
        assert [one for one in worker.events() if one["event"] == "assigned"] == assigned
        assert not [one for one in after if one["event"] in {"lost", "revoked"}]
        assert [one["event"] for one in after].count("database unhealthy") == 1
        assert servers.query("SELECT COUNT(*) FROM dead_letters") == [(0,)]
        assert servers.query("SELECT COUNT(*) FROM parked") == [(0,)]
    finally:
        worker.kill()


def test_a_commit_whose_answer_is_lost_is_neither_lost_nor_done_twice(
    servers: Stack, producer: Producer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The connection is cut between COMMIT and its answer, a hundred times.

    Every operation of a key depends on the one before (each CREATE finds the key free, each DELETE
    finds it taken), so one that was done twice or not at all would leave a dead letter or a hole.
    """
    settings = servers.settings(DB_RECONNECT_INTERVAL="100")
    worker = ConsumerProcess(tmp_path_factory.mktemp("ambiguous"), settings)
    worker.start(ready=60)
    try:
        letters = servers.query("SELECT COUNT(*) FROM dead_letters")
        cut = servers.to_mariadb.arm(Cut(pattern=b"COMMIT", times=AMBIGUOUS, every=3))
        rounds = 0
        deadline = time.monotonic() + 300
        while cut.count < AMBIGUOUS and time.monotonic() < deadline:
            for ident in range(AMBIGUOUS_ID, AMBIGUOUS_ID + 20):
                if rounds:
                    send(producer, ident, "DELETE", reason=rounds)
                send(producer, ident, name=f"round {rounds}", email="ambiguous@x.org")
            producer.flush(30)
            rounds += 1
            time.sleep(0.02)
        assert cut.count == AMBIGUOUS
        servers.to_mariadb.restore()
        wait_until(
            lambda: (
                servers.query(
                    "SELECT COUNT(*), COUNT(DISTINCT name), MIN(name) FROM users "
                    "WHERE email = 'ambiguous@x.org'"
                )
                == [(20, 1, f"round {rounds - 1}")]
            ),
            timeout=60,
            what="the last round",
        )
        assert servers.query("SELECT COUNT(*) FROM dead_letters") == letters
        assert servers.query("SELECT COUNT(*) FROM parked") == [(0,)]
        expected = 20 * rounds + 20 * (rounds - 1)
        assert servers.query(
            "SELECT COUNT(*) FROM inbox WHERE operation_id LIKE 'CREATE-200000__-%' "
            "OR operation_id LIKE 'DELETE-200000__-%'"
        ) == [(expected,)]
    finally:
        servers.to_mariadb.restore()
        worker.kill()


def test_a_key_that_waits_does_not_hold_up_the_others(
    servers: Stack, producer: Producer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One rating waits for a business that never comes; users of its partition flow."""
    delay = PARKED / 31  # and twice, four, eight, sixteen times that
    settings = servers.settings(RETRY_DELAY_MS=str(int(delay * 1000)), MAX_RETRY_ATTEMPTS="5")
    worker = ConsumerProcess(tmp_path_factory.mktemp("waiting"), settings)
    worker.start(ready=60)
    try:
        wait_until(lambda: worker.ask()["consumer"]["pending"] == 0, timeout=60, what="caught up")
        orphan = {
            "type": "CREATE",
            "entity": "Rating",
            "data": {"id": 1, "business_id": 404},
            "metadata": {"operationId": "orphan"},
        }
        for partition in range(4):
            producer.produce(TOPIC, json.dumps(orphan).encode(), b"orphan", partition)
            orphan["metadata"] = {"operationId": f"orphan-{partition}"}
            orphan["data"] = {"id": 2 + partition, "business_id": 404}
        producer.flush(10)
        wait_until(
            lambda: servers.query("SELECT COUNT(*) FROM parked") != [(0,)],
            timeout=20,
            what="something parked",
        )
        watch = Watch(servers)
        watch.start()
        ident = FLOWING_ID
        end = time.monotonic() + PARKED / 3
        while time.monotonic() < end:
            watch.sent[ident] = time.monotonic()
            send(producer, ident, name="flows", email="flows@x.org")
            producer.flush(10)
            time.sleep(0.02)
            ident += 1
        watch.wait()
        assert servers.query("SELECT COUNT(*) FROM parked") != [(0,)]
        delays = sorted(watch.seen[one] - watch.sent[one] for one in watch.sent)
        p99 = delays[int(len(delays) * 0.99) - 1]
        median = delays[len(delays) // 2]
        print(f"{len(delays)} others: p50 {median * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms")  # noqa: T201
        assert p99 < delay  # the shortest wait that they could have been held up by
        wait_until(
            lambda: (
                servers.query("SELECT COUNT(*) FROM dead_letters WHERE operation_id LIKE 'orphan%'")
                == [(4,)]
            ),
            timeout=60 + PARKED,
            what="dead letters after the last retry",
        )
    finally:
        worker.kill()


class Watch:
    """When each row was first seen in the table."""

    def __init__(self, servers: Stack) -> None:
        self._servers = servers
        self.sent: dict[int, float] = {}
        self.seen: dict[int, float] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._stop = threading.Event()

    def start(self) -> None:
        self._thread.start()

    def wait(self) -> None:
        # Keys are text: rows of other tests may lie between the bounds of the query as well.
        wait_until(lambda: self.sent.keys() <= self.seen.keys(), timeout=60, what="every row seen")
        self._stop.set()
        self._thread.join(5)

    def _run(self) -> None:
        with (
            self._servers.mariadb.root("chaos") as connection,
            connection.cursor() as cursor,
        ):
            while not self._stop.is_set():
                cursor.execute(f"SELECT id FROM users WHERE id BETWEEN '{FLOWING_ID}' AND '7'")
                now = time.monotonic()
                for row in cursor.fetchall():
                    self.seen.setdefault(int(row[0]), now)
                time.sleep(0.005)


def rows(servers: Stack, email: str) -> int:
    found = servers.query(f"SELECT COUNT(*) FROM users WHERE email = '{email}'")
    return int(str(found[0][0]))
