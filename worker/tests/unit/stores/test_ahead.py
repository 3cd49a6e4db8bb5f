"""What is decoded in advance is what is asked for, whatever the guess was."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from database_consumer.stores.ahead import Ahead
from database_consumer.stores.base import Record
from database_consumer.stores.creates import items_of
from database_consumer.stores.item import Item

RECORDS = tuple(Record("t", 0, offset, None, b"v") for offset in range(6))


class Decoding:
    """Notes who decoded what; refuses an offset where it is told to."""

    def __init__(self, refused: int = -1) -> None:
        self.calls: list[tuple[bool, list[int]]] = []
        self.refused = refused

    def __call__(self, records: Sequence[Record]) -> list[Item]:
        here = threading.current_thread() is threading.main_thread()
        offsets = [one.offset for one in records]
        self.calls.append((here, offsets))
        if self.refused in offsets:
            raise RuntimeError("a handler of somebody's own")
        return [Item(one, str(one.offset), b"", ()) for one in records]


def asked(ahead: Ahead, records: Sequence[Record]) -> list[Record]:
    return [one.record for one in items_of(ahead.prepared(records))]


@pytest.mark.parametrize(
    ("guess", "here"),
    [
        (RECORDS, []),
        (RECORDS[:2], [2, 3, 4, 5]),
        (RECORDS[4:], [0, 1, 2, 3]),
        ((), [0, 1, 2, 3, 4, 5]),
        ((Record("t", 0, 0, None, b"another"),), [0, 1, 2, 3, 4, 5]),
    ],
)
def test_what_was_not_guessed_is_decoded_here_and_the_order_is_kept(
    guess: tuple[Record, ...], here: list[int]
) -> None:
    decoding = Decoding()
    ahead = Ahead(decoding)
    ahead.start(lambda: guess)
    assert asked(ahead, RECORDS) == list(RECORDS)
    assert [offsets for mine, offsets in decoding.calls if mine] == ([here] if here else [])
    ahead.close()


def test_what_fails_in_advance_fails_where_it_is_asked_for() -> None:
    ahead = Ahead(Decoding(refused=5))
    ahead.start(lambda: RECORDS)
    with pytest.raises(RuntimeError, match="somebody"):
        ahead.prepared(RECORDS)
    ahead.start(lambda: RECORDS)
    assert asked(ahead, RECORDS[:3]) == list(RECORDS[:3])
    ahead.close()


def test_a_guess_serves_once() -> None:
    decoding = Decoding()
    ahead = Ahead(decoding)
    ahead.start(lambda: RECORDS)
    asked(ahead, RECORDS)
    asked(ahead, RECORDS)
    assert [mine for mine, _ in decoding.calls] == [False, True]
    ahead.close()


def test_after_its_end_it_can_be_used_again() -> None:
    ahead = Ahead(Decoding())
    ahead.start(lambda: RECORDS)
    ahead.close()
    assert threading.active_count() == 1
    assert asked(ahead, RECORDS) == list(RECORDS)
