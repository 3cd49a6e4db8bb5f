"""The cache in this process: the same rules as the script, for the demo and for unit tests."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from database_consumer.cache.base import CacheKind, Entry, EpochMoved, Found


class MemoryCache:
    """See :class:`database_consumer.cache.base.Cache`; entries do not expire."""

    kind = CacheKind.MEMORY

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._epoch = ""
        self._held: dict[str, tuple[int, str]] = {}

    def epoch(self) -> str | None:
        """See the protocol."""
        with self._lock:
            return self._epoch or None

    def raise_epoch(self, now: float, known: str | None) -> str:
        """See the protocol."""
        with self._lock:
            if self._epoch and self._epoch != (known or ""):
                return self._epoch
            self._epoch = str(max(int(now * 1000), int(self._epoch or "0") + 1))
            self._held.clear()
            return self._epoch

    def get(self, suffix: str) -> Found:
        """See the protocol."""
        with self._lock:
            if not self._epoch:
                return Found(epoch=None)
            version, payload = self._held.get(suffix, (None, ""))
            return Found(epoch=self._epoch, version=version, payload=payload)

    def put(self, entries: Sequence[Entry], epoch: str) -> int:
        """See the protocol."""
        written = 0
        with self._lock:
            if not self._epoch or epoch != self._epoch:
                raise EpochMoved
            for entry in entries:
                there = self._held.get(entry.suffix)
                payload = entry.payload
                text = payload if isinstance(payload, str) else payload.decode()
                again = there == (entry.version, "") and text != ""
                if there is None or again or entry.version > there[0]:
                    self._held[entry.suffix] = (entry.version, text)
                    written += 1
        return written

    def rows(self) -> dict[str, str]:
        """Every live value by its suffix."""
        with self._lock:
            return {name: text for name, (_, text) in self._held.items() if text}

    def close(self) -> None:
        """Nothing to let go of."""
