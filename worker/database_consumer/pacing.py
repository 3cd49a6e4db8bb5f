"""How many records a batch may hold: as many as commit within the wanted time. A pure value."""

from __future__ import annotations

from dataclasses import dataclass, replace

SMALLEST = 25
SMOOTHING = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """``limit`` records a batch, between 25 and ``most``, so that one takes ``target`` seconds.

    ``cost`` is the smoothed time per record in seconds, 0 before the first batch.
    """

    most: int
    target: float
    limit: int = 200
    cost: float = 0.0

    def after(self, records: int, seconds: float) -> Pace:
        """The pace after a batch of ``records`` took ``seconds``.

        Small batches are dominated by the commit itself and say little about a record's cost, so
        only batches of at least half the limit raise it. It at most doubles, and at most halves.
        """
        if records <= 0:
            return self
        if seconds <= self.target and records * 2 < self.limit:
            return self
        now = seconds / records
        cost = now if self.cost == 0 else self.cost * (1 - SMOOTHING) + now * SMOOTHING
        wanted = int(min(self.most, self.target / cost)) if cost > 0 else self.most
        limit = max(self.limit // 2, min(self.limit * 2, wanted))
        floor = min(SMALLEST, self.most)
        return replace(self, cost=cost, limit=max(floor, min(self.most, limit)))
