"""Signals: the first one asks the worker to end in order, within a deadline; the second ends it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from database_consumer.logs import logger

_GRACE = 1.0


class Signals:
    """Installs handlers for SIGTERM and SIGINT; handlers only set a flag and start a timer."""

    def __init__(self, stop: Callable[[], None], *, deadline: float) -> None:
        self._stop = stop
        self._deadline = deadline
        self._received = 0
        self._timer: threading.Timer | None = None
        self.interrupted = False

    def install(self) -> None:
        """From now on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def done(self) -> None:
        """The worker has ended: the deadline is off."""
        if self._timer is not None:
            self._timer.cancel()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._received += 1
        if self._received > 1:
            os._exit(130)
        self.interrupted = number == signal.SIGINT
        self._stop()
        self._timer = threading.Timer(self._deadline + _GRACE, _give_up)
        self._timer.daemon = True
        self._timer.start()


def _give_up() -> None:
    logger("signals").error("shutdown deadline passed: ended without waiting any longer")
    os._exit(1)
