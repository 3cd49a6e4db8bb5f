from __future__ import annotations

import threading

from database_consumer.intake import Intake, Work
from database_consumer.sources.base import Partition
from database_consumer.stores.base import Position, Record

ONE = Partition("t", 1)
TWO = Partition("t", 2)
MANY = 1 << 20


def record(offset: int, partition: Partition = ONE, value: bytes = b"v") -> Record:
    return Record(partition.topic, partition.partition, offset, b"k", value, 1000 + offset)


def intake(*partitions: Partition, start: int | None = 0) -> Intake:
    found = Intake("g")
    for one in partitions or (ONE,):
        position = None if start is None else Position(next_offset=start)
        found.assign(one, position, topic_id="id", placed=True)
    return found


def take(found: Intake, limit: int = 100, bytes_limit: int = MANY) -> Work:
    work = found.take(limit, timeout=0, bytes_limit=bytes_limit)
    assert work is not None
    return work


def offsets(work: Work) -> list[int]:
    return [one.offset for one in work.batch.records]


def test_a_batch_starts_at_the_fence_and_ends_after_its_last_record() -> None:
    found = intake(start=5)
    assert found.offer([record(5), record(6)]) == {}
    batch = take(found).batch
    assert (batch.expected, batch.next_offset, batch.topic_id) == (5, 7, "id")


def test_a_lane_in_hand_is_not_taken_again_until_it_is_done() -> None:
    found = intake()
    found.offer([record(0), record(1)])
    work = take(found, limit=1)
    assert found.take(1, timeout=0, bytes_limit=MANY) is None
    found.done(work, Position(next_offset=1))
    following = take(found)
    assert offsets(following) == [1]
    assert following.batch.expected == 1


def test_lanes_take_turns() -> None:
    found = intake(ONE, TWO)
    found.offer([record(0), record(1), record(0, TWO)])
    first = take(found, limit=1)
    second = take(found, limit=1)
    assert {first.partition, second.partition} == {ONE, TWO}


def test_a_batch_is_bounded_by_bytes_but_never_empty() -> None:
    found = intake()
    found.offer([record(0, value=b"x" * 5000), record(1, value=b"x" * 5000)])
    assert offsets(take(found, bytes_limit=100)) == [0]


def test_what_comes_next_is_known_while_a_batch_is_in_hand() -> None:
    found = intake(ONE, TWO)
    found.offer([record(offset) for offset in range(4)])
    work = take(found, limit=2)
    assert [one.offset for one in found.coming(1)] == [2]
    found.offer([record(0, TWO)])
    guess = found.coming(5)
    found.done(work, Position(next_offset=2))
    assert take(found).batch.records == guess == (record(0, TWO),)
    assert found.coming(5) == take(found).batch.records
    assert found.coming(5) == ()


def test_records_of_a_partition_that_is_not_ours_are_dropped() -> None:
    found = intake()
    found.offer([record(0, TWO)])
    assert found.take(1, timeout=0, bytes_limit=MANY) is None


def test_records_below_the_expected_offset_are_dropped() -> None:
    found = intake(start=10)
    assert found.offer([record(8), record(9), record(10)]) == {}
    assert offsets(take(found)) == [10]


def test_a_gap_is_read_again_once_and_then_believed() -> None:
    found = intake()
    assert found.offer([record(0), record(3), record(4)]) == {ONE: 1}
    assert offsets(take(found)) == [0]
    assert found.offer([record(3), record(4)]) == {}
    assert found.load().records == 2


def test_a_gap_that_was_the_clients_mistake_is_filled() -> None:
    found = intake()
    assert found.offer([record(0), record(3)]) == {ONE: 1}
    assert found.offer([record(1), record(2), record(3)]) == {}
    assert offsets(take(found)) == [0, 1, 2, 3]


def test_a_source_with_gaps_is_believed_at_once() -> None:
    found = Intake("g", gaps=True)
    found.assign(ONE, Position(next_offset=0), topic_id=None, placed=True)
    assert found.offer([record(40), record(99)]) == {}
    assert take(found).batch.next_offset == 100


def test_without_a_stored_offset_the_first_record_is_taken_as_it_comes() -> None:
    found = intake(start=None)
    assert found.offer([record(17)]) == {}
    assert take(found).batch.expected is None


def test_a_fenced_lane_gives_nothing_until_it_was_moved() -> None:
    found = intake()
    found.offer([record(0), record(1)])
    work = take(found, limit=1)
    found.unplace(ONE)
    found.done(work, None)
    found.offer([record(2)])
    assert found.unplaced() == (ONE,)
    assert found.take(1, timeout=0, bytes_limit=MANY) is None
    found.move(ONE, Position(next_offset=8))
    found.offer([record(7), record(8)])
    assert offsets(take(found)) == [8]


def test_a_batch_of_an_earlier_assignment_is_not_owned_and_changes_nothing() -> None:
    found = intake()
    found.offer([record(0)])
    work = take(found)
    found.drop([ONE])
    found.assign(ONE, Position(next_offset=50), topic_id=None, placed=True)
    assert not found.owned(work)
    found.done(work, Position(next_offset=1))
    assert found.positions()[ONE] == 50


def test_whoever_leaves_waits_for_the_batch_in_hand_and_takes_no_other() -> None:
    found = intake()
    found.offer([record(0), record(1)])
    work = take(found, limit=1)
    found.leave([ONE])
    assert not found.owned(work)
    assert not found.wait_idle([ONE], 0.01)
    ended = threading.Timer(0.05, found.done, (work, Position(next_offset=1)))
    ended.start()
    assert found.wait_idle([ONE], 5)
    ended.join()
    assert found.take(1, timeout=0, bytes_limit=MANY) is None
    assert found.unplaced() == ()


def test_room_is_waited_for_by_records_and_by_bytes() -> None:
    found = intake()
    found.offer([record(n) for n in range(10)])
    assert found.wait_room(11, MANY, 0)
    assert not found.wait_room(10, MANY, 0.01)
    assert not found.wait_room(11, 100, 0.01)
    take(found)
    assert found.wait_room(10, MANY, 0)


def test_a_closed_intake_gives_nothing_and_holds_nobody() -> None:
    found = intake()
    found.offer([record(0)])
    found.close()
    assert found.take(1, timeout=60, bytes_limit=MANY) is None
    assert found.wait_room(0, 0, 60)


def test_the_oldest_record_of_each_lane_is_known() -> None:
    found = intake(ONE, TWO)
    found.offer([record(0), record(1), record(0, TWO)])
    assert found.oldest() == {ONE: 1000, TWO: 1000}
