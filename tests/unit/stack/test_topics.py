from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from buildtools.errors import UsageError
from buildtools.stack.topics import Topic, diff, drift, load_topics, stack_file

ORDERS = Topic(
    name="orders",
    partitions=3,
    settings={"retention.ms": "1000", "cleanup.policy": "compact,delete"},
)


def test_the_shipped_topics_are_the_five() -> None:
    found = load_topics(stack_file("topics.yaml"))
    assert {topic.name for topic in found} == {
        "purchase-confirmed",
        "purchase-created",
        "trainer-allocated",
        "dead-letter-queue",
        "db-operations-buffer",
    }


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("retention: 7d", "retention.ms", "604800000"),
        ("retention: 90 ms", "retention.ms", "90"),
        ("retention: forever", "retention.ms", "-1"),
        ("cleanup: [compact, delete]", "cleanup.policy", "compact,delete"),
        ("settings: {max.message.bytes: 5}", "max.message.bytes", "5"),
    ],
)
def test_settings_become_kafkas(tmp_path: Path, text: str, key: str, value: str) -> None:
    file = tmp_path / "topics.yaml"
    file.write_text(f"topics: {{a: {{{text}}}}}")
    assert load_topics(file)[0].settings[key] == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("topics: {}", "names no topics"),
        ("[", "no YAML"),
        ("topics: {a b: {}}", "a name has"),
        ("topics: {a: {partitions: 0}}", "partitions"),
        ("topics: {a: {partitions: true}}", "partitions"),
        ("topics: {a: {retention: soon}}", "retention"),
        ("topics: {a: {cleanup: burn}}", "cleanup"),
        ("topics: {a: {colour: red}}", "colour"),
        ("topics: {a: [1]}", "no mapping"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "topics.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_topics(file)
    assert said in str(caught.value)


def test_the_same_is_no_drift_in_whatever_order_policies_stand() -> None:
    found = replace(ORDERS, settings={**ORDERS.settings, "cleanup.policy": "delete,compact"})
    assert drift([ORDERS], {"orders": found}) == ()


def test_a_missing_topic_is_no_drift() -> None:
    assert drift([ORDERS], {}) == ()


def test_drift_is_a_diff_from_the_broker_to_what_is_wanted() -> None:
    found = replace(ORDERS, partitions=1, settings={**ORDERS.settings, "retention.ms": "5"})
    text = diff(drift([ORDERS], {"orders": found}))
    assert text.splitlines()[2:] == [
        "@@ orders @@",
        "-partitions: 1",
        "+partitions: 3",
        "-retention.ms: 5",
        "+retention.ms: 1000",
    ]


def test_more_partitions_than_wanted_are_never_to_be_taken_away() -> None:
    (one,) = drift([ORDERS], {"orders": replace(ORDERS, partitions=9)})
    assert "cannot be shrunk" in one.mend


def test_a_projects_own_topics_leave_the_compose_files_that_ship(tmp_path: Path) -> None:
    own = tmp_path / "stack"
    own.mkdir()
    (own / "compose.yaml").write_text("services: {}\n")
    shipped = stack_file("compose.yaml")
    # One without topics is something else of that name.
    assert stack_file("compose.yaml", tmp_path) == shipped
    (own / "topics.yaml").write_text("topics: {one: {}}\n")
    assert stack_file("topics.yaml", tmp_path) == own / "topics.yaml"
    assert stack_file("compose.yaml", tmp_path) == own / "compose.yaml"
    (own / "compose.yaml").unlink()
    assert stack_file("compose.yaml", tmp_path) == shipped
