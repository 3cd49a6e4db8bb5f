"""A wheel held against its own words and against the target that it is for.

Nothing is imported and nothing is unpacked. What is found is returned; only what cannot be read at
all is raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

from buildtools.binaries import (
    Binary,
    BinaryFormat,
    BinaryInvalid,
    ModuleKind,
    ModuleName,
    module_name,
    read_binary,
)
from buildtools.compatibility import (
    Judgement,
    is_baseline,
    judge,
    module_entries,
    takes_any_release,
)
from buildtools.findings import Cause, Finding, Severity
from buildtools.recipes import Recipe
from buildtools.targets import (
    ARCHITECTURES,
    LibCFamily,
    OperatingSystem,
    Target,
    extension_suffixes,
    wheel_tags,
)
from buildtools.wheels.names import WheelInvalidError
from buildtools.wheels.reading import OpenWheel, WheelFile
from buildtools.wheels.tags import promised_targets

_FLOORS = frozenset({Cause.LIBC_TOO_OLD, Cause.LIBSTDCXX_TOO_OLD, Cause.MACOS_TOO_OLD})
"""What keeps a module from an older system, and not from the one that is asked about."""


_MACHINES = (
    *(f"_{arch}" for arches in ARCHITECTURES.values() for arch in arches),
    "_universal2",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Native:
    """One compiled file of the wheel: where it will lie, and what was read of it."""

    path: str
    name: ModuleName | None
    binary: Binary


def audit(path: Path, target: Target | None, recipe: Recipe | None = None) -> tuple[Finding, ...]:
    """Everything about a wheel that is not as it should be, worst first; empty when nothing is.

    Every content is held against RECORD; every compiled file against the wheel's own tags and, with
    ``target`` (which must then name a Python), against the target; with ``recipe`` the native
    modules that it requires must be there. A wheel with an error must not be trusted. Raises
    :class:`WheelInvalidError` for a file that is no wheel.
    """
    with OpenWheel(path) as opened:
        return audit_open(opened, target, recipe)


def audit_open(
    opened: OpenWheel, target: Target | None, recipe: Recipe | None = None
) -> tuple[Finding, ...]:
    """:func:`audit` of a wheel that is open already."""
    found: list[Finding] = []
    natives: list[_Native] = []
    for name, _, placed in opened.placed():
        try:
            content = opened.proven(name)
        except WheelInvalidError as error:
            found.append(_finding(opened, Cause.RECORD_MISMATCH, name, error.why))
            continue
        native = _native(placed, content)
        if isinstance(native, BinaryInvalid):
            found.append(_finding(opened, Cause.CORRUPT_BINARY, placed, native.reason))
        elif native is not None:
            natives.append(native)
    found.extend(_own_words(opened, natives))
    if target is not None:
        found.extend(_fits(opened.wheel, target))
        found.extend(_loads(opened, natives, target))
        if recipe is not None:
            found.extend(_complete(opened, natives, target, recipe))
    order = list(Severity)
    return tuple(
        sorted(dict.fromkeys(found), key=lambda one: (order.index(one.severity), one.path))
    )


def _native(path: str, content: bytes) -> _Native | BinaryInvalid | None:
    """A compiled file; what is wrong with one that only has the name; None for any other file."""
    filename = path.rpartition("/")[2]
    name = module_name(filename)
    if name is None and not content.startswith((b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba")):
        return None
    # Of these the symbols tell whether it is a module at all, and of which releases of Python.
    asked = takes_any_release(name)
    try:
        return _Native(path=path, name=name, binary=read_binary(BytesIO(content), symbols=asked))
    except BinaryInvalid as error:
        return error if name is not None else None


def _finding(
    opened: OpenWheel,
    cause: Cause,
    path: str,
    evidence: str,
    *,
    severity: Severity = Severity.ERROR,
    remedy: str = "Fetch or build the wheel again; do not install this one.",
) -> Finding:
    return Finding(
        cause=cause,
        severity=severity,
        path=f"{opened.path.name}: {path}" if path else opened.path.name,
        distribution=opened.wheel.name,
        evidence=evidence,
        remedy=remedy,
    )


def _judged(opened: OpenWheel, native: _Native, judgement: Judgement) -> Finding:
    return _finding(
        opened,
        judgement.cause,
        native.path,
        judgement.evidence,
        severity=judgement.severity,
        remedy=judgement.remedy,
    )


def _own_words(opened: OpenWheel, natives: list[_Native]) -> Iterator[Finding]:
    """Whether WHEEL, the file name and the compiled files tell one story."""
    wheel = opened.wheel
    inside, outside = set(wheel.tags), set(wheel.filename.tags)
    if inside.isdisjoint(outside):
        # Builders rename linux_x86_64 to manylinux_… and leave WHEEL as it was: installers go by
        # the name. Another Python or another machine is no such slip.
        slip = not {_kin(tag) for tag in inside}.isdisjoint({_kin(tag) for tag in outside})
        yield _finding(
            opened,
            Cause.WHEEL_TAG_MISMATCH,
            f"{wheel.dist_info}/WHEEL",
            f"the file is named for {', '.join(sorted(outside)[:3])}, WHEEL says "
            f"{', '.join(sorted(inside)[:3]) or 'nothing'}",
            severity=Severity.INFO if slip else Severity.ERROR,
        )
    platforms = {tag.rpartition("-")[2] for tag in outside}
    modules = [native for native in natives if native.name is not None]
    if platforms == {"any"}:
        for native in modules[:1]:
            yield _finding(
                opened,
                Cause.WHEEL_TAG_MISMATCH,
                native.path,
                "the tag promises every platform, and this is compiled code for one",
            )
        return
    for promised in promised_targets(platforms):
        for native in modules:
            yield from _broken_promises(opened, native, promised)


def _kin(tag: str) -> tuple[str, str, str]:
    """A tag without its floor and libc: Python, ABI, machine."""
    python, _, rest = tag.partition("-")
    abi, _, platform = rest.partition("-")
    machine = next((m for m in _MACHINES if platform.endswith(m)), platform)
    return python, abi, machine


def _broken_promises(opened: OpenWheel, native: _Native, promised: Target) -> Iterator[Finding]:
    if native.binary.format is BinaryFormat.PE:
        return
    libc = promised.libc
    for judgement in judge(native.binary, native.name, promised):
        if judgement.severity is Severity.INFO:
            continue
        if libc is not None and libc.version is None and judgement.cause is Cause.LIBC_MISMATCH:
            continue  # linux_x86_64 says nothing of the libc
        # A floor that is too low a promise hurts only there; the target is asked on its own.
        lenient = judgement.cause in _FLOORS
        yield _finding(
            opened,
            Cause.WHEEL_TAG_MISMATCH,
            native.path,
            f"the tag says {promised.name}; {judgement.evidence}",
            severity=Severity.WARNING if lenient else Severity.ERROR,
            remedy="Repair the wheel, so that its tag says what it needs.",
        )


def _fits(wheel: WheelFile, target: Target) -> Iterator[Finding]:
    """Whether the target's installers would take the wheel: its tags and its Requires-Python."""
    accepted = {"-".join(tag) for tag in wheel_tags(target)}
    if accepted.isdisjoint(wheel.filename.tags):
        yield Finding(
            cause=Cause.UNSUPPORTED_WHEEL,
            severity=Severity.ERROR,
            path=wheel.filename.filename,
            distribution=wheel.name,
            evidence=f"it is for {', '.join(wheel.filename.tags[:3])}; none of these is for "
            f"{target.spec}",
            remedy=f"Fetch or build the wheel for {target.spec}.",
        )
    if wheel.requires_python and target.python is not None:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        try:
            fits = SpecifierSet(wheel.requires_python).contains(f"{target.python.version}.99")
        except InvalidSpecifier:
            fits = True
        if not fits:
            yield Finding(
                cause=Cause.UNSUPPORTED_WHEEL,
                severity=Severity.ERROR,
                path=wheel.filename.filename,
                distribution=wheel.name,
                evidence=f"it requires Python {wheel.requires_python}, the target has "
                f"{target.python.version}",
                remedy=f"Take a version that is made for Python {target.python.version}.",
            )


