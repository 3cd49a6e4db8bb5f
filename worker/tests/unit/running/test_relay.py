"""The relay on a real SQLite store, an in-process cache and a clock of the test's own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from database_consumer.cache.base import CacheUnavailable, Entry
from database_consumer.cache.memory import MemoryCache
from database_consumer.relay import DROP_MARGIN, EPOCH_AFTER, CacheRelay, LetterRelay
from database_consumer.stores.base import Applied, Batch, DeadLetter, Record, Store
from database_consumer.stores.opening import open_sqlite


class Breakable(MemoryCache):
    broken = False

    def _look(self) -> None:
        if self.broken:
            raise CacheUnavailable("away")

    def epoch(self) -> str | None:
        self._look()
        return super().epoch()

    def put(self, entries: Sequence[Entry], epoch: str) -> int:
        self._look()
        return super().put(entries, epoch)


class Topic:
    def __init__(self) -> None:
        self.taken: list[DeadLetter] = []
        self.refuse = False

    def publish(self, letters: Sequence[DeadLetter]) -> Sequence[int]:
        if self.refuse:
            return []
        self.taken += letters
        return [one.id for one in letters]

    def close(self) -> None:
        pass


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = open_sqlite(tmp_path / "db.sqlite3")
    found.open()
    found.ensure_schema()
    yield found
    found.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache() -> Breakable:
    return Breakable()


@pytest.fixture
def relay(cache: Breakable, clock: Clock) -> CacheRelay:
    return CacheRelay(cache, ttl_seconds=60, tombstone_seconds=60, clock=clock)


class Writer:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._next = 0

    def write(self, *documents: dict[str, object] | bytes) -> None:
        records = tuple(
            Record(
                "t",
                0,
                self._next + number,
                b"k",
                one if isinstance(one, bytes) else json.dumps(one).encode(),
            )
            for number, one in enumerate(documents)
        )
        batch = Batch(
            group="g",
            topic="t",
            partition=0,
            expected=self._next or None,
            next_offset=self._next + len(records),
            records=records,
        )
        assert isinstance(self._store.apply(batch, now=self._clock.now), Applied)
        self._next += len(records)


@pytest.fixture
def writer(store: Store, clock: Clock) -> Writer:
    return Writer(store, clock)


def user(ident: int, name: str, kind: str = "CREATE") -> dict[str, object]:
    data = {"id": ident, "name": name, "email": "e"}
    return {"type": kind, "entity": "User", "data": {"id": ident} if kind == "DELETE" else data}


def test_what_changed_is_told_once(
    store: Store, cache: Breakable, relay: CacheRelay, writer: Writer
) -> None:
    writer.write(user(1, "a"), user(2, "b"))
    assert relay.step(store) == 2
    assert relay.step(store) == 0
    assert {json.loads(one)["name"] for one in cache.rows().values()} == {"a", "b"}


def test_a_deleted_row_leaves_a_tombstone_and_comes_back_newer(
    store: Store, cache: Breakable, relay: CacheRelay, writer: Writer
) -> None:
    writer.write(user(1, "a"))
    relay.step(store)
    before = cache.get("User:1").version or 0
    writer.write(user(1, "", "DELETE"))
    relay.step(store)
    gone = cache.get("User:1")
    assert gone.payload == ""
    assert (gone.version or 0) > before
    writer.write(user(1, "again"))
    relay.step(store)
    back = cache.get("User:1")
    assert json.loads(back.payload)["name"] == "again"
    assert (back.version or 0) > (gone.version or 0)


def test_a_row_deleted_and_made_again_in_one_batch_is_there(
    store: Store, cache: Breakable, relay: CacheRelay, writer: Writer
) -> None:
    writer.write(*(user(ident, "a") for ident in range(20)))
    relay.step(store)
    too_long = user(99, "x" * 300)
    writer.write(
        *(user(ident, "", "DELETE") for ident in range(20)),
        too_long,
        *(user(ident, "again") for ident in range(20)),
        too_long,
    )
    while relay.step(store):
        pass
    names = {json.loads(one)["name"] for one in cache.rows().values()}
    assert (len(cache.rows()), names) == (20, {"again"})


def test_a_short_absence_loses_nothing_and_keeps_the_epoch(
    store: Store, cache: Breakable, relay: CacheRelay, writer: Writer, clock: Clock
) -> None:
    relay.step(store)
    epoch = cache.epoch()
    cache.broken = True
    writer.write(user(1, "a"))
    assert relay.step(store) == 0
    assert not bool(relay.view.healthy)
    cache.broken = False
    clock.now += 2
    assert relay.step(store) == 1
    assert bool(relay.view.healthy)
    assert cache.epoch() == epoch


def test_a_long_absence_raises_the_epoch_and_drops_what_is_stale(
    store: Store, cache: Breakable, relay: CacheRelay, writer: Writer, clock: Clock
) -> None:
    relay.step(store)
    epoch = cache.epoch()
    cache.broken = True
    writer.write(user(1, "old"))
    relay.step(store)
    clock.now += DROP_MARGIN + EPOCH_AFTER
    writer.write(user(2, "young"))
    cache.broken = False
    assert relay.step(store) == 1
    assert cache.epoch() != epoch
    assert list(cache.rows()) == ["User:2"]
    assert store.counts().cache_intents == 0


def test_an_epoch_that_another_worker_raised_is_followed_without_dropping(
    store: Store, cache: Breakable, relay: CacheRelay, writer: Writer
) -> None:
    relay.step(store)
    cache.raise_epoch(9e9, cache.epoch())
    writer.write(user(1, "a"))
    assert relay.step(store) == 0
    assert relay.step(store) == 1
    assert list(cache.rows()) == ["User:1"]


def test_a_check_finds_a_cache_that_lost_everything_with_nothing_to_write(
    store: Store, cache: Breakable, relay: CacheRelay
) -> None:
    relay.step(store)
    cache._epoch = ""
    relay.check()
    assert cache.epoch() is not None
    assert relay.view.epoch == cache.epoch()


def test_dead_letters_are_published_and_marked(store: Store, writer: Writer, clock: Clock) -> None:
    topic = Topic()
    letters = LetterRelay(topic, clock=clock)
    writer.write(b"{", b"[")
    assert letters.step(store) == 2
    assert letters.step(store) == 0
    assert [one.value for one in topic.taken] == [b"{", b"["]
    assert store.counts().unpublished_dead_letters == 0


def test_dead_letters_that_were_not_delivered_are_tried_again_later(
    store: Store, writer: Writer, clock: Clock
) -> None:
    topic = Topic()
    letters = LetterRelay(topic, clock=clock)
    writer.write(b"{")
    topic.refuse = True
    assert letters.step(store) == 0
    topic.refuse = False
    assert letters.step(store) == 0
    clock.now += 6
    assert letters.step(store) == 1
