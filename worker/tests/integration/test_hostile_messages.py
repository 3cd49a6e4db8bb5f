"""Twenty thousand generated bad messages: each is applied or dead with a reason, none stalls.

Hypothesis makes a quarter of them (HOSTILE_GENERATED=20000: all), which takes longer than to apply
them; the others are made of those: parts of several put together, bytes changed, cut and joined.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.hostile import messages
from contract.stage import GROUP, Feed, operation, rows, user
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from servers.mariadb import MariaDb, running

from database_consumer.stores.base import Store
from database_consumer.stores.opening import open_json, open_mysql, open_sqlite

BATCH = 100
COUNT = 20_000
GENERATED = int(os.environ.get("HOSTILE_GENERATED", "5000"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDb]:
    with running(tmp_path_factory.mktemp("mariadb") / "server") as server:
        yield server


@pytest.fixture(scope="module")
def bad_messages() -> list[bytes]:
    """Made once: making them takes longer than applying them."""
    made: list[bytes] = []

    @settings(
        max_examples=GENERATED // 3,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(messages(), min_size=4, max_size=8))
    def collect(values: list[bytes]) -> None:
        if len(made) < GENERATED:
            made.extend(values)

    collect()
    assert len(made) >= GENERATED
    chance = random.Random(20)
    made += [crossed(made, chance) for _ in range(COUNT - len(made))]
    assert len(set(made)) > COUNT // 2
    return made


def crossed(made: list[bytes], chance: random.Random) -> bytes:
    """A message of what others hold."""
    one, two = chance.choices(made, k=2)
    if chance.random() < 0.7:
        try:
            envelope, other = json.loads(one), json.loads(two)
            name = chance.choice(["type", "entity", "data", "metadata"])
            envelope[name] = other[name]
            return json.dumps(envelope).encode()
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
    place = chance.randrange(len(one) + 1)
    if chance.random() < 0.5:
        return one[:place] + two[chance.randrange(len(two) + 1) :]
    return one[:place] + chance.randbytes(chance.randrange(1, 4)) + one[place + 1 :]


def storm(store: Store, values: list[bytes]) -> None:
    """Apply the messages in batches; each has one end, and afterwards the store goes on."""
    feed = Feed(store)
    slowest = 0.0
    for start in range(0, len(values), BATCH):
        some = values[start : start + BATCH]
        started = time.monotonic()
        result = feed.apply(*some, now=1000.0 + start)
        slowest = max(slowest, time.monotonic() - started)
        # A dead letter may have won its id or have none; all others are in one place only.
        assert result.won + result.duplicates + result.dead >= len(some)
        assert result.duplicates + result.parked + result.dead <= len(some)
    assert slowest < 20.0
    letters = store.dead_letters(limit=10 * len(values))
    assert all(one.error_class and one.error_message for one in letters)
    assert len({(one.partition, one.offset) for one in letters}) == len(letters)
    assert {one.value for one in letters} <= set(values)
    store.retry_parked(GROUP, 1e9)
    feed.apply(operation("CREATE", user("after the storm")))
    assert "after the storm" in rows(store)


@pytest.mark.parametrize("kind", ["sqlite", "json"])
def test_twenty_thousand_bad_messages_in_each_embedded_store(
    kind: str, tmp_path: Path, bad_messages: list[bytes]
) -> None:
    if kind == "sqlite":
        store: Store = open_sqlite(tmp_path / "store.sqlite3")
    else:
        store = open_json(tmp_path / "store.json")
    store.open()
    store.ensure_schema()
    storm(store, bad_messages)
    store.close()


@pytest.mark.server
def test_twenty_thousand_bad_messages_in_mariadb(
    server: MariaDb, bad_messages: list[bytes]
) -> None:
    store = open_mysql(server.database("hostile"))
    store.open()
    store.ensure_schema()
    storm(store, bad_messages)
    store.close()


@pytest.mark.server
def test_a_value_above_the_servers_packet_is_dead_and_kept_whole(server: MariaDb) -> None:
    store = open_mysql(server.database("large"))
    store.open()
    store.ensure_schema()
    feed = Feed(store)
    dead = []
    for size in (5_000_000, 10_000_000, 20_000_000):
        value = operation("CREATE", user(size, attributes={"large": "'" * size}))
        result = feed.apply(operation("CREATE", user(f"before {size}")), value)
        dead.append(result.dead)
        if result.dead:
            letter = store.dead_letters()[0]
            assert (letter.error_class, letter.value) == ("too-large", value)
            store.purge_dead_letters()
        else:
            assert rows(store)[str(size)]["attributes"] == {"large": "'" * size}
        assert f"before {size}" in rows(store)
    assert dead[-1] == 1
    store.close()
