"""A file of operations (JSON lines) as a source with a durable position.

An offset is a line's last byte, so that the next line starts one further. The file is one topic,
named by a hash of its real path; its partition is the file's generation: when the content that was
there at the first run is no longer there, it is another file under the same name, and the next
generation starts at zero.
Standard input that is no regular file has no identity: each run of it is a stream of its own, and
only operation ids keep an operation from being applied twice.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from database_consumer.sources.base import Lag, Listener, Partition, SourceError
from database_consumer.stores.base import Position, Record

GENERATIONS = 10_000
MAX_LINE = 64 * 1024 * 1024
_BLOCK = 1 << 20
DIGEST = 40
"""Characters of a content's hash in its identity, which a store keeps in 64 (its size is there)."""


class FileSource:
    """See :class:`database_consumer.sources.base.Source`; one partition, always assigned.

    ``position`` asks the store where a topic's partition goes on.
    """

    def __init__(self, name: str, position: Callable[[str, int], Position | None]) -> None:
        self._name = name
        self._position = position
        self._stream: BinaryIO | None = None
        self._offset = 0
        self._ended = False
        self._paused = False
        self._identity = ""
        self.partition = Partition("", 0)
        self.size: int | None = None

    @property
    def exhausted(self) -> bool:
        """Whether the last line was delivered."""
        return self._ended

    def open(self, listener: Listener) -> None:
        """Open the file and find where it was left; :class:`SourceError` when it cannot be read."""
        try:
            self._stream = _open(self._name)
            regular = stat.S_ISREG(os.fstat(self._stream.fileno()).st_mode)
            if regular:
                self._identify(self._stream)
            else:
                self._identity = uuid.uuid4().hex
                self.partition = Partition(f"file:stdin-{self._identity}", 0)
        except OSError as error:
            raise SourceError(f"{self._name}: {error.strerror}") from error
        start = listener.assigned([self.partition]).get(self.partition)
        self.place(self.partition, start)

    def poll(self, limit: int, timeout: float) -> Sequence[Record]:
        """The next lines; a last line without its newline counts, blank lines are skipped."""
        if self._paused or self._ended or self._stream is None:
            time.sleep(timeout)
            return ()
        out: list[Record] = []
        taken = 0
        while len(out) < limit and taken < _BLOCK:
            line = self._stream.readline(MAX_LINE)
            if not line:
                self._ended = True
                break
            self._offset += len(line)
            taken += len(line)
            if value := line.strip():
                topic, partition = self.partition
                out.append(Record(topic, partition, self._offset - 1, None, value))
        return out

    def place(self, partition: Partition, offset: int | None) -> bool:
        """Go to the line that starts at ``offset``."""
        del partition
        if self._stream is not None and (offset or 0) != self._offset:
            if not self._stream.seekable():
                raise SourceError(f"{self._name} cannot be read from another place")
            self._offset = offset or 0
            self._stream.seek(self._offset)
            self._skip_to_line()
            self._ended = False
        return True

    def pause(self, partitions: Iterable[Partition]) -> None:
        """Deliver nothing."""
        self._paused = self._paused or self.partition in set(partitions)

    def resume(self, partitions: Iterable[Partition]) -> None:
        """Deliver again."""
        if self.partition in set(partitions):
            self._paused = False

    def hint(self, offsets: Mapping[Partition, int]) -> None:
        """Nobody to tell."""

    def topic_id(self, topic: str) -> str | None:
        """The size and the hash of what the file held at its first run."""
        del topic
        return self._identity

    def lag(self, partition: Partition) -> Lag | None:
        """In bytes; None for a stream."""
        del partition
        return None if self.size is None else Lag(low=0, high=self.size)

    def close(self) -> None:
        """Close the file, unless it is standard input."""
        if self._stream is not None and self._name != "-":
            self._stream.close()
        self._stream = None

    def _identify(self, stream: BinaryIO) -> None:
        """Finds this file's generation: the one whose first content is still there."""
        info = os.fstat(stream.fileno())
        self.size = info.st_size
        path = os.path.realpath("/dev/stdin" if self._name == "-" else self._name)
        topic = "file:" + hashlib.sha256(os.fsencode(path)).hexdigest()[:32]
        for generation in range(GENERATIONS):
            stored = self._position(topic, generation)
            if stored is None:
                self._identity = f"{self.size}:{_digest(stream, self.size)[:DIGEST]}"
                self.partition = Partition(topic, generation)
                break
            if _still_there(stream, stored.topic_id, self.size):
                self._identity = stored.topic_id or ""
                self.partition = Partition(topic, generation)
                break
        else:
            raise SourceError(f"{self._name} was replaced {GENERATIONS} times: use another name")
        stream.seek(0)

    def _skip_to_line(self) -> None:
        """A file that grew on its last, unfinished line goes on at the next whole one."""
        if self._offset == 0 or self._stream is None:
            return
        self._stream.seek(self._offset - 1)
        if self._stream.read(1) != b"\n":
            rest = self._stream.readline(MAX_LINE)
            if rest.strip():
                raise SourceError(
                    f"{self._name}: its last line was applied when it was not finished yet "
                    f"(byte {self._offset}); write whole lines"
                )
            self._offset += len(rest)


def _open(name: str) -> BinaryIO:
    return sys.stdin.buffer if name == "-" else Path(name).open("rb")


def _digest(stream: BinaryIO, size: int) -> str:
    found = hashlib.sha256()
    stream.seek(0)
    while size > 0 and (block := stream.read(min(_BLOCK, size))):
        found.update(block)
        size -= len(block)
    return found.hexdigest()


def _still_there(stream: BinaryIO, identity: str | None, size: int) -> bool:
    length, _, digest = (identity or "").partition(":")
    if not length.isdigit() or int(length) > size or len(digest) < DIGEST:
        return False
    return _digest(stream, int(length)).startswith(digest)
