"""When an operation that may mend is tried again: a pure value, no clock, no sleep."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """After ``base`` seconds, then twice as long each time, ``attempts`` times in all.

    The defaults give 5, 10, 20, 40 and 80 s. With ``attempts`` 0 nothing is tried again.
    """

    attempts: int = 5
    base: float = 5.0

    def __post_init__(self) -> None:
        if self.attempts < 0 or self.base < 0:
            raise ValueError(f"attempts and base must not be negative: {self}")

    def delay(self, made: int) -> float | None:
        """Seconds until the next try when ``made`` retries were made; None: there is none left."""
        return self.base * 2.0**made if made < self.attempts else None
