"""Whether the libraries that the loader would take hold what a module wants of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from buildtools.binaries import BinaryFacts, BinaryFormat
from buildtools.compatibility.baselines import may_stand_there
from buildtools.compatibility.judgements import Judgement, Resolved, ResolvedLibrary
from buildtools.compatibility.runtimes import PRIVATE
from buildtools.findings import Cause, Severity
from buildtools.targets import LibCFamily, Target

Libraries = tuple[ResolvedLibrary, ...]

_SHOWN = 3
"""How many names of a long list a sentence can bear."""

_FAMILIES = {
    "GLIBC_": Cause.LIBC_TOO_OLD,
    "GLIBCXX_": Cause.LIBSTDCXX_TOO_OLD,
    "CXXABI_": Cause.LIBSTDCXX_TOO_OLD,
    "GCC_": Cause.LIBSTDCXX_TOO_OLD,
}


class LibraryJudge:
    """Judges what modules need, and what their libraries lack of each other but once.

    Modules by the hundred share the tuple of their libraries, whose identity stands for them.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._between: dict[int, tuple[Libraries, tuple[Judgement, ...]]] = {}

    def judge(self, needs: Resolved) -> tuple[Judgement, ...]:
        """Missing libraries, versions that a library does not define, symbols that none defines.

        Versions are compared where the library's facts are given (musl's loader passes over them);
        symbols only where the module's were read (``undefined``), and only those that no versioned
        library promises. A missing library of the desktop kind is a warning when the target's own
        libraries are not known.
        """
        target, libraries = self._target, needs.libraries
        found = [_missing(name, wanted_by, target) for name, wanted_by in needs.missing]
        if target.libc is None or target.libc.family is not LibCFamily.MUSL:
            found.extend(_versions("it", needs.module, {one.name: one for one in libraries}))
            known = self._between.get(id(libraries))
            if known is None:
                # The tuple is kept, so that no other takes its place and its identity.
                known = self._between[id(libraries)] = (libraries, tuple(_between(libraries)))
            found.extend(known[1])
        if not needs.missing:
            found.extend(_symbols(needs))
        return tuple(found)


def judge_libraries(needs: Resolved, target: Target) -> tuple[Judgement, ...]:
    """One module's libraries: see :meth:`LibraryJudge.judge`."""
    return LibraryJudge(target).judge(needs)


def _missing(name: str, wanted_by: str, target: Target) -> Judgement:
    unsure = may_stand_there(name, target)
    return Judgement(
        cause=Cause.MISSING_LIBRARY,
        severity=Severity.WARNING if unsure else Severity.ERROR,
        evidence=f"{wanted_by} needs {name}, which is in no folder that the loader searches",
        remedy=f"Install a self-contained build, or the package that brings {name}.",
    )


def _between(libraries: Libraries) -> Iterator[Judgement]:
    by_name = {library.name: library for library in libraries}
    for library in libraries:
        if library.facts is not None:
            yield from _versions(library.name, library.facts, by_name)


def _versions(
    who: str, facts: BinaryFacts, libraries: Mapping[str, ResolvedLibrary]
) -> Iterator[Judgement]:
    """What ``version `X' not found`` will say, before it does."""
    seen: set[tuple[Cause, str]] = set()
    for need in facts.version_needs:
        library = libraries.get(need.library)
        if library is None or library.facts is None:
            continue
        lacking = _not_defined(need.versions, library.facts)
        for cause, versions in _by_cause(lacking).items():
            key = (cause, need.library)
            if key not in seen:
                seen.add(key)
                yield _lacking(cause, who, library, versions)


def _not_defined(wanted: tuple[str, ...], library: BinaryFacts) -> list[str]:
    """The versions that glibc's loader will not find in a library.

    A library that defines none is taken for one that does, as long as it has a table of versions at
    all (for those that it wants itself); without one the loader ends the process with
    "Inconsistency detected by ld.so" (glibc 2.36, ``check_match`` in elf/dl-lookup.c).
    """
    defined = library.version_definitions
    if not defined and library.version_needs:
        return []
    return [version for version in wanted if version not in defined]


def _by_cause(versions: list[str]) -> dict[Cause, list[str]]:
    sorted_out: dict[Cause, list[str]] = {}
    for version in versions:
        cause = next(
            (cause for prefix, cause in _FAMILIES.items() if version.startswith(prefix)),
            Cause.MISSING_SYMBOL,
        )
        sorted_out.setdefault(cause, []).append(version)
    return sorted_out


def _lacking(cause: Cause, who: str, library: ResolvedLibrary, versions: list[str]) -> Judgement:
    where = library.path or library.name
    private = versions == [PRIVATE]
    return Judgement(
        cause=cause,
        severity=Severity.WARNING if private else Severity.ERROR,
        evidence=f"{who} needs {_list(versions)} of {library.name}; {where} does not define it",
        remedy=f"Install a build that takes this {library.name}, or a newer {library.name}.",
    )


def _symbols(needs: Resolved) -> Iterator[Judgement]:
    module = needs.module
    wanted = module.unversioned if module.unversioned is not None else module.undefined
    if not wanted or module.format is not BinaryFormat.ELF:
        return
    given: set[str] = set(module.defined or ())
    interpreter_known = False
    for library in needs.libraries:
        if library.facts is None or library.facts.defined is None:
            if library.how == "interpreter" or _all_versioned(module, library.name):
                continue
            return
        given |= library.facts.defined
        interpreter_known = interpreter_known or library.how == "interpreter"
    lacking = wanted - given
    if not interpreter_known:
        lacking = frozenset(name for name in lacking if not _is_pythons(name))
    if lacking:
        yield Judgement(
            cause=Cause.MISSING_SYMBOL,
            severity=Severity.ERROR,
            evidence=f"undefined symbol: {_list(sorted(lacking))}; no library that it needs has it",
            remedy="Install a build made against the libraries that stand here.",
        )


def _all_versioned(module: BinaryFacts, name: str) -> bool:
    """Whether what the module wants of a library that was not read carries versions."""
    if module.unversioned is None:
        return False
    return any(need.library == name for need in module.version_needs)


def _is_pythons(name: str) -> bool:
    return name.startswith(("Py", "_Py"))


def _list(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    more = len(names) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
