"""Resolves needed libraries as the target's own loader would: glibc's, musl's, or dyld."""

from __future__ import annotations

from buildtools.loader.cache import parse_cache
from buildtools.loader.resolution import FactsReader, Found, Loader
from buildtools.loader.system import System, foreign_system, host_system

__all__ = [
    "FactsReader",
    "Found",
    "Loader",
    "System",
    "foreign_system",
    "host_system",
    "parse_cache",
]
