"""Operations a second of the whole worker: Kafka, MariaDB and Redis on this machine.

    python benchmarks/bench_worker.py [OPERATIONS] [WRITERS]

Servers are started by the tests' fixtures; the backlog is published first, then the worker starts,
and the time runs from its first commit to its last.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from confluent_kafka import Producer

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from servers.consumer import ConsumerProcess
from servers.kafka import KafkaVersion
from servers.stack import DATABASE, TOPIC, Stack, stack


def publish(servers: Stack, operations: int) -> None:
    producer = Producer({"bootstrap.servers": servers.kafka.direct, "linger.ms": 50})
    for ident in range(operations):
        document = {
            "type": "CREATE",
            "entity": "User",
            "data": {"id": ident, "name": f"name {ident}", "email": f"{ident}@example.org"},
            "metadata": {"operationId": f"operation-{ident}", "timestamp": 1, "source": "bench"},
        }
        while True:
            try:
                producer.produce(TOPIC, json.dumps(document).encode(), f"User:{ident}".encode())
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush(120)


def measure(folder: Path, operations: int, writers: int) -> dict[str, float]:
    with stack(folder, KafkaVersion.KRAFT) as servers:
        publish(servers, operations)
        settings = servers.settings(WRITERS=str(writers)) | {
            "DATABASE_URL": servers.mariadb.url(DATABASE),
            "REDIS_URL": servers.redis.url,
            "KAFKA_BROKERS": servers.kafka.direct,
        }
        worker = ConsumerProcess(folder / "worker", settings)
        worker.start()
        first = last = cached = 0.0
        begin_rows = 0
        while not cached:
            time.sleep(0.05)
            try:
                rows = int(str(servers.query("SELECT COUNT(*) FROM users")[0][0]))
            except Exception:  # noqa: BLE001, S112 -- before the tables are there
                continue
            if rows and not first:
                first, begin_rows = time.monotonic(), rows
            if rows == operations:
                last = last or time.monotonic()
                if servers.query("SELECT COUNT(*) FROM cache_outbox") == [(0,)]:
                    cached = time.monotonic()
        commits = worker.metric("database_consumer_commit_seconds_count")
        spent = worker.metric("database_consumer_commit_seconds_sum")
        worker.stop()
        return {
            "operations_per_second": round((operations - begin_rows) / (last - first)),
            "with_cache_per_second": round((operations - begin_rows) / (cached - first)),
            "batches": commits,
            "mean_batch_ms": round(1000 * spent / max(commits, 1), 1),
        }


def main() -> None:
    operations = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    writers = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        print(json.dumps(measure(Path(folder), operations, writers)))


if __name__ == "__main__":
    main()
