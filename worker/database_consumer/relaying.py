"""The threads that run the relays, each with a store of its own: one cannot hold up the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from database_consumer.health import DatabaseHealth
from database_consumer.logs import Repeats, logger
from database_consumer.stores.base import Store, StoreUnavailable

IDLE_SECONDS = 1.0

_log = logger("relay")


class RelayThread(threading.Thread):
    """Runs ``step`` while it finds something to do; is woken, and looks once a second."""

    def __init__(
        self,
        name: str,
        store: Store,
        health: DatabaseHealth,
        step: Callable[[Store], int],
        *,
        check: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._store = store
        self._health = health
        self._step = step
        self._check = check
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._check_wanted = threading.Event()
        self._repeats = Repeats()

    def wake(self) -> None:
        """Something was committed."""
        self._wake.set()

    def check(self) -> None:
        """Look after the other side at the next round, even with nothing to tell."""
        self._check_wanted.set()
        self._wake.set()

    def stop(self) -> None:
        """One last round, then end."""
        self._stopping.set()
        self._wake.set()

    def run(self) -> None:
        """Until stopped; the store is closed on the way out."""
        with suppress(StoreUnavailable):
            self._store.open()
        try:
            while True:
                last = self._stopping.is_set()
                self._round(last=last)
                if last:
                    return
                self._wake.wait(IDLE_SECONDS)
                self._wake.clear()
        finally:
            self._store.close()

    def _round(self, *, last: bool) -> None:
        if not self._health.view.healthy:
            return
        try:
            if self._check is not None and self._check_wanted.is_set():
                self._check_wanted.clear()
                self._check()
            while self._step(self._store) > 0 and (last or not self._stopping.is_set()):
                pass
            self._repeats.forget()
        except StoreUnavailable as error:
            _log.debug("relay waits for the database", why=str(error))
        except Exception as error:  # noqa: BLE001 -- the outbox is the retry, whatever went wrong
            _log.error("relay failed, tried again", relay=self.name, **self._repeats.told(error))
