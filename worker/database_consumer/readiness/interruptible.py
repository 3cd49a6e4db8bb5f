"""A call into the client's own code, in which no signal is seen, as one that Ctrl-C ends."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def interruptible(call: Callable[[], T]) -> T:
    """What ``call`` gives or raises; it runs beside, and is left to itself after an interrupt.

    What it left holds only until its own time-out, and does not hold up the program's end.
    """
    ends: queue.SimpleQueue[tuple[T, None] | tuple[None, BaseException]] = queue.SimpleQueue()

    def beside() -> None:
        try:
            ends.put((call(), None))
        except BaseException as error:  # noqa: BLE001 -- it is raised where the call was made
            ends.put((None, error))

    threading.Thread(target=beside, daemon=True).start()
    found, error = ends.get()
    if error is not None:
        raise error
    return found  # type: ignore[return-value]
