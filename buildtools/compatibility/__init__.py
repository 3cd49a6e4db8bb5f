"""What a binary's facts mean on a target: values in, judgements out."""

from buildtools.compatibility.baselines import (
    DESKTOP_LIBRARIES,
    baseline_libraries,
    is_baseline,
)
from buildtools.compatibility.interface import takes_any_release
from buildtools.compatibility.judgements import Judgement, Resolved, ResolvedLibrary
from buildtools.compatibility.libraries import LibraryJudge, judge_libraries
from buildtools.compatibility.modules import judge, module_entries
from buildtools.compatibility.runtimes import glibc_floor, libc_family

__all__ = [
    "DESKTOP_LIBRARIES",
    "Judgement",
    "LibraryJudge",
    "Resolved",
    "ResolvedLibrary",
    "baseline_libraries",
    "glibc_floor",
    "is_baseline",
    "judge",
    "judge_libraries",
    "libc_family",
    "module_entries",
    "takes_any_release",
]
