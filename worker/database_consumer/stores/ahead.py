"""The next batch is decoded while this one's commit is on its way to the disk.

A commit waits for the disk or the network and leaves the interpreter idle; decoding is the largest
part of a batch that needs no database. What is decoded depends on the record alone, so a guess that
was wrong costs nothing but itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from operator import is_

from database_consumer.stores.base import Coming, Record
from database_consumer.stores.creates import Prepared, items_of
from database_consumer.stores.item import Item

Prepare = Callable[[Sequence[Record]], Prepared]


class Ahead:
    """Records decoded in advance; used by one thread, works in another."""

    def __init__(self, prepare: Prepare) -> None:
        self._prepare = prepare
        self._threads: ThreadPoolExecutor | None = None
        self._coming: Future[tuple[Sequence[Record], Prepared]] | None = None

    def start(self, coming: Coming) -> None:
        """Decode these, from now on; what was decoded before and not asked for is forgotten."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(1, thread_name_prefix="decode-ahead")
        self._coming = self._threads.submit(self._decode, coming)

    def _decode(self, coming: Coming) -> tuple[Sequence[Record], Prepared]:
        records = coming()
        return records, self._prepare(records)

    def prepared(self, records: Sequence[Record]) -> Prepared:
        """These records decoded, in their order, here where that was not done in advance."""
        coming, self._coming = self._coming, None
        if coming is None:
            return self._prepare(records)
        guessed: Sequence[Record] = ()
        done: Prepared = []
        # what fails there fails here again, where it is told
        with contextlib.suppress(Exception):
            guessed, done = coming.result()
        if len(guessed) == len(records) and all(map(is_, guessed, records)):
            return done
        return self._mended(records, items_of(done))

    def _mended(self, records: Sequence[Record], done: list[Item]) -> Prepared:
        """Of a wrong guess what can be used; by the identity of the record, which is kept alive."""
        found = {id(one.record): one for one in done}
        missing = [one for one in records if id(one) not in found]
        if len(missing) == len(records):
            return self._prepare(records)
        if missing:
            found |= {id(one.record): one for one in items_of(self._prepare(missing))}
        return [found[id(one)] for one in records]

    def close(self) -> None:
        """End the thread."""
        threads, self._threads, self._coming = self._threads, None, None
        if threads is not None:
            threads.shutdown(wait=True, cancel_futures=True)
