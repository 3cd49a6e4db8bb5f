"""The static audit: which native modules of an environment or artefact would not load, and why."""

from __future__ import annotations

from buildtools.doctor.context import Beside
from buildtools.doctor.examine import examine
from buildtools.doctor.report import Provider, Report, Scanned

__all__ = ["Beside", "Provider", "Report", "Scanned", "examine"]