def _loads(opened: OpenWheel, natives: list[_Native], target: Target) -> Iterator[Finding]:
    """Whether every compiled file would load on the target, as far as wheel and target tell."""
    carried = {native.path.rpartition("/")[2] for native in natives}
    carried |= {
        facts.soname for native in natives for facts in native.binary.slices if facts.soname
    }
    on_host = target.name == "host"
    imported = {key for native in natives if (key := _import_of(native, target))}
    for native in natives:
        spared = _is_another_pythons(native, imported, target)
        for judgement in judge(native.binary, native.name, target):
            severity = Severity.INFO if spared else judgement.severity
            yield _judged(opened, native, replace(judgement, severity=severity))
        if spared:
            continue
        facts = next((s for s in native.binary.slices if s.arch == target.arch), None)
        for needed in facts.needed if facts else ():
            name = needed.rpartition("/")[2] if target.os is OperatingSystem.DARWIN else needed
            if name in carried or is_baseline(needed, target) or name.startswith("libpython"):
                continue
            if target.libc and target.libc.family is LibCFamily.MUSL and name.startswith("libc."):
                continue
            # On this machine the loader and the probe have the last word; what only a bundled
            # library or plugin wants is missed by whoever loads that one.
            severity = Severity.ERROR if _is_module(native) else Severity.WARNING
            yield _finding(
                opened,
                Cause.MISSING_LIBRARY,
                native.path,
                f"it needs {name}, which is not in the wheel and not promised by {target.spec}",
                severity=Severity.INFO if on_host else severity,
                remedy="Repair the wheel, so that it carries what it needs.",
            )


