"""Whether an interpreter would take a module: by its name, and by the Python it was linked to.

An extension whose suffix is another interpreter's is not broken, it is invisible: the import says
"No module named". Source: PEP 3149, PEP 703, PEP 803, CPython's ``dynload_shlib.c``.
"""

from __future__ import annotations

import re

from buildtools.binaries import BinaryFacts, ModuleKind, ModuleName
from buildtools.compatibility.judgements import Judgement
from buildtools.findings import Cause, Severity
from buildtools.targets import PythonAbi, Target, Version, extension_suffixes

_ABI3T_SINCE = Version(major=3, minor=15)
_LIBPYTHON = re.compile(
    r"(?:.*/)?(?:libpython|Python3?\.framework/Versions/)(?P<version>3\.\d{1,2})(?P<flags>[td]{0,2})"
    r"(?:\.so.*|\.dylib|/Python3?)"
)


def judge_python(facts: BinaryFacts, name: ModuleName, target: Target) -> tuple[Judgement, ...]:
    """Whether the target's Python would find the module and may load it."""
    python = target.python
    if python is None or name.kind is not ModuleKind.EXTENSION:
        return ()
    why: str | None = None
    if name.abi3:
        why = _limited_api_in_the_way(name, python)
    elif name.python is not None and (
        (name.python, name.free_threaded) != (python.tag, python.free_threaded)
        or (name.debug and not python.debug)
    ):
        why = "the import says “No module named”"
    if why is None:
        return _judge_linked(facts, python)
    evidence = f"{name.suffix} is {_promised(name)}, the target is {_words(python)}: {why}"
    return (_mismatch(evidence, python.abi),)


def judge_suffix(name: ModuleName, target: Target) -> tuple[Judgement, ...]:
    """Whether a module that would load is seen at all: its name may promise another platform."""
    python = target.python
    if python is None or name.kind is not ModuleKind.EXTENSION:
        return ()
    suffixes = python.ext_suffixes or extension_suffixes(target, python)
    if name.suffix in suffixes or (name.abi3 and name.platform is None):
        return ()
    if python.debug and not name.debug:  # takes those of a release build too
        return ()
    evidence = (
        f"the file is for this platform, but {python.abi} imports {', '.join(suffixes)} "
        f"and not {name.suffix}: the import says “No module named”"
    )
    return (_mismatch(evidence, target.spec),)


def _mismatch(evidence: str, wanted: str) -> Judgement:
    return Judgement(
        cause=Cause.ABI_MISMATCH,
        severity=Severity.ERROR,
        evidence=evidence,
        remedy=f"Install the build for {wanted} in its place.",
    )


def _limited_api_in_the_way(name: ModuleName, python: PythonAbi) -> str | None:
    """Why a module for the limited API is of no use to this Python; None when it is."""
    if name.platform is not None and python.version < _ABI3T_SINCE:
        return "a platform behind abi3 begins with Python 3.15, the import says “No module named”"
    if name.free_threaded:
        if python.version >= _ABI3T_SINCE:
            return None
        return "abi3t begins with Python 3.15, before it the import says “No module named”"
    if not python.free_threaded:
        return None
    if python.version >= _ABI3T_SINCE:
        return "a free-threaded Python does not look for abi3, the import says “No module named”"
    return "loaded into a free-threaded Python it fails or crashes"


def _judge_linked(facts: BinaryFacts, python: PythonAbi) -> tuple[Judgement, ...]:
    """A module may be linked to one Python's library, whatever its name says."""
    for library in facts.needed:
        match = _LIBPYTHON.fullmatch(library)
        if match is None:
            continue
        if (match["version"], "t" in match["flags"]) != (str(python.version), python.free_threaded):
            evidence = f"it is linked to {library}, the target is {_words(python)}"
            return (_mismatch(evidence, python.abi),)
    return ()


def _promised(name: ModuleName) -> str:
    """What a module's name says it was built for."""
    if name.abi3:
        kind = "free-threaded builds (abi3t)" if name.free_threaded else "builds with a GIL (abi3)"
        return f"the limited API for {kind}"
    match = re.fullmatch(r"(?P<what>\D+)(?P<major>\d)(?P<minor>\d*)", name.python or "")
    if match is None:
        return "for any Python"
    what = {"cp": "CPython", "pp": "PyPy", "graalpy": "GraalPy"}.get(match["what"], match["what"])
    return f"for {_flagged(what, name)} {match['major']}.{match['minor']}"


def _words(python: PythonAbi) -> str:
    what = {"cpython": "CPython", "pypy": "PyPy"}.get(python.implementation, python.implementation)
    return f"{_flagged(what, python)} {python.version}"


def _flagged(what: str, flags: ModuleName | PythonAbi) -> str:
    words = ["free-threaded"] if flags.free_threaded else []
    if flags.debug:
        words.append("debug")
    return " ".join([*words, what])
