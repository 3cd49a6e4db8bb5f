"""How far a wheel is proven: executed here, in place or emulated, else read; and why no further."""

from __future__ import annotations

from buildtools.proving.places import NoPlaceError, Place, fetch_place, find_place
from buildtools.proving.proof import Proof, Proven, laid_out, prove, read_only, trial
from buildtools.proving.trees import hosted_python

__all__ = [
    "NoPlaceError",
    "Place",
    "Proof",
    "Proven",
    "fetch_place",
    "find_place",
    "hosted_python",
    "laid_out",
    "prove",
    "read_only",
    "trial",
]
