"""Fetching ahead: what a build will want later is had while an earlier step still runs.

Nothing depends on it. What it makes is made once and kept under a lock; the step that really wants
it waits there, or makes it itself, and says what went wrong.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from buildtools.errors import BuildtoolsError

if TYPE_CHECKING:
    from types import TracebackType


class Ahead:
    """Calls that run beside the block; its end waits for them, so that none outlives it.

    Their errors are passed over: the block meets them by itself. An interrupt waits for nothing.
    """

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self

    def start(self, call: Callable[[], object]) -> None:
        """Run ``call`` from now on."""
        thread = threading.Thread(target=_quietly, args=(call,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            return  # the process is about to end, and they with it
        for thread in self._threads:
            thread.join()


def _quietly(call: Callable[[], object]) -> None:
    try:
        call()
    except (BuildtoolsError, OSError, KeyboardInterrupt):
        return
