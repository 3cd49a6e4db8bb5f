"""A sign of life for long work: what each of several jobs does, and for how long it has."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

from buildtools.report import Screen

if TYPE_CHECKING:
    from types import TracebackType

QUIET_SECONDS = 20.0
"""After so long without a word, a job that is still at it says so again."""

_ENDS = frozenset({"failed", "done", "executed", "static", "runner"})


class Pulse:
    """Passes events on to a screen, and repeats those of jobs that have been silent for long.

    A terminal's live lines show the time by themselves; in a log a C file that compiles for a
    minute would look like a hang. A context manager: its thread ends with the block.
    """

    def __init__(self, screen: Screen, *, quiet_seconds: float = QUIET_SECONDS) -> None:
        self._screen = screen
        self._quiet = quiet_seconds
        self._guard = threading.Lock()
        self._ended = threading.Event()
        self._doing: dict[str, tuple[str, str, float | None, float, float]] = {}
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def event(self, name: str, stage: str, detail: str = "", fraction: float | None = None) -> None:
        """One event of a job, as :meth:`Screen.event` takes it."""
        now = time.monotonic()
        with self._guard:
            if stage in _ENDS:
                self._doing.pop(name, None)
            else:
                self._doing[name] = (stage, detail, fraction, now, now)
        self._screen.event(name, stage, detail, fraction)

    def _beat(self) -> None:
        while not self._ended.wait(min(1.0, self._quiet / 4)):
            now = time.monotonic()
            for name, (stage, detail, fraction, since, said) in self._silent(now):
                self._screen.event(name, stage, f"{detail} ({now - since:.0f} s)", fraction)
                with self._guard:
                    if name in self._doing and self._doing[name][3] == since:
                        self._doing[name] = (stage, detail, fraction, since, now)
                del said

    def _silent(self, now: float) -> list[tuple[str, tuple[str, str, float | None, float, float]]]:
        with self._guard:
            return [item for item in self._doing.items() if now - item[1][4] >= self._quiet]
