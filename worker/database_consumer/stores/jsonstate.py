"""The state of the JSON file store: named maps of JSON values, a log of changes, a snapshot.

Two files: ``PATH`` is a snapshot of everything (data, offsets, inbox, what waits), replaced
atomically; ``PATH.log`` gets one line for each transaction, fsynced before the transaction counts.
A line is ``crc32 length json``; one that was torn by a crash can only be the last and is cut off.
Damage before it is :class:`StoreCorrupt`, and nothing is touched. The log is never shortened: the
snapshot says from where on it is to be read, and the messages in it are what ``migrate-fallback``
moves.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from database_consumer.stores.base import StoreCorrupt, StoreUnavailable

FORMAT = 1
SNAPSHOT_FROM = 8 << 20
"""Bytes of log after which a snapshot is written, at least; and at least the last one's size."""

_MISSING: Any = object()

Watcher = Callable[[str, str, Any, Any], None]
"""Told of each change: map, key, value before (None: none), value after."""


def pack(value: Any) -> Any:
    """Bytes as an object that JSON can hold; everything else as it is."""
    if isinstance(value, bytes):
        return {"$b": base64.b64encode(value).decode()}
    return value


def unpack(value: Any) -> Any:
    """The other way."""
    if isinstance(value, dict) and len(value) == 1 and "$b" in value:
        return base64.b64decode(value["$b"])
    return value


