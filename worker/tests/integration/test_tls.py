"""TLS and SASL against real servers: all three encrypted, certificates of the test's authority."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis as redis_client
from servers.certificates import Certificates, certificates
from servers.consumer import ConsumerProcess
from servers.kafka import KafkaServer, KafkaVersion, Secured, kafka_server
from servers.mariadb import PASSWORD, MariaDb, running
from servers.programs import wait_until
from servers.redis import RedisServer, redis_server
from servers.stack import LETTERS, TOPIC

pytestmark = pytest.mark.server

KAFKA_SECRET = "kafka-s3cret-7"  # noqa: S105
REDIS_SECRET = "redis-s3cret-8"  # noqa: S105
WRONG = "wr0ng-s3cret-9"
SECRETS = (KAFKA_SECRET, REDIS_SECRET, PASSWORD, WRONG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secure:
    """The three servers; each takes nothing but TLS, and a login, from the worker."""

    certificates: Certificates
    kafka: KafkaServer
    mariadb: MariaDb
    redis: RedisServer

    def settings(self, **more: str) -> dict[str, str]:
        """What an operator writes down."""
        authority = str(self.certificates.authority)
        return {
            "KAFKA_BROKERS": f"127.0.0.1:{self.kafka.secure_port}",
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SASL_USERNAME": "worker",
            "KAFKA_SASL_PASSWORD": KAFKA_SECRET,
            "KAFKA_SSL_CA": authority,
            "DB_HOST": "127.0.0.1",
            "DB_PORT": str(self.mariadb.port),
            "DB_USER": "worker",
            "DB_PASSWORD": PASSWORD,
            "DB_NAME": "secure",
            "DB_SSL_CA": authority,
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(self.redis.port),
            "REDIS_PASSWORD": REDIS_SECRET,
            "REDIS_TLS": "true",
            "REDIS_SSL_CA": authority,
            "CONSUMER_SESSION_TIMEOUT": "6000",
            "CONSUMER_HEARTBEAT_INTERVAL": "500",
            "DB_RECONNECT_INTERVAL": "500",
            "LOG_LEVEL": "debug",
        } | more


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    folder = tmp_path_factory.mktemp("secure")
    with certificates() as made:
        login = Secured(keystore=made.keystore, user="worker", password=KAFKA_SECRET)
        tls = (made.authority, made.certificate, made.key)
        options = (
            "--require-secure-transport=ON",
            f"--ssl-ca={made.authority}",
            f"--ssl-cert={made.certificate}",
            f"--ssl-key={made.key}",
        )
        with (
            kafka_server(folder / "kafka", KafkaVersion.KRAFT, secured=login) as kafka,
            running(folder / "mariadb", options=options) as mariadb,
            redis_server(folder / "redis", password=REDIS_SECRET, tls=tls) as redis,
        ):
            kafka.create_topic(TOPIC, 2)
            kafka.create_topic(LETTERS, 1)
            mariadb.database("secure")
            yield Secure(certificates=made, kafka=kafka, mariadb=mariadb, redis=redis)


def command(
    servers: Secure, folder: Path, *words: str, **more: str
) -> subprocess.CompletedProcess[bytes]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        (sys.executable, "-m", "database_consumer", *words),
        cwd=folder,
        env=kept | servers.settings(**more),
        capture_output=True,
        timeout=90,
        check=False,
    )


def test_operations_flow_encrypted_from_end_to_end(servers: Secure, tmp_path: Path) -> None:
    ready = command(servers, tmp_path, "wait", "--timeout", "60")
    assert ready.returncode == 0, ready.stdout.decode() + ready.stderr.decode()
    rows = [
        {"type": "CREATE", "entity": "User", "data": {"id": n, "name": "n", "email": "e"}}
        for n in range(50)
    ]
    file = tmp_path / "operations.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in rows))
    sent = command(servers, tmp_path, "submit", str(file))
    assert sent.returncode == 0, sent.stderr.decode()
    worker = ConsumerProcess(tmp_path / "worker", servers.settings())
    worker.start(ready=60)
    try:
        with servers.mariadb.root("secure") as connection, connection.cursor() as cursor:

            def counted() -> int:
                cursor.execute("SELECT COUNT(*) FROM users")
                return int(cursor.fetchone()[0])

            wait_until(lambda: counted() == 50, timeout=60, what="all rows")
            cursor.execute(
                "SELECT COUNT(*) FROM information_schema.processlist WHERE user='worker'"
            )
            assert cursor.fetchone()[0] > 0
        with redis_client.Redis.from_url(
            servers.redis.url, ssl_ca_certs=str(servers.certificates.authority)
        ) as client:
            wait_until(lambda: len(client.keys("{dbc}:*")) == 50, timeout=30, what="the cache told")
        assert worker.stop() == 0
    finally:
        worker.kill()
    told = worker.program.log.read_text()
    assert not [one for one in SECRETS if one in told]


@pytest.mark.parametrize(
    ("service", "wrong", "mend"),
    [
        ("kafka", {"KAFKA_SASL_PASSWORD": WRONG}, "KAFKA_SASL_"),
        ("kafka", {"KAFKA_SSL_CA": "stranger"}, "KAFKA_SSL_"),
        ("database", {"DB_PASSWORD": WRONG}, "DB_PASSWORD"),
        ("database", {"DB_SSL_CA": "stranger"}, "DB_SSL_CA"),
        ("redis", {"REDIS_PASSWORD": WRONG}, "REDIS_PASSWORD"),
        ("redis", {"REDIS_SSL_CA": "stranger"}, "REDIS_SSL_CA"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else str(value),
)
def test_a_wrong_password_or_authority_is_named_and_no_secret_told(
    servers: Secure, tmp_path: Path, service: str, wrong: dict[str, str], mend: str
) -> None:
    stranger = str(servers.certificates.stranger)
    more = {name: stranger if value == "stranger" else value for name, value in wrong.items()}
    done = command(servers, tmp_path, "wait", "--timeout", "20", **more)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == 1, out + err
    assert f"{service}: wrong" in out, out + err
    assert mend in out, out + err
    assert not [one for one in SECRETS if one in out + err]


@pytest.mark.parametrize("wrong", [{"KAFKA_SASL_PASSWORD": WRONG}, {"KAFKA_SSL_CA": "stranger"}])
def test_a_worker_that_kafka_refuses_says_why(
    servers: Secure, tmp_path: Path, wrong: dict[str, str]
) -> None:
    stranger = str(servers.certificates.stranger)
    more = {name: stranger if value == "stranger" else value for name, value in wrong.items()}
    worker = ConsumerProcess(tmp_path / "worker", servers.settings(LOG_LEVEL="info", **more))
    worker.start()
    try:
        worker.wait_event("kafka refuses the login", timeout=60)
        (said,) = [one for one in worker.events() if one["event"] == "kafka refuses the login"][:1]
        assert next(iter(wrong))[:10] in said["mend"]
        assert not worker.is_ready()
        assert worker.stop() == 0
    finally:
        worker.kill()
    told = worker.program.log.read_text()
    assert not [one for one in SECRETS if one in told]
