"""A real Apache Kafka without Docker: 3.9 with ZooKeeper, 4.x with KRaft.

The jars come from Maven Central through `mvn dependency:copy-dependencies` and a pom written here,
into a cache folder (`KAFKA_TEST_CACHE`, else the user's cache). One broker, id 1, on 127.0.0.1.
"""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from .programs import Program, ServerError, free_port, need

MAVEN_SECONDS = 600
STARTS = 5


class KafkaVersion(StrEnum):
    """The releases that the tests run against."""

    ZOOKEEPER = "3.9.1"
    KRAFT = "4.1.0"


_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>kafka-libs</artifactId><version>1</version>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
<version>{version}</version></dependency>
<dependency><groupId>{log_group}</groupId><artifactId>{log_artifact}</artifactId>
<version>{log_version}</version></dependency>
</dependencies></project>
"""
_LOGGING = {
    KafkaVersion.ZOOKEEPER: ("org.slf4j", "slf4j-reload4j", "1.7.36"),
    KafkaVersion.KRAFT: ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.24.3"),
}
_RELOAD4J = """log4j.rootLogger=INFO, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d %p %c %m%n
"""
_LOG4J2 = """rootLogger.level=info
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %c %m%n
"""
_SECURE = """listener.name.secure.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.secure.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.ssl.keystore.type=PEM
listener.name.secure.ssl.keystore.location={keystore}
listener.name.secure.ssl.client.auth=none
"""
_SINGLE = """offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
auto.create.topics.enable=false
log.retention.ms=-1
"""


def cache_folder() -> Path:
    """Where servers that Maven brings are kept: below `KAFKA_TEST_CACHE`, else the user's cache."""
    home = os.environ.get("KAFKA_TEST_CACHE") or os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "database-consumer-tests"


def kafka_libraries(version: KafkaVersion) -> Path:
    """The folder with the jars, filled on first use."""
    libraries = cache_folder() / f"kafka-{version}" / "libs"
    if libraries.exists():
        return libraries
    group, artifact, log_version = _LOGGING[version]
    pom = _POM.format(
        version=version, log_group=group, log_artifact=artifact, log_version=log_version
    )
    return fetched(libraries, pom, what=f"Kafka {version}")


