"""The next batch is decoded while this one's commit is on its way to the disk.

A commit waits for the disk or the network and leaves the interpreter idle; decoding is the largest
part of a batch that needs no database. What is decoded depends on the record alone, so a guess that
was wrong costs nothing but itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from database_consumer.stores.base import Coming, Record
from database_consumer.stores.prepared import Item

Prepare = Callable[[Sequence[Record]], list[Item]]


class Ahead:
    """Records decoded in advance; used by one thread, works in another."""

    def __init__(self, prepare: Prepare) -> None:
        self._prepare = prepare
        self._threads: ThreadPoolExecutor | None = None
        self._coming: Future[dict[int, Item]] | None = None

    def start(self, coming: Coming) -> None:
        """Decode these, from now on; what was decoded before and not asked for is forgotten."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(1, thread_name_prefix="decode-ahead")
        self._coming = self._threads.submit(self._decode, coming)

    def _decode(self, coming: Coming) -> dict[int, Item]:
        """By the identity of the record, which its item keeps alive."""
        return {id(item.record): item for item in self._prepare(coming())}

    def items(self, records: Sequence[Record]) -> list[Item]:
        """These records decoded, in their order, here where that was not done in advance."""
        found: dict[int, Item] = {}
        coming, self._coming = self._coming, None
        if coming is not None:
            # what fails there fails here again, where it is told
            with contextlib.suppress(Exception):
                found = coming.result()
        missing = [one for one in records if id(one) not in found] if found else records
        if missing:
            found |= {id(item.record): item for item in self._prepare(missing)}
        return [found[id(one)] for one in records]

    def close(self) -> None:
        """End the thread."""
        threads, self._threads, self._coming = self._threads, None, None
        if threads is not None:
            threads.shutdown(wait=True, cancel_futures=True)
