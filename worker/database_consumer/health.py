"""Whether the database can be written to: one state, told by checks and by batches.

The state machine is pure: times come in, transitions come out. :class:`DatabaseHealth` puts a lock
around it so that the appliers can wait for the database's return.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from enum import StrEnum


class DatabaseState(StrEnum):
    """What is known of the database."""

    HEALTHY = "healthy"
    AWAY = "away"
    TRIAL = "trial"
    """A check succeeded after a batch had failed: one batch decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthView:
    """The state and its times (seconds since the epoch); ``reason`` is the last failure's."""

    state: DatabaseState = DatabaseState.AWAY
    since: float = 0.0
    last_check: float = 0.0
    reason: str = "not checked yet"
    announced: bool = False

    @property
    def healthy(self) -> bool:
        """Whether batches may flow."""
        return self.state is DatabaseState.HEALTHY


class Change(StrEnum):
    """A change of state that is announced."""

    NONE = "none"
    AWAY = "database unhealthy"
    BACK = "database healthy again"
    FIRST = "connected"


def after_success(
    view: HealthView, now: float, *, by_batch: bool, trial: bool
) -> tuple[HealthView, Change]:
    """A check or a batch succeeded; ``trial``: somebody holds a batch that had failed."""
    checked = replace(view, last_check=now)
    if view.healthy:
        return checked, Change.NONE
    if trial and not by_batch:
        return replace(checked, state=DatabaseState.TRIAL), Change.NONE
    change = Change.BACK if view.announced else Change.FIRST
    return replace(
        checked, state=DatabaseState.HEALTHY, since=now, reason="", announced=True
    ), change


def after_failure(view: HealthView, now: float, reason: str) -> tuple[HealthView, Change]:
    """A check or a batch failed for a systemic reason."""
    checked = replace(view, last_check=now, reason=reason)
    if view.state is DatabaseState.HEALTHY or not view.announced:
        return replace(checked, state=DatabaseState.AWAY, since=now, announced=True), Change.AWAY
    return replace(checked, state=DatabaseState.AWAY), Change.NONE


class DatabaseHealth:
    """The state, shared by threads."""

    def __init__(self, *, now: float) -> None:
        self._view = HealthView(since=now, last_check=now)
        self._changed = threading.Condition()
        self._holding = 0
        self._stopped = False

    @property
    def view(self) -> HealthView:
        """The state now."""
        with self._changed:
            return self._view

    def succeeded(self, now: float, *, by_batch: bool) -> Change:
        """See :func:`after_success`."""
        with self._changed:
            self._view, change = after_success(
                self._view, now, by_batch=by_batch, trial=self._holding > 0
            )
            self._changed.notify_all()
            return change

    def failed(self, now: float, reason: str) -> Change:
        """See :func:`after_failure`."""
        with self._changed:
            self._view, change = after_failure(self._view, now, reason)
            self._changed.notify_all()
            return change

    def wait_for_try(self, timeout: float) -> bool:
        """Waits, holding a failed batch, until it may be tried again."""
        with self._changed:
            self._holding += 1
            try:
                return self._changed.wait_for(
                    lambda: self._stopped or self._view.state is not DatabaseState.AWAY, timeout
                )
            finally:
                self._holding -= 1

    def wait_change(self, timeout: float) -> None:
        """Waits for any change, or the time."""
        with self._changed:
            if not self._stopped:
                self._changed.wait(timeout)

    def stop(self) -> None:
        """Whoever waits returns."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
