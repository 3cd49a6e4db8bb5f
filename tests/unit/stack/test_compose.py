"""What the compose files mean, read as compose would with nothing set but the credentials."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from buildtools.stack.engine_docker import META
from buildtools.stack.services import services
from buildtools.stack.settings import Mode
from buildtools.stack.topics import stack_file
from tests.unit.stack.values import settings

FILES = {Mode.ZOOKEEPER: "compose.yaml", Mode.KRAFT: "compose.kraft.yaml"}
_VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?:(:-|:\?)([^}]*))?\}")


def interpolated(text: str, **given: str) -> str:
    def value(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        name, kind, rest = found[1], found[2], found[3]
        if name in given:
            return given[name]
        assert kind != ":?", f"{name}: {rest}"
        return rest or ""

    return _VARIABLE.sub(value, text)


def compose(mode: Mode, **given: str) -> dict[str, Any]:
    text = stack_file(FILES[mode]).read_text(encoding="utf-8")
    made = dict.fromkeys(
        ("DB_PASSWORD", "DB_ROOT_PASSWORD", "REDIS_PASSWORD", "KAFKA_CLUSTER_ID"), "made"
    )
    found = yaml.safe_load(interpolated(text, **made, **given))
    assert isinstance(found, dict)
    return found


both = pytest.mark.parametrize("mode", list(Mode))


@both
def test_the_services_are_those_of_the_process_engine_in_its_order(
    mode: Mode, tmp_path: Path
) -> None:
    found = compose(mode)["services"]
    wanted = services(settings(tmp_path), mode)
    assert list(found) == [service.name for service in wanted]
    for service in wanted:
        needed = found[service.name].get("depends_on", {})
        assert tuple(needed) == service.after
        assert all(one == {"condition": "service_healthy"} for one in needed.values())
        assert found[service.name]["stop_grace_period"] == f"{service.grace:.0f}s"


@both
def test_every_service_restarts_has_a_check_and_a_pinned_image(mode: Mode) -> None:
    for name, service in compose(mode)["services"].items():
        assert service["restart"] == "unless-stopped", name
        assert service["healthcheck"]["test"][0] == "CMD", name
        assert re.fullmatch(r"[\w./-]+:\d+\.\d+\.\d+", service["image"]), name


@both
def test_ports_are_published_on_loopback_only(mode: Mode) -> None:
    for service in compose(mode)["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])


@both
def test_an_image_and_a_port_can_be_chosen(mode: Mode) -> None:
    found = compose(mode, MYSQL_IMAGE="own/mysql:1", KAFKA_PORT="19092")["services"]
    assert found["mysql"]["image"] == "own/mysql:1"
    assert found["kafka"]["ports"] == ["127.0.0.1:19092:9092"]
    advertised = found["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert advertised == "INSIDE://kafka:29092,OUTSIDE://127.0.0.1:19092"


@both
def test_every_named_volume_is_mounted_and_every_mount_is_named(mode: Mode) -> None:
    found = compose(mode)
    mounted = {
        mount.split(":")[0]
        for service in found["services"].values()
        for mount in service["volumes"]
    }
    assert mounted == set(found["volumes"])


@both
def test_kafka_has_a_fixed_id_and_creates_no_topics_by_itself(mode: Mode) -> None:
    kafka = compose(mode)["services"]["kafka"]
    own = kafka["environment"]
    assert own.get("KAFKA_BROKER_ID", own.get("KAFKA_NODE_ID")) == "1"
    assert own["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert int(own["KAFKA_LOG_RETENTION_HOURS"]) > 0
    assert kafka["healthcheck"]["start_period"] == "60s"
    # The check is at the listener for the other containers: no JVM, no advertised address.
    assert "/dev/tcp/127.0.0.1/29092" in kafka["healthcheck"]["test"][-1]


def test_zookeeper_is_asked_whether_it_serves() -> None:
    zookeeper = compose(Mode.ZOOKEEPER)["services"]["zookeeper"]
    assert "srvr" in zookeeper["healthcheck"]["test"][-1]
    assert "Mode:" in zookeeper["healthcheck"]["test"][-1]
    assert zookeeper["healthcheck"]["start_period"] == "30s"
    own = zookeeper["environment"]
    assert {"srvr", "ruok"} <= set(own["ZOO_4LW_COMMANDS_WHITELIST"].split(","))
    assert int(own["ZOO_AUTOPURGE_PURGEINTERVAL"]) > 0
    assert {mount.split(":")[1] for mount in zookeeper["volumes"]} == {"/data", "/datalog"}


def test_sessions_last_18_seconds_and_zookeeper_grants_them() -> None:
    found = compose(Mode.ZOOKEEPER)["services"]
    own = found["kafka"]["environment"]
    assert own["KAFKA_ZOOKEEPER_SESSION_TIMEOUT_MS"] == "18000"
    assert own["KAFKA_ZOOKEEPER_CONNECTION_TIMEOUT_MS"] == "18000"
    longest = re.search(
        r"maxSessionTimeout=(\d+)", found["zookeeper"]["environment"]["ZOO_CFG_EXTRA"]
    )
    assert longest is not None
    assert int(longest[1]) >= 18000


def test_kraft_has_no_zookeeper_and_data_of_its_own() -> None:
    found = compose(Mode.KRAFT)
    assert "zookeeper" not in found["services"]
    assert not any("ZOOKEEPER" in key for key in found["services"]["kafka"]["environment"])
    assert not set(found["volumes"]) & {"kafka-data", "zookeeper-data"}


@both
def test_the_checks_prove_what_they_should(mode: Mode) -> None:
    found = compose(mode)["services"]
    mysql = found["mysql"]["healthcheck"]["test"][-1]
    assert "--protocol=TCP" in mysql
    assert "localhost" not in mysql
    assert "SELECT 1" in mysql
    redis = found["redis"]["healthcheck"]["test"][-1]
    assert "redis-cli -e ping" in redis
    assert "PONG" in redis


@both
@pytest.mark.parametrize("secret", ["DB_PASSWORD", "DB_ROOT_PASSWORD", "REDIS_PASSWORD"])
def test_no_credential_has_a_default(mode: Mode, secret: str) -> None:
    text = stack_file(FILES[mode]).read_text(encoding="utf-8")
    uses = [found for found in _VARIABLE.finditer(text) if found[1] == secret]
    assert uses
    assert all(found[2] == ":?" for found in uses)


def test_a_broker_waits_for_an_old_registration_before_the_images_own_command() -> None:
    found = compose(Mode.ZOOKEEPER)["services"]
    words = found["kafka"]["command"]
    assert words[:2] == ["bash", "-c"]
    assert words[2].rstrip().endswith("exec /etc/confluent/docker/run")
    assert 'grep -q "/brokers/ids/$KAFKA_BROKER_ID$"' in words[2]
    assert "dump" in found["zookeeper"]["environment"]["ZOO_4LW_COMMANDS_WHITELIST"].split(",")
    assert "command" not in compose(Mode.KRAFT)["services"]["kafka"]


@both
def test_the_engine_looks_for_the_cluster_where_the_brokers_volume_is(mode: Mode) -> None:
    kafka = compose(mode)["services"]["kafka"]
    (mount,) = kafka["volumes"]
    assert f"{mount.split(':')[1]}/meta.properties" == META
    assert kafka["environment"]["KAFKA_LOG_DIRS"] == mount.split(":")[1]


@both
def test_no_password_is_on_a_command_line(mode: Mode) -> None:
    for service in compose(mode)["services"].values():
        words = " ".join(service.get("command", []))
        assert "made" not in words
        assert "--requirepass" not in words
    assert "MYSQL_RANDOM_ROOT_PASSWORD" not in compose(mode)["services"]["mysql"]["environment"]
