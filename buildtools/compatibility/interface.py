"""Whether the target's CPython exports the names of its interface that a module wants.

A module whose name says a release (``.cpython-311-…``) is only taken by that one. One for the
limited API, or with a bare ``.so``, is taken by every release, and dlopen refuses it where a name
is missing: ``undefined symbol: PyDict_GetItemRef``. Source of the names: the symbol tables of
CPython's own builds (``scripts/python_symbols.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from buildtools.binaries import BinaryFacts, BinaryFormat, ModuleKind, ModuleName
from buildtools.compatibility.judgements import Judgement
from buildtools.findings import Cause, Severity
from buildtools.targets import Target, Version

_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceNames:
    """Names by the first and by the last release that exports them; both maps may lack a name."""

    since: Mapping[str, Version]
    until: Mapping[str, Version]


@cache
def interface_names() -> InterfaceNames:
    """The names of CPython's interface on which its releases differ."""
    text = files("buildtools").joinpath("data/python-symbols.txt").read_text(encoding="utf-8")
    tables: dict[str, dict[str, Version]] = {"since": {}, "until": {}}
    table, release = tables["since"], Version(major=3, minor=0)
    for line in text.splitlines():
        if line.startswith("  "):
            table[line[2:]] = release
        elif not line.startswith("#"):
            word, _, number = line.partition(" ")
            table, release = tables[word], Version.parse(number)
    return InterfaceNames(since=tables["since"], until=tables["until"])


def takes_any_release(name: ModuleName | None) -> bool:
    """Whether every CPython would take a module of that name, so that its symbols have to tell."""
    return name is not None and name.kind is ModuleKind.EXTENSION and name.python is None


def judge_interface(
    facts: BinaryFacts, name: ModuleName | None, target: Target
) -> tuple[Judgement, ...]:
    """The names that the target's release does not export; nothing where symbols were not read."""
    python = target.python
    if python is None or python.implementation != "cpython" or python.free_threaded or python.debug:
        return ()
    if not facts.undefined or not takes_any_release(name):
        return ()
    wanted = facts.undefined
    if facts.format is BinaryFormat.MACHO:
        wanted = frozenset(symbol.removeprefix("_") for symbol in wanted)
    known = interface_names()
    absent = {
        symbol: f"since {known.since[symbol]}"
        for symbol in wanted
        if symbol in known.since and known.since[symbol] > python.version
    } | {
        symbol: f"until {known.until[symbol]}"
        for symbol in wanted
        if symbol in known.until and known.until[symbol] < python.version
    }
    if not absent:
        return ()
    told = [f"{symbol} (in CPython {when})" for symbol, when in sorted(absent.items())[:_SHOWN]]
    more = f" and {len(absent) - _SHOWN} more" if len(absent) > _SHOWN else ""
    return (
        Judgement(
            cause=Cause.ABI_MISMATCH,
            severity=Severity.ERROR,
            evidence=f"undefined symbol: {', '.join(told)}{more}; the target is "
            f"CPython {python.version}",
            remedy=f"Install a build for {python.abi} in its place.",
        ),
    )
