from __future__ import annotations

import json

import pytest

from buildtools.stack.broker_id import (
    Registration,
    cluster_conflict,
    lives,
    registration_of,
    wait_out,
)
from buildtools.stack.properties import cluster_of
from buildtools.stack.zookeeper import Node

HELD = Registration(owner=0x10, version=0, age=3.0, endpoints=("INSIDE://kafka:29092",))


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_node_says_whose_it_is_and_how_old() -> None:
    data = json.dumps({"endpoints": ["INSIDE://kafka:29092"]}).encode()
    node = Node(path="/brokers/ids/1", data=data, created=1_000_000, version=0, owner=0x10)
    found = registration_of(node, 1003.0)
    assert found == HELD
    assert "session 0x10 since 3 s" in str(found)
    assert "kafka:29092" in str(found)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"endpoints": 3}'])
def test_a_strange_node_still_has_an_owner(data: bytes) -> None:
    node = Node(path="/brokers/ids/1", data=data, created=0, version=0, owner=7)
    assert registration_of(node, 1.0).owner == 7


def test_it_is_waited_out_until_the_session_expires() -> None:
    clock = Clock()
    told: list[Registration] = []
    left = wait_out(
        lambda: HELD if clock.now < 18 else None,
        tell=told.append,
        clock=clock,
        sleep=clock.sleep,
    )
    assert left is None
    assert 18 <= clock.now < 19
    assert told


def test_a_session_that_does_not_expire_is_given_back() -> None:
    clock = Clock()
    found = wait_out(
        lambda: HELD, tell=lambda _one: None, seconds=20, clock=clock, sleep=clock.sleep
    )
    assert found == HELD
    assert clock.now >= 20


@pytest.mark.parametrize(
    ("process", "session", "alive", "slept"),
    [
        ([True], [None], True, 0),
        ([False], [True], True, 0),
        ([False, True], [None, None], True, 1),
        ([False, False], [False, True], True, 1),
        ([False, False], [None, None], False, 1),
        ([False, False], [False, False], False, 1),
    ],
)
def test_a_broker_is_dead_by_two_looks_at_its_process_and_its_session(
    process: list[bool], session: list[bool | None], *, alive: bool, slept: int
) -> None:
    clock = Clock()
    asked: list[int] = []

    def connected(owner: int) -> bool | None:
        asked.append(owner)
        return session.pop(0)

    found = lives(HELD, process=lambda: process.pop(0), session=connected, sleep=clock.sleep)
    assert found is alive
    assert set(asked) == {HELD.owner}
    assert clock.now == slept


@pytest.mark.parametrize(
    ("kafka", "zookeeper", "conflict"),
    [
        (None, None, False),
        (None, "a", False),
        ("a", "a", False),
        ("a", None, True),
        ("a", "b", True),
    ],
)
def test_kafkas_data_belongs_to_one_cluster(
    kafka: str | None, zookeeper: str | None, *, conflict: bool
) -> None:
    assert bool(cluster_conflict(kafka, zookeeper)) is conflict


def test_the_cluster_id_stands_in_meta_properties() -> None:
    assert cluster_of("#\nversion=0\ncluster.id=abc\nbroker.id=1\n") == "abc"
    assert cluster_of("version=0\n") is None