class JsonState:
    """Maps in memory, and the two files behind them. One process at a time: the log is locked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log_path = path.with_name(path.name + ".log")
        self.maps: dict[str, dict[str, Any]] = {}
        self.watcher: Watcher | None = None
        self._log: BinaryIO | None = None
        self._length = 0
        self._snapshot_at = 0
        self._snapshot_size = 0
        self._undo: list[tuple[str, str, Any]] = []
        self._note: dict[str, Any] = {}

    # -- maps

    def of(self, name: str) -> dict[str, Any]:
        """One map, to be read."""
        found = self.maps.get(name)
        if found is None:
            found = self.maps[name] = {}
        return found

    def put(self, name: str, key: str, value: Any) -> None:
        """Set a value within the transaction; None deletes it."""
        entries = self.of(name)
        before = entries.get(key)
        self._undo.append((name, key, before))
        self._set(name, entries, key, before, value)

    def _set(self, name: str, entries: dict[str, Any], key: str, before: Any, value: Any) -> None:
        if value is None:
            entries.pop(key, None)
        else:
            entries[key] = value
        if self.watcher is not None:
            self.watcher(name, key, before, value)

    def mark(self) -> int:
        """Where the transaction stands, for :meth:`back_to`."""
        return len(self._undo)

    def back_to(self, mark: int) -> None:
        """Undo what was put since."""
        while len(self._undo) > mark:
            name, key, before = self._undo.pop()
            entries = self.of(name)
            self._set(name, entries, key, entries.get(key), before)

    def note(self, kind: str, content: Any) -> None:
        """Something to be kept in the log beside the transaction's changes."""
        self._note[kind] = content

    def discard(self) -> None:
        """Undo the transaction."""
        self.back_to(0)
        self._note = {}

    # -- files

    @property
    def is_open(self) -> bool:
        """Whether the files are in hand."""
        return self._log is not None

    def open(self) -> None:
        """Lock and read both files. Raises StoreUnavailable and StoreCorrupt."""
        self.close()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._log = self.log_path.open("a+b")
            _lock(self._log)
            self._read_snapshot()
            self._read_log()
        except OSError as error:
            self.close()
            raise StoreUnavailable(f"{self.path}: {error}") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Forget everything that is not in the files."""
        log, self._log = self._log, None
        self._undo.clear()
        self._note = {}
        if log is not None:
            log.close()

    def _read_snapshot(self) -> None:
        self.maps = {}
        self._snapshot_at = self._snapshot_size = 0
        try:
            encoded = self.path.read_bytes()
        except FileNotFoundError:
            return
        try:
            head, _, body = encoded.partition(b"\n")
            header = msgspec.json.decode(head)
            if header["format"] != FORMAT or header["crc32"] != binascii.crc32(body):
                raise StoreCorrupt(f"{self.path} is damaged, or of another release")
            self.maps = msgspec.json.decode(body, type=dict[str, dict[str, Any]])
            self._snapshot_at = int(header["log"])
            self._snapshot_size = len(encoded)
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
            raise StoreCorrupt(f"{self.path} is damaged: {error}") from error

    def _read_log(self) -> None:
        log = self._file()
        log.seek(0, os.SEEK_END)
        end = log.tell()
        if end < self._snapshot_at:
            raise StoreCorrupt(
                f"{self.log_path} is shorter than the snapshot says: {end} bytes of "
                f"{self._snapshot_at}"
            )
        good = self._snapshot_at
        for start, length, entry in read_entries(log, self._snapshot_at, self.log_path):
            good = start + length
            for name, key, value in entry["c"]:
                if value is None:
                    self.of(name).pop(key, None)
                else:
                    self.of(name)[key] = value
        if good < end:
            log.truncate(good)
            os.fsync(log.fileno())
        self._length = good

    def _file(self) -> BinaryIO:
        if self._log is None:
            raise StoreUnavailable(f"{self.path} is not open")
        return self._log

    def commit(self) -> None:
        """Make the transaction last: it counts when its line is on the disk."""
        if not self._undo and not self._note:
            return
        log = self._file()
        changed = {(name, key): None for name, key, _ in self._undo}
        entry = {
            "c": [[name, key, self.of(name).get(key)] for name, key in changed],
            **self._note,
        }
        line = encode_entry(entry)
        try:
            log.write(line)
            log.flush()
            os.fsync(log.fileno())
        except OSError as error:
            self.discard()
            with contextlib.suppress(OSError):
                log.truncate(self._length)
            self.close()
            raise StoreUnavailable(f"{self.log_path}: {error}") from error
        self._length += len(line)
        self._undo.clear()
        self._note = {}
        if self._length - self._snapshot_at > max(SNAPSHOT_FROM, self._snapshot_size):
            self.write_snapshot()

    def write_snapshot(self) -> None:
        """Everything into a new file that takes the old one's place at once."""
        body = msgspec.json.encode(self.maps)
        header = {"format": FORMAT, "crc32": binascii.crc32(body), "log": self._length}
        encoded = msgspec.json.encode(header) + b"\n" + body
        beside = self.path.with_name(self.path.name + ".new")
        try:
            with beside.open("wb") as file:
                file.write(encoded)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            raise StoreUnavailable(f"{self.path}: {error}") from error
        self._snapshot_at = self._length
        self._snapshot_size = len(encoded)


def encode_entry(entry: dict[str, Any]) -> bytes:
    """One line of the log."""
    body = msgspec.json.encode(entry)
    return b"%08x %d " % (binascii.crc32(body), len(body)) + body + b"\n"


def read_entries(
    log: BinaryIO, start: int, path: Path
) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Place, length and content of each whole line from ``start`` on.

    Ends before a torn last line. Raises :class:`StoreCorrupt` when others stand behind it.
    """
    log.seek(start)
    place = start
    while line := log.readline():
        entry = _entry(line)
        if entry is None:
            if log.readline():
                raise StoreCorrupt(f"{path} is damaged at byte {place}")
            return
        yield place, len(line), entry
        place += len(line)


def _entry(line: bytes) -> dict[str, Any] | None:
    crc, _, rest = line.partition(b" ")
    length, _, body = rest.partition(b" ")
    body = body.removesuffix(b"\n")
    if not line.endswith(b"\n") or not length.isdigit() or len(body) != int(length):
        return None
    if b"%08x" % binascii.crc32(body) != crc:
        return None
    decoded: dict[str, Any] = msgspec.json.decode(body)
    return decoded


def sync_folder(folder: Path) -> None:
    """A rename is on the disk when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock(file: BinaryIO) -> None:
    import fcntl

    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StoreUnavailable("another process has the JSON store open") from error
