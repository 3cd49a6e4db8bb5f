"""The files of the JSON store: torn tails, damage, locks, snapshots."""

from __future__ import annotations

from pathlib import Path

import pytest

from database_consumer.stores.base import StoreCorrupt, StoreUnavailable
from database_consumer.stores.jsonstate import JsonState


def opened(path: Path) -> JsonState:
    state = JsonState(path)
    state.open()
    return state


def written(path: Path, count: int = 5, *, snapshot_after: int = 0) -> JsonState:
    state = opened(path)
    for number in range(count):
        state.put("m", str(number), {"n": number})
        state.commit()
        if number + 1 == snapshot_after:
            state.write_snapshot()
    return state


@pytest.mark.parametrize("snapshot_after", [0, 2, 5])
def test_what_was_committed_is_there_again(tmp_path: Path, snapshot_after: int) -> None:
    written(tmp_path / "s", snapshot_after=snapshot_after).close()
    state = opened(tmp_path / "s")
    assert state.of("m") == {str(number): {"n": number} for number in range(5)}
    state.close()


@pytest.mark.parametrize("snapshot_after", [0, 3])
def test_a_torn_last_line_is_cut_off_wherever_it_was_torn(
    tmp_path: Path, snapshot_after: int
) -> None:
    written(tmp_path / "s", snapshot_after=snapshot_after).close()
    log = tmp_path / "s.log"
    whole = log.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for end in range(last, len(whole)):
        log.write_bytes(whole[:end])
        state = opened(tmp_path / "s")
        assert set(state.of("m")) == set("0123")
        assert log.stat().st_size == last
        state.put("m", "new", 1)
        state.commit()
        state.close()
        state = opened(tmp_path / "s")
        assert set(state.of("m")) == {*"0123", "new"}
        state.close()


def test_damage_in_the_middle_is_said_and_nothing_is_touched(tmp_path: Path) -> None:
    written(tmp_path / "s").close()
    log = tmp_path / "s.log"
    damaged = log.read_bytes().replace(b'"n":2', b'"n":7')
    log.write_bytes(damaged)
    with pytest.raises(StoreCorrupt, match="damaged at byte"):
        opened(tmp_path / "s")
    assert log.read_bytes() == damaged


def test_a_damaged_snapshot_is_said(tmp_path: Path) -> None:
    written(tmp_path / "s", snapshot_after=5).close()
    snapshot = tmp_path / "s"
    snapshot.write_bytes(snapshot.read_bytes().replace(b'"n":2', b'"n":7'))
    with pytest.raises(StoreCorrupt):
        opened(tmp_path / "s")
    snapshot.write_bytes(b"")
    with pytest.raises(StoreCorrupt):
        opened(tmp_path / "s")


def test_a_log_that_lost_what_the_snapshot_knows_is_said(tmp_path: Path) -> None:
    written(tmp_path / "s", snapshot_after=5).close()
    (tmp_path / "s.log").write_bytes(b"")
    with pytest.raises(StoreCorrupt, match="shorter"):
        opened(tmp_path / "s")


def test_one_process_at_a_time(tmp_path: Path) -> None:
    first = opened(tmp_path / "s")
    with pytest.raises(StoreUnavailable, match="another process"):
        opened(tmp_path / "s")
    first.close()
    opened(tmp_path / "s").close()


def test_what_is_undone_leaves_no_trace(tmp_path: Path) -> None:
    state = written(tmp_path / "s", 2)
    state.put("m", "0", None)
    mark = state.mark()
    state.put("m", "1", {"n": 9})
    state.put("m", "5", {"n": 5})
    state.back_to(mark)
    assert state.of("m") == {"1": {"n": 1}}
    state.discard()
    assert set(state.of("m")) == {"0", "1"}
    size = (tmp_path / "s.log").stat().st_size
    state.commit()
    assert (tmp_path / "s.log").stat().st_size == size
    state.close()
