from __future__ import annotations

import json
from pathlib import Path

import pytest

from buildtools.stack.reset import carry_out, environment_refusals, is_loopback, plan_reset
from buildtools.stack.settings import Settings
from buildtools.stack.trouble import StackError
from buildtools.stack.volumes import make_volume
from tests.unit.stack.values import settings

VOLUMES = ("kafka-data", "mysql-data", "zookeeper-data")


@pytest.fixture
def stack(tmp_path: Path) -> Settings:
    made = settings(tmp_path)
    for name in VOLUMES:
        (make_volume(made, name).data / "kept").write_text("x")
    return made


def kept(stack: Settings) -> list[str]:
    return sorted(one.parts[-3] for one in stack.folder.glob("volumes/*/data/kept"))


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"APP_ENV": "production"}, "APP_ENV"),
        ({"NODE_ENV": " Production "}, "NODE_ENV"),
        ({"DB_HOST": "db.example.org"}, "DB_HOST"),
        ({"REDIS_HOST": "10.0.0.5"}, "REDIS_HOST"),
        ({"KAFKA_BROKERS": "localhost:9092,kafka-1:9092"}, "kafka-1"),
        ({"KAFKA_BROKERS": "SASL_SSL://broker.example.org:9093"}, "broker.example.org"),
        ({"DATABASE_URL": "mysql://u:p@db.example.org:3306/x"}, "DATABASE_URL"),
        ({"REDIS_URL": "rediss://:p@cache.example.org/0"}, "REDIS_URL"),
    ],
)
def test_production_and_other_machines_forbid_it(
    stack: Settings, variables: dict[str, str], said: str
) -> None:
    plan = plan_reset(stack, {"here": {}, "there": variables})
    assert len(plan.refusals) == 1
    assert said in plan.refusals[0]
    assert "there" in plan.refusals[0]
    with pytest.raises(StackError, match="nothing was touched"):
        carry_out(plan, stack, stack.project)
    assert kept(stack) == sorted(VOLUMES)


def test_a_refusal_shows_no_password() -> None:
    (said,) = environment_refusals({"x": {"DATABASE_URL": "mysql://u:hidden@far.example.org/x"}})
    assert "hidden" not in said


def test_a_development_environment_is_not_refused() -> None:
    here = {
        "APP_ENV": "development",
        "DB_HOST": "127.0.0.1",
        "REDIS_URL": "redis://:p@[::1]:6379/0",
        "KAFKA_BROKERS": "localhost:9092, 127.0.0.1:9093",
    }
    assert environment_refusals({"here": here}) == ()


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("127.1.2.3", True),
        ("[::1]", True),
        ("127.0.0.1.example.org", False),
        ("localhost.example.org", False),
        ("0.0.0.0", False),  # noqa: S104 - a host to judge
        ("", False),
    ],
)
def test_what_this_machine_is(host: str, here: bool) -> None:  # noqa: FBT001
    assert is_loopback(host) is here


def test_a_folder_without_this_projects_label_forbids_it(stack: Settings) -> None:
    (stack.folder / "volumes" / "photos").mkdir()
    plan = plan_reset(stack, {})
    assert "photos" in plan.refusals[0]
    with pytest.raises(StackError):
        carry_out(plan, stack, stack.project)
    assert kept(stack) == sorted(VOLUMES)


def test_another_projects_label_forbids_it(stack: Settings) -> None:
    label = stack.folder / "volumes" / "mysql-data" / "label.json"
    found = json.loads(label.read_text())
    label.write_text(json.dumps({**found, "com.docker.compose.project": "other"}))
    assert "project other" in plan_reset(stack, {}).refusals[0]


def test_a_link_is_not_followed(stack: Settings, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (stack.folder / "volumes" / "mysql-data").rename(elsewhere)
    (stack.folder / "volumes" / "mysql-data").symlink_to(elsewhere)
    assert "link" in plan_reset(stack, {}).refusals[0]


def test_the_wrong_name_touches_nothing(stack: Settings) -> None:
    with pytest.raises(StackError, match="not confirmed"):
        carry_out(plan_reset(stack, {}), stack, "shpo")
    assert kept(stack) == sorted(VOLUMES)


def test_a_volume_that_changes_hands_after_the_plan_is_kept(stack: Settings) -> None:
    plan = plan_reset(stack, {})
    (stack.folder / "volumes" / "mysql-data" / "label.json").unlink()
    with pytest.raises(StackError, match="has changed"):
        carry_out(plan, stack, stack.project)
    assert kept(stack) == sorted(VOLUMES)


def test_kafkas_and_zookeepers_data_go_together(stack: Settings) -> None:
    carry_out(plan_reset(stack, {}), stack, "shop")
    assert kept(stack) == []
    assert not (stack.folder / "trash").exists()
    assert (stack.folder / ".env").exists()
