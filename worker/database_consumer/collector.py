"""Python's cycle collector, set for a process that makes many short-lived values.

A batch makes thousands of values without cycles; at the usual threshold of 700 the collector looks
through them, and now and then through all modules, for nothing.
"""

from __future__ import annotations

import gc

THRESHOLDS = (50_000, 20, 50)
"""Container objects more than were freed before the youngest generation is looked at, and so on."""


def calm_collector() -> None:
    """Leave what is loaded now out of all collections, and collect seldom. For a whole process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
