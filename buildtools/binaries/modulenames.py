"""What a native file's name promises: for which Python, which ABI, which platform.

Source: PEP 3149 (tags in file names), PEP 703 (free-threaded), PEP 803 (``abi3t``), CPython's
``dynload_shlib.c`` and ``dynload_win.c``, and PyPy's ``importlib`` suffixes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class ModuleKind(StrEnum):
    """A Python extension, a plain shared library, or a Node addon."""

    EXTENSION = "extension"
    LIBRARY = "library"
    NODE = "node"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleName:
    """The promise of a file name.

    ``stem`` and ``suffix`` joined are the name. ``python`` is a wheel's short tag (``cp311``,
    ``pp310``), without the flags that ``free_threaded`` and ``debug`` hold; None when any Python
    takes the file. ``platform`` is as it stands in the name: ``aarch64-linux-gnu``, ``darwin``,
    ``win_amd64``. A name such as ``libfoo.so`` may be a library or a plain extension; it counts as
    a library when it begins with ``lib`` or carries a soname's number.
    """

    stem: str
    suffix: str
    kind: ModuleKind
    python: str | None = None
    abi3: bool = False
    free_threaded: bool = False
    debug: bool = False
    platform: str | None = None


_STEM = r"(?P<stem>[^/\\\0]+?)"
_TAGGED = re.compile(
    _STEM + r"(?P<suffix>\.(?:"
    r"cpython-(?P<cpython>\d{2,4})(?P<flags>[tdmu]{0,3})"
    r"|pypy(?P<pypy>\d{2,4})-(?:pypy_|pp)?\d+"
    r"|graalpy\d*-(?P<graalpy>\d{2,4})(?:-native)?"
    r"|(?P<abi3>abi3)(?P<abi3t>t)?"
    r")(?:-(?P<platform>[A-Za-z0-9_-]+))?\.so)",
    re.ASCII,
)
_WINDOWS = re.compile(
    _STEM + r"(?P<suffix>(?P<debug>_d)?"
    r"(?:\.cp(?P<cpython>\d{2,4})(?P<flags>t?)-(?P<platform>\w+))?\.pyd)",
    re.ASCII,
)
_PLAIN = re.compile(
    _STEM + r"(?P<suffix>\.so|\.so(?:\.\d+)+|(?:\.\d+)*\.dylib|\.dll|\.node)", re.ASCII
)


def module_name(filename: str) -> ModuleName | None:
    """What a file name (no folders) promises; None when it is no native file's name."""
    if filename.endswith(".pyd"):
        match = _WINDOWS.fullmatch(filename)
        return _windows(match) if match else None
    match = _TAGGED.fullmatch(filename)
    if match:
        return _tagged(match)
    match = _PLAIN.fullmatch(filename)
    return _plain(match) if match else None


def _tagged(match: re.Match[str]) -> ModuleName:
    flags = match["flags"] or ""
    python = None
    for prefix, group in (("cp", "cpython"), ("pp", "pypy"), ("graalpy", "graalpy")):
        if match[group]:
            python = prefix + match[group]
    return ModuleName(
        stem=match["stem"],
        suffix=match["suffix"],
        kind=ModuleKind.EXTENSION,
        python=python,
        abi3=match["abi3"] is not None,
        free_threaded="t" in flags or match["abi3t"] is not None,
        debug="d" in flags,
        platform=match["platform"],
    )


def _windows(match: re.Match[str]) -> ModuleName:
    return ModuleName(
        stem=match["stem"],
        suffix=match["suffix"],
        kind=ModuleKind.EXTENSION,
        python=f"cp{match['cpython']}" if match["cpython"] else None,
        free_threaded=match["flags"] == "t",
        debug=match["debug"] is not None,
        platform=match["platform"],
    )


def _plain(match: re.Match[str]) -> ModuleName:
    stem, suffix = match["stem"], match["suffix"]
    if suffix == ".node":
        kind = ModuleKind.NODE
    elif suffix == ".so" and not stem.startswith("lib"):
        kind = ModuleKind.EXTENSION
    else:
        kind = ModuleKind.LIBRARY
    return ModuleName(stem=stem, suffix=suffix, kind=kind)
