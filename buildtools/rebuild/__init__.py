"""The main job: what is broken is mended, atomically, and everything is tried."""

from __future__ import annotations

from buildtools.rebuild.carrying_out import plan, rebuild
from buildtools.rebuild.request import (
    Ending,
    OnEvent,
    Outcome,
    RebuildRequest,
    StepOutcome,
)

__all__ = [
    "Ending",
    "OnEvent",
    "Outcome",
    "RebuildRequest",
    "StepOutcome",
    "plan",
    "rebuild",
]
