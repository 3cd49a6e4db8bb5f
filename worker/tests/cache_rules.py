"""What every cache must keep to, written once."""

from __future__ import annotations

import pytest

from database_consumer.cache.base import Cache, Entry, EpochMoved


def entry(version: int, payload: str = '{"v": 1}', *, name: str = "User:1") -> Entry:
    return Entry(suffix=name, version=version, payload=payload, ttl_seconds=60)


class CacheRules:
    """Subclasses give a new, empty ``cache``."""

    def test_a_new_cache_has_no_epoch_and_takes_nothing(self, cache: Cache) -> None:
        assert cache.epoch() is None
        assert cache.get("User:1").epoch is None
        with pytest.raises(EpochMoved):
            cache.put([entry(1)], "1")

    def test_a_newer_version_wins_and_an_older_or_equal_one_does_not(self, cache: Cache) -> None:
        epoch = cache.raise_epoch(1.0, None)
        assert cache.put([entry(9, "nine")], epoch) == 1
        assert cache.put([entry(9, "again")], epoch) == 0
        assert cache.put([entry(8, "eight")], epoch) == 0
        assert cache.put([entry(10, "ten")], epoch) == 1
        found = cache.get("User:1")
        assert (found.version, found.payload, found.epoch) == (10, "ten", epoch)

    def test_versions_are_exact_beyond_what_a_double_holds(self, cache: Cache) -> None:
        epoch = cache.raise_epoch(1.0, None)
        big = 2**62
        assert cache.put([entry(big + 1)], epoch) == 1
        assert cache.put([entry(big)], epoch) == 0
        assert cache.put([entry(big + 2)], epoch) == 1

    def test_a_tombstone_keeps_older_rows_out_and_lets_newer_ones_in(self, cache: Cache) -> None:
        epoch = cache.raise_epoch(1.0, None)
        cache.put([entry(3)], epoch)
        cache.put([entry(4, "")], epoch)
        found = cache.get("User:1")
        assert (found.version, found.payload) == (4, "")
        assert cache.put([entry(3)], epoch) == 0
        assert cache.put([entry(5, "back")], epoch) == 1
        assert cache.get("User:1").payload == "back"

    def test_a_row_that_was_made_again_in_the_same_transaction_beats_its_tombstone(
        self, cache: Cache
    ) -> None:
        """Both have the transaction's version; a later deletion always has a higher one."""
        epoch = cache.raise_epoch(1.0, None)
        assert cache.put([entry(4, ""), entry(4, "back")], epoch) == 2
        assert cache.get("User:1").payload == "back"
        assert cache.put([entry(4, "")], epoch) == 0
        assert cache.put([entry(4, "other")], epoch) == 0
        assert cache.get("User:1").payload == "back"

    def test_raising_the_epoch_hides_everything_at_once(self, cache: Cache) -> None:
        before = cache.raise_epoch(1.0, None)
        cache.put([entry(3)], before)
        after = cache.raise_epoch(2.0, before)
        assert after != before
        assert cache.get("User:1").version is None
        with pytest.raises(EpochMoved):
            cache.put([entry(4)], before)
        assert cache.put([entry(1)], after) == 1

    def test_an_epoch_that_somebody_else_raised_is_enough(self, cache: Cache) -> None:
        before = cache.raise_epoch(1.0, None)
        other = cache.raise_epoch(2.0, before)
        assert cache.raise_epoch(3.0, before) == other

    def test_an_epoch_only_goes_up_even_when_the_clock_goes_back(self, cache: Cache) -> None:
        first = cache.raise_epoch(1_000_000.0, None)
        second = cache.raise_epoch(1.0, first)
        assert int(second) > int(first)

    def test_payloads_pass_unchanged(self, cache: Cache) -> None:
        epoch = cache.raise_epoch(1.0, None)
        odd = '{"a": "line\\nbreak", "b": "ä€😀", "c": "\\u0000"}\nmore'
        many = [entry(1, odd, name=f"User:{n}") for n in range(600)]
        assert cache.put(many, epoch) == 600
        assert cache.get("User:599").payload == odd
