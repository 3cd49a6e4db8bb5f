"""Kafka Connect with the Debezium JDBC sink, from Maven Central, as one program.

Tuned as its documentation advises: batches as large as the consumer's polls, polls larger than the
default of 500, a task for each core, upserts by a primary key from the record, and the driver's
bulk statements for the batches.
"""

from __future__ import annotations

import os
from pathlib import Path

from servers.kafka import KafkaVersion, fetched
from servers.programs import Program, free_port, need

DEBEZIUM = "3.3.1.Final"
RECORDS = 3_000

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>connect-libs</artifactId><version>1</version>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>connect-runtime</artifactId>
<version>{KafkaVersion.KRAFT}</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>connect-json</artifactId>
<version>{KafkaVersion.KRAFT}</version></dependency>
<dependency><groupId>io.debezium</groupId><artifactId>debezium-connector-jdbc</artifactId>
<version>{DEBEZIUM}</version></dependency>
<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
<version>2.24.3</version></dependency>
</dependencies></project>
"""
_LOGGING = """rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %c %m%n
"""
_WORKER = """bootstrap.servers={brokers}
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
value.converter.schemas.enable=true
offset.storage.file.filename={folder}/offsets
offset.flush.interval.ms=10000
plugin.discovery=hybrid_warn
listeners=http://127.0.0.1:{port}
"""
_CONNECTOR = """name=sink
connector.class=io.debezium.connector.jdbc.JdbcSinkConnector
tasks.max=2
topics={topic}
connection.url=jdbc:mariadb://127.0.0.1:{database_port}/{database}?{options}
connection.username={user}
connection.password={password}
collection.name.format=users
insert.mode=upsert
primary.key.mode=record_value
primary.key.fields=id
delete.enabled=false
schema.evolution=none
batch.size={records}
consumer.override.max.poll.records={records}
consumer.override.fetch.min.bytes=1048576
consumer.override.fetch.max.wait.ms=100
consumer.override.max.partition.fetch.bytes=4194304
consumer.override.auto.offset.reset=earliest
"""
DRIVER_OPTIONS = "useBulkStmts=true&cachePrepStmts=true"


def libraries(folder: Path) -> Path:
    """The jars, fetched by Maven into ``folder``."""
    cache = os.environ.get("KAFKA_TEST_CACHE")
    home = Path(cache) / "connect" if cache else folder / "connect"
    found = home / f"debezium-{DEBEZIUM}-kafka-{KafkaVersion.KRAFT}"
    return found if found.exists() else fetched(found, _POM, what="Kafka Connect")


def connect(
    folder: Path,
    jars: Path,
    *,
    brokers: str,
    topic: str,
    database_port: int,
    database: str,
    user: str,
    password: str,
    options: str = DRIVER_OPTIONS,
) -> Program:
    """A standalone worker with the sink, not started yet."""
    folder.mkdir(parents=True, exist_ok=True)
    logging, worker, sink = (
        folder / name for name in ("log4j2.properties", "worker.properties", "sink.properties")
    )
    logging.write_text(_LOGGING)
    worker.write_text(_WORKER.format(brokers=brokers, folder=folder, port=free_port()))
    sink.write_text(
        _CONNECTOR.format(
            topic=topic,
            database_port=database_port,
            database=database,
            options=options,
            user=user,
            password=password,
            records=RECORDS,
        )
    )
    words = [need("java"), "-Xmx1g", f"-Djava.io.tmpdir={folder}"]
    words += [
        f"-Dlog4j2.configurationFile=file:{logging}",
        "-cp",
        f"{jars}/*",
        "org.apache.kafka.connect.cli.ConnectStandalone",
    ]
    return Program([*words, str(worker), str(sink)], log=folder / "connect.log")
