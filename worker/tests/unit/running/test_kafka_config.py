from __future__ import annotations

from pathlib import Path

from database_consumer.settings import load_settings
from database_consumer.sources.kafka import client_config, consumer_config


def test_offsets_belong_to_the_database_and_not_to_kafka() -> None:
    config = consumer_config(load_settings(env_file=None))
    assert config["enable.auto.commit"] is False
    assert config["enable.auto.offset.store"] is False
    assert config["auto.offset.reset"] == "error"
    assert config["partition.assignment.strategy"] == "cooperative-sticky"
    assert config["group.id"] == "database-writer-group"
    assert config["client.id"] == "database-consumer"
    assert (config["session.timeout.ms"], config["heartbeat.interval.ms"]) == (30_000, 3_000)
    assert "group.instance.id" not in config


def test_memory_before_the_queue_is_bounded_as_the_queue_is() -> None:
    settings = load_settings({"queue_max_bytes": 4 << 20, "queue_max_records": 99}, env_file=None)
    config = consumer_config(settings)
    assert config["queued.max.messages.kbytes"] == 4096
    assert config["queued.min.messages"] == 99


def test_tls_and_sasl_are_configuration(tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.pem" for name in ("ca", "cert", "key")}
    for path in files.values():
        path.touch()
    settings = load_settings(
        {
            "kafka_security_protocol": "sasl_ssl",
            "kafka_sasl_mechanism": "SCRAM-SHA-512",
            "kafka_sasl_username": "u",
            "kafka_sasl_password": "p",
            "kafka_ssl_ca": files["ca"],
            "kafka_ssl_cert": files["cert"],
            "kafka_ssl_key": files["key"],
            "kafka_ssl_key_password": "k",
        },
        env_file=None,
    )
    config = client_config(settings)
    wanted = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "u",
        "sasl.password": "p",
        "ssl.ca.location": str(files["ca"]),
        "ssl.certificate.location": str(files["cert"]),
        "ssl.key.location": str(files["key"]),
        "ssl.key.password": "k",
    }
    assert {name: config.get(name) for name in wanted} == wanted


def test_without_tls_and_sasl_nothing_of_them_is_set() -> None:
    config = client_config(load_settings(env_file=None))
    assert config["security.protocol"] == "PLAINTEXT"
    assert not [name for name in config if name.startswith(("ssl.", "sasl."))]
