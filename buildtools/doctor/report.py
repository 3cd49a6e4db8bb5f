"""What an examination gives."""

from __future__ import annotations

from dataclasses import dataclass

from buildtools.findings import Finding, Severity
from buildtools.targets import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """How much was looked at: native files, their bytes, wall seconds."""

    modules: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Where an import comes from: the copy that would be loaded, and those that it hides."""

    name: str
    path: str
    origin: str
    """Why that place is searched, in words: ``user site``, ``site-packages``, …"""
    version: str = ""
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The findings, worst first, and who provides what."""

    target: Target
    scanned: Scanned
    findings: tuple[Finding, ...]
    providers: tuple[Provider, ...]

    def worst(self) -> Severity | None:
        """The severity of the worst finding; None without findings."""
        return self.findings[0].severity if self.findings else None
