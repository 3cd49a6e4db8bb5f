from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from database_consumer.ledger import OFFSETS
from database_consumer.sources.base import Partition, SourceError
from database_consumer.sources.file import FileSource
from database_consumer.stores.base import Position


class Desk:
    """What a store and a worker know of a file, without either."""

    def __init__(self) -> None:
        self.positions: dict[tuple[str, int], Position] = {}

    def position(self, topic: str, partition: int) -> Position | None:
        return self.positions.get((topic, partition))

    def assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int | None]:
        found = {one: self.position(*one) for one in partitions}
        return {one: place.next_offset if place else None for one, place in found.items()}

    def revoked(self, partitions: Sequence[Partition]) -> None:
        raise AssertionError(partitions)

    def lost(self, partitions: Sequence[Partition]) -> None:
        raise AssertionError(partitions)

    def read(self, path: Path, limit: int = 100) -> list[bytes]:
        """Reads once and remembers how far, as a committed batch would."""
        source = FileSource(str(path), self.position)
        with closing(source):
            source.open(self)
            records = source.poll(limit, 0)
            if records:
                identity = source.topic_id(source.partition.topic)
                self.positions[source.partition.topic, source.partition.partition] = Position(
                    next_offset=records[-1].offset + 1, topic_id=identity
                )
        return [one.value or b"" for one in records]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "operations.jsonl"


def test_lines_are_records_and_blank_lines_are_none(path: Path) -> None:
    path.write_bytes(b"one\n\n  \ntwo\r\nthree")
    assert Desk().read(path) == [b"one", b"two", b"three"]


def test_a_files_identity_fits_into_its_column_and_a_longer_old_one_is_known(path: Path) -> None:
    path.write_bytes(b"one\ntwo\n")
    desk = Desk()
    desk.read(path)
    ((place, first),) = desk.positions.items()
    assert first.topic_id is not None
    column = OFFSETS.c.topic_id.type
    assert isinstance(column, sa.String)
    assert len(first.topic_id) <= (column.length or 0)
    whole = "8:" + hashlib.sha256(b"one\ntwo\n").hexdigest()
    desk.positions[place] = Position(next_offset=first.next_offset, topic_id=whole)
    assert desk.read(path) == []
    desk.positions[place] = Position(next_offset=first.next_offset, topic_id="8:")
    assert desk.read(path) == [b"one", b"two"]


def test_it_goes_on_where_it_was(path: Path) -> None:
    path.write_bytes(b"one\ntwo\nthree\n")
    desk = Desk()
    assert desk.read(path, limit=2) == [b"one", b"two"]
    assert desk.read(path) == [b"three"]
    assert desk.read(path) == []


def test_a_file_that_grew_goes_on_with_the_new_lines(path: Path) -> None:
    path.write_bytes(b"one\n")
    desk = Desk()
    desk.read(path)
    path.write_bytes(b"one\ntwo\n")
    assert desk.read(path) == [b"two"]


def test_a_last_line_that_was_unfinished_is_not_read_twice(path: Path) -> None:
    path.write_bytes(b"one")
    desk = Desk()
    desk.read(path)
    path.write_bytes(b"one\ntwo\n")
    assert desk.read(path) == [b"two"]


def test_a_last_line_that_went_on_after_it_was_applied_is_refused(path: Path) -> None:
    path.write_bytes(b"one")
    desk = Desk()
    desk.read(path)
    path.write_bytes(b"one and a half\n")
    with pytest.raises(SourceError, match="whole lines"):
        desk.read(path)


def test_another_file_of_the_same_name_is_read_from_its_start(path: Path) -> None:
    path.write_bytes(b"one\ntwo\n")
    desk = Desk()
    desk.read(path)
    path.write_bytes(b"other\nlines\nhere\n")
    assert desk.read(path) == [b"other", b"lines", b"here"]
    assert desk.read(path) == []
    assert len(desk.positions) == 2


def test_the_same_file_by_another_way_is_the_same_file(path: Path, tmp_path: Path) -> None:
    path.write_bytes(b"one\n")
    link = tmp_path / "link"
    link.symlink_to(path)
    desk = Desk()
    desk.read(path)
    assert desk.read(link) == []


def test_it_says_when_it_is_at_its_end_and_can_be_placed_back(path: Path) -> None:
    path.write_bytes(b"one\ntwo\n")
    desk = Desk()
    source = FileSource(str(path), desk.position)
    source.open(desk)
    first, second = source.poll(10, 0)
    assert bool(source.exhausted)
    assert source.place(source.partition, second.offset - len(b"two"))
    assert not bool(source.exhausted)
    assert [one.value for one in source.poll(10, 0)] == [b"two"]
    assert first.offset < second.offset
    source.pause([source.partition])
    assert source.place(source.partition, 0)
    assert source.poll(10, 0) == ()
    source.resume([source.partition])
    assert len(source.poll(10, 0)) == 2
    source.close()


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        Desk().read(tmp_path / "missing")


def test_standard_input_that_is_a_file_has_that_files_position(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"one\n")
    desk = Desk()
    with path.open("rb") as stream:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream))
        desk.read(Path("-"))
        identity = next(iter(desk.positions.values())).topic_id or ""
    assert identity.startswith("4:")