def fetched(libraries: Path, pom: str, *, what: str) -> Path:
    """The jars of a pom in ``libraries``, whole or not there at all.

    Runs that want them at the same time wait for the first one's.
    """
    maven = need("mvn")
    libraries.parent.mkdir(parents=True, exist_ok=True)
    with libraries.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if libraries.exists():
            return libraries
        with tempfile.TemporaryDirectory(dir=libraries.parent, prefix="half-") as half:
            (Path(half) / "pom.xml").write_text(pom)
            done = subprocess.run(
                (maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars"),
                cwd=half,
                capture_output=True,
                text=True,
                timeout=MAVEN_SECONDS,
                check=False,
            )
            if done.returncode != 0:
                raise ServerError(f"mvn could not get {what}:\n{done.stdout[-2000:]}")
            (Path(half) / "jars").rename(libraries)
    return libraries


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """A listener with TLS and SCRAM: a PEM file with key and certificate, and who may log in."""

    keystore: Path
    user: str
    password: str


class KafkaServer:
    """One broker, with its ZooKeeper when the release has one.

    With ``secured`` (KRaft only) a third listener takes clients over SASL_SSL.
    """

    def __init__(
        self,
        folder: Path,
        version: KafkaVersion,
        *,
        advertised_port: int | None = None,
        secured: Secured | None = None,
    ) -> None:
        self.version = version
        self.secured = secured
        self.secure_port = free_port()
        self.port = free_port()
        self.advertised_port = advertised_port or self.port
        self._direct_port = free_port()
        self._controller_port = free_port()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        need("java")
        self.zookeeper: Program | None = None
        self.broker = self._zookeeper_mode() if version is KafkaVersion.ZOOKEEPER else self._kraft()

    @property
    def address(self) -> str:
        """What a client bootstraps from."""
        return f"127.0.0.1:{self.advertised_port}"

    @property
    def direct(self) -> str:
        """The same broker past any proxy; the broker talks to itself here."""
        return f"127.0.0.1:{self._direct_port}"

    def start(self) -> None:
        """Starts ZooKeeper (if any) and the broker; returns when metadata is answered."""
        if self.zookeeper is not None and not self.zookeeper.running:
            self.zookeeper.start()
            self.zookeeper.ready(self._zookeeper_answers, timeout=60)
        for attempt in range(STARTS):
            self.broker.start()
            try:
                self.broker.ready(self._answers, timeout=90)
            except ServerError:
                # after a kill ZooKeeper keeps the old broker's id until its session expires
                if "NodeExists" not in self.broker.tail(60) or attempt == STARTS - 1:
                    raise
            else:
                return

    def kill(self) -> None:
        """SIGKILL for the broker; ZooKeeper stays."""
        self.broker.kill()

    def stop(self) -> None:
        """Ends all of it at once: a test's data is thrown away."""
        self.broker.kill()
        if self.zookeeper is not None:
            self.zookeeper.kill()

    def create_topic(self, name: str, partitions: int) -> None:
        """Creates a topic and waits for the broker's answer."""
        admin = AdminClient({"bootstrap.servers": self.direct})
        wanted = NewTopic(name, num_partitions=partitions, replication_factor=1)
        admin.create_topics([wanted], operation_timeout=30)[name].result(30)

    def delete_topic(self, name: str) -> None:
        """Deletes a topic and waits for the broker's answer."""
        admin = AdminClient({"bootstrap.servers": self.direct})
        admin.delete_topics([name], operation_timeout=30)[name].result(30)

    def _java(self, main: str, arguments: Sequence[str], log: str) -> Program:
        libraries = kafka_libraries(self.version)
        old = self.version is KafkaVersion.ZOOKEEPER
        settings = self._folder / ("log4j.properties" if old else "log4j2.properties")
        settings.write_text(_RELOAD4J if old else _LOG4J2)
        option = "log4j.configuration" if old else "log4j2.configurationFile"
        command = [
            need("java"),
            "-Xmx512m",
            "-XX:TieredStopAtLevel=1",
            f"-Djava.io.tmpdir={self._folder}",  # a Java that is killed leaves files there
            f"-D{option}=file:{settings}",
        ]
        command += ["-cp", f"{libraries}/*", main, *arguments]
        return Program(command, log=self._folder / log)

    def _zookeeper_mode(self) -> Program:
        data = self._folder / "zookeeper"
        data.mkdir(exist_ok=True)
        config = self._folder / "zookeeper.properties"
        config.write_text(
            f"dataDir={data}\nclientPort={self._controller_port}\n"
            "clientPortAddress=127.0.0.1\nadmin.enableServer=false\n"
            "4lw.commands.whitelist=srvr,ruok\nmaxClientCnxns=0\ntickTime=500\n"
        )
        main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
        self.zookeeper = self._java(main, [str(config)], "zookeeper.log")
        return self._server(
            f"broker.id=1\nzookeeper.connect=127.0.0.1:{self._controller_port}\n"
            "zookeeper.session.timeout.ms=2000\n"
            f"listeners={self._listeners(self.port)}\n"
        )

    def _kraft(self) -> Program:
        program = self._server(
            "process.roles=broker,controller\nnode.id=1\n"
            f"controller.quorum.voters=1@127.0.0.1:{self._controller_port}\n"
            f"listeners={self._listeners(self.port)},"
            f"CONTROLLER://127.0.0.1:{self._controller_port}\n"
            "controller.listener.names=CONTROLLER\n"
        )
        identity = base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()
        arguments = [
            "format",
            f"--cluster-id={identity}",
            "-c",
            str(self._folder / "server.properties"),
        ]
        if self.secured is not None:
            login = f"name={self.secured.user},password={self.secured.password}"
            arguments.append(f"--add-scram=SCRAM-SHA-512=[{login}]")
        done = self._java("kafka.tools.StorageTool", arguments, "format.log")
        done.start()
        if done.wait(timeout=60) != 0:
            raise ServerError(f"storage format failed:\n{done.tail()}")
        return program

    def _listeners(self, port: int) -> str:
        listeners = f"PLAINTEXT://127.0.0.1:{port},DIRECT://127.0.0.1:{self._direct_port}"
        if self.secured is not None:
            listeners += f",SECURE://127.0.0.1:{self.secure_port}"
        return listeners

    def _server(self, lines: str) -> Program:
        data = self._folder / "data"
        config = self._folder / "server.properties"
        config.write_text(
            f"{lines}log.dirs={data}\n{_SINGLE}"
            f"advertised.listeners={self._listeners(self.advertised_port)}\n"
            "inter.broker.listener.name=DIRECT\n"
            "listener.security.protocol.map="
            "PLAINTEXT:PLAINTEXT,DIRECT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL\n"
            + (_SECURE.format(keystore=self.secured.keystore) if self.secured else "")
        )
        return self._java("kafka.Kafka", [str(config)], "kafka.log")

    def _zookeeper_answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._controller_port), timeout=1) as link:
                link.settimeout(1)
                link.sendall(b"srvr")
                return b"Mode:" in b"".join(iter(lambda: link.recv(4096), b""))
        except OSError:
            return False

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                pass
            admin = AdminClient({"bootstrap.servers": self.direct, "log_level": 0})
            return bool(admin.list_topics(timeout=5).brokers)
        except (OSError, KafkaException):
            return False


@contextmanager
def kafka_server(
    folder: Path,
    version: KafkaVersion,
    *,
    advertised_port: int | None = None,
    secured: Secured | None = None,
) -> Iterator[KafkaServer]:
    """A running broker, ended on the way out."""
    server = KafkaServer(folder, version, advertised_port=advertised_port, secured=secured)
    try:
        server.start()
        yield server
    finally:
        server.stop()
