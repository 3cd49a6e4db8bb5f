"""The process engine is configured as the containers are."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildtools.stack.properties import (
    kafka_properties,
    mysql_accounts,
    redis_configuration,
    zookeeper_properties,
)
from buildtools.stack.services import chosen, services
from buildtools.stack.settings import Mode, read_env
from tests.unit.stack.test_compose import compose
from tests.unit.stack.values import settings

OF_THE_PLACE = {
    "listeners",
    "advertised.listeners",
    "controller.quorum.voters",
    "zookeeper.connect",
    "log.dirs",
    "heap.opts",
    "jvm.performance.opts",
}


@pytest.mark.parametrize("mode", list(Mode))
def test_kafka_has_the_settings_of_its_container(mode: Mode, tmp_path: Path) -> None:
    own = read_env(kafka_properties(settings(tmp_path), mode, tmp_path))
    container = {
        key.removeprefix("KAFKA_").lower().replace("_", "."): value
        for key, value in compose(mode)["services"]["kafka"]["environment"].items()
        if key.startswith("KAFKA_")
    }
    assert {key: value for key, value in own.items() if key not in OF_THE_PLACE} == {
        key: value for key, value in container.items() if key not in OF_THE_PLACE
    }


def test_zookeeper_has_the_settings_of_its_container(tmp_path: Path) -> None:
    own = read_env(zookeeper_properties(settings(tmp_path), tmp_path))
    container = compose(Mode.ZOOKEEPER)["services"]["zookeeper"]["environment"]
    assert own["tickTime"] == container["ZOO_TICK_TIME"]
    assert own["4lw.commands.whitelist"] == container["ZOO_4LW_COMMANDS_WHITELIST"]
    assert own["autopurge.purgeInterval"] == container["ZOO_AUTOPURGE_PURGEINTERVAL"]
    assert own["maxSessionTimeout"] in container["ZOO_CFG_EXTRA"]
    assert own["dataDir"] != own["dataLogDir"]


@pytest.mark.parametrize("mode", list(Mode))
def test_every_listener_is_on_loopback(mode: Mode, tmp_path: Path) -> None:
    own = read_env(kafka_properties(settings(tmp_path), mode, tmp_path))
    for listener in own["listeners"].split(","):
        assert listener.split("://")[1].startswith("127.0.0.1:")
    assert "bind 127.0.0.1\n" in redis_configuration(settings(tmp_path), tmp_path)


def test_the_advertised_host_is_for_clients_alone(tmp_path: Path) -> None:
    made = settings(tmp_path, KAFKA_ADVERTISED_HOST="laptop.local", KAFKA_PORT="19092")
    own = read_env(kafka_properties(made, Mode.KRAFT, tmp_path))
    assert own["advertised.listeners"] == ("INSIDE://127.0.0.1:29092,OUTSIDE://laptop.local:19092")


def test_an_old_password_is_never_changed(tmp_path: Path) -> None:
    text = mysql_accounts(settings(tmp_path))
    assert "IF NOT EXISTS" in text
    assert "ALTER" not in text
    assert "REPLACE" not in text


def test_what_a_service_needs_comes_with_it(tmp_path: Path) -> None:
    every = services(settings(tmp_path), Mode.ZOOKEEPER)
    assert [one.name for one in chosen(every, ["kafka"])] == ["zookeeper", "kafka"]
    assert [one.name for one in chosen(every, ["redis"])] == ["redis"]
    assert chosen(every, []) == every
