"""Moves what a JSON fallback store took in into the database, each operation once.

The log of the JSON store holds every batch as it came. They are applied again, in their order,
through the database's own fence and inbox: what the database had applied before the driver broke,
or an earlier run of this that was killed, is recognised and left out. Last of all the files get
another name; until then the whole may be done again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from database_consumer.stores.base import Batch, DeadLetter, Fenced, Position, Store, StoreError

if TYPE_CHECKING:
    from database_consumer.stores.jsonledger import JsonLedger

MOVED = ".migrated"
"""What the names of the moved files end with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What was moved: batches and records that the database did not have; others were known."""

    batches: int
    records: int
    known: int


def migrate_fallback(
    path: Path, target: Store, *, clock: Callable[[], float] = time.time
) -> Moved | None:
    """Move the store at ``path`` into ``target``; None when there is nothing to move.

    Raises :class:`StoreError` and leaves everything as it is, to be called again.
    """
    from database_consumer.entities.model import Catalogue
    from database_consumer.stores.jsonledger import JsonLedger, kept_batch
    from database_consumer.stores.jsonstate import read_entries

    log_path = path.with_name(path.name + ".log")
    if not log_path.exists():
        return None
    source = JsonLedger(path, Catalogue(()))
    source.begin()
    batches = records = known = 0
    try:
        groups: set[str] = set()
        with log_path.open("rb") as log:
            for _, _, entry in read_entries(log, 0, log_path):
                if "batch" not in entry:
                    continue
                batch, now = kept_batch(entry["batch"])
                groups.add(batch.group)
                taken = _apply(target, batch, now)
                batches += taken > 0 or not batch.records
                records += taken
                known += len(batch.records) - taken
        _settle_letters(source, target, clock())
        for group in sorted(groups):
            target.retry_parked(group, clock())
        _rename(path, log_path)
    finally:
        source.state.close()
    return Moved(batches=batches, records=records, known=known)


def _apply(target: Store, batch: Batch, now: float) -> int:
    """Apply what of a batch the target does not have; how many records that were."""
    for _ in range(10):
        position = target.position(batch.group, batch.topic, batch.partition)
        if position is not None and position.next_offset >= batch.next_offset:
            return 0
        rest = _rest(batch, position)
        if not isinstance(target.apply(rest, now=now), Fenced):
            return len(rest.records)
    raise StoreError("another worker writes the same partitions; stop it, then migrate again")


def _rest(batch: Batch, position: Position | None) -> Batch:
    if position is None:
        return replace(batch, expected=None)
    start = position.next_offset
    records = tuple(one for one in batch.records if one.offset >= start)
    return replace(batch, expected=start, records=records)


def _settle_letters(source: JsonLedger, target: Store, now: float) -> None:
    """What became of the dead letters in the meantime: published, replayed, purged."""
    state = {_place(one): one for one in source.letters()}
    purged = {tuple(one) for one in source.state.of("purged").values()} - set(state)
    after = 0
    while letters := target.dead_letters(after=after):
        after = letters[-1].id
        replays: list[int] = []
        for letter in letters:
            there = state.get(_place(letter))
            if there is None:
                continue
            if there.published_at is not None and letter.published_at is None:
                target.mark_published([letter.id], there.published_at)
            if there.replayed_at is not None and letter.replayed_at is None:
                replays.append(letter.id)
        gone = [one.id for one in letters if _place(one) in purged]
        if gone:
            target.purge_dead_letters(gone)
        if replays:
            target.replay(replays, now)


def _place(letter: DeadLetter) -> tuple[str, str, int, int, str]:
    return letter.group, letter.topic, letter.partition, letter.offset, letter.error_class


def _rename(path: Path, log_path: Path) -> None:
    """The snapshot first: without the log there is nothing left to move."""
    from database_consumer.stores.jsonstate import sync_folder

    with contextlib.suppress(FileNotFoundError):
        path.replace(path.with_name(path.name + MOVED))
    log_path.replace(log_path.with_name(log_path.name + MOVED))
    sync_folder(path.parent)
