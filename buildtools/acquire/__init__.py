"""A wheel for a driver: fetched through pip, or built from source and made self-contained."""

from buildtools.acquire.ahead import Ahead
from buildtools.acquire.build import build
from buildtools.acquire.fetch import fetch, resolve, resolve_sdist
from buildtools.acquire.request import (
    AcquiredWheel,
    AcquireError,
    Backend,
    Candidate,
    LibraryWay,
    OnEvent,
    WheelRequest,
)
from buildtools.acquire.tools import Tools

__all__ = [
    "AcquireError",
    "AcquiredWheel",
    "Ahead",
    "Backend",
    "Candidate",
    "LibraryWay",
    "OnEvent",
    "Tools",
    "WheelRequest",
    "build",
    "fetch",
    "resolve",
    "resolve_sdist",
]