def _import_of(native: _Native, target: Target) -> str:
    """The path without its suffix of what the target's Python would import; empty for the rest."""
    name, python = native.name, target.python
    if name is None or name.kind is not ModuleKind.EXTENSION or python is None:
        return ""
    suffixes = python.ext_suffixes or extension_suffixes(target, python)
    return native.path.removesuffix(name.suffix) if name.suffix in suffixes else ""


def _is_another_pythons(native: _Native, imported: AbstractSet[str], target: Target) -> bool:
    """Whether an import passes the file over, for one beside it that is the target's Python's.

    asyncmy's wheels for cp314t hold each module for cp314 as well.
    """
    if native.name is None or _import_of(native, target):
        return False
    return native.path.removesuffix(native.name.suffix) in imported


def _is_module(native: _Native) -> bool:
    """Whether an import could start here: a client's ``authentication_….so`` only has the name."""
    if native.name is None or native.name.kind is not ModuleKind.EXTENSION:
        return False
    defined = [facts.defined for facts in native.binary.slices if facts.defined is not None]
    return not defined or any(module_entries(native.name.stem) & one for one in defined)


def _complete(
    opened: OpenWheel, natives: list[_Native], target: Target, recipe: Recipe
) -> Iterator[Finding]:
    """Whether each native module that the recipe requires is there for the target's Python."""
    python = target.python
    if python is None:
        return
    whole = replace(python, ext_suffixes=python.ext_suffixes or extension_suffixes(target, python))
    held = {native.path for native in natives}
    for module in recipe.native:
        stem = module.module.replace(".", "/")
        # A package may be one module: apsw/__init__.cpython-311-….so.
        if any(
            f"{stem}{part}{suffix}" in held
            for part in ("", "/__init__")
            for suffix in whole.ext_suffixes
        ):
            continue
        yield _finding(
            opened,
            Cause.MISSING_NATIVE_MODULE if natives else Cause.PURE_FALLBACK,
            "",
            f"it has no {module.module} that {python.abi} on {target.spec} would import",
            severity=Severity.ERROR if module.required else Severity.WARNING,
            remedy=f"Build {recipe.driver} for {target.spec}.",
        )
