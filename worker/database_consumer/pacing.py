"""How many records a batch may hold: as many as commit within the wanted time. A pure value.

A batch's time is a fixed part (round trips, the commit itself) and a part for each record. Only
the second shrinks with the batch: a controller that blames all of it on the records would answer
a slow disk with small batches, and so make everything slower still.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

SMALLEST = 50
SMOOTHING = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """``limit`` records a batch, between 50 and ``most``, so that one takes ``target`` seconds.

    The other fields are smoothed moments of the batches so far (records, seconds, records squared,
    records times seconds), all 0 before the first.
    """

    most: int
    target: float
    limit: int = 200
    records: float = 0.0
    seconds: float = 0.0
    square: float = 0.0
    product: float = 0.0

    def after(self, records: int, seconds: float) -> Pace:
        """The pace after a batch of ``records`` took ``seconds``; at most doubled or halved."""
        if records <= 0:
            return self
        seen = self._with(records, seconds)
        fixed, each = seen.costs()
        if each <= 0:
            wanted = float(self.most)
        else:
            # where the fixed part alone takes most of the time, half of it must be of use
            wanted = min(self.most, max(self.target - fixed, fixed) / each)
        limit = max(self.limit // 2, min(self.limit * 2, int(wanted)))
        return replace(seen, limit=max(min(SMALLEST, self.most), min(self.most, limit)))

    def costs(self) -> tuple[float, float]:
        """The fixed part of a batch and that of each record, in seconds, by least squares."""
        if self.records <= 0:
            return 0.0, 0.0
        variance = self.square - self.records**2
        average = self.seconds / self.records
        if variance < 0.01 * self.records**2:
            return 0.0, average
        each = (self.product - self.records * self.seconds) / variance
        each = min(max(each, average / 100), average)
        return max(0.0, self.seconds - each * self.records), each

    def _with(self, records: int, seconds: float) -> Pace:
        if self.records == 0:
            return replace(
                self,
                records=float(records),
                seconds=seconds,
                square=float(records) ** 2,
                product=records * seconds,
            )

        def mixed(before: float, now: float) -> float:
            return before + SMOOTHING * (now - before)

        return replace(
            self,
            records=mixed(self.records, records),
            seconds=mixed(self.seconds, seconds),
            square=mixed(self.square, float(records) ** 2),
            product=mixed(self.product, records * seconds),
        )
