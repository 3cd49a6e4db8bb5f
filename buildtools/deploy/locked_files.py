"""What a tree's locks and requirements say of any target: wheels, Pythons, paths that miss it."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Sequence

from buildtools.archives import Files
from buildtools.archives.files import join
from buildtools.deploy.foreign_locks import FOREIGN_LOCKS, UNREAD_LOCKS, lacking
from buildtools.deploy.requirement_files import USUAL, requirement_findings
from buildtools.findings import Cause, Finding, Severity
from buildtools.targets import Target, marker_environment

_PYLOCK = re.compile(r"pylock(\.[^.]+)?\.toml")
"""PEP 751 lets a project have several."""


def locked_findings(
    files: Files, root: str, named: Sequence[str], target: Target
) -> Iterator[Finding]:
    """What other tools' locks, and requirement files, would not give the target.

    ``named`` are the requirement files that are known to be installed, relative to ``root``;
    where there are none the usual one is taken. Without a Python in the target nothing is said of
    wheels.
    """
    names = files.names(root)
    yield from _unread(names, target)
    yield from _conda(names)
    if target.python is None:
        return
    environment = marker_environment(target, f"{target.python.version}.99")
    locks = [name for name in FOREIGN_LOCKS if name in names]
    locks += sorted(name for name in names if _PYLOCK.fullmatch(name) and name not in locks)
    for name in locks:
        text = files.text(join(root, name))
        missed = tuple(_other_python(name, _python_of_lock(text), target))
        # A lock for other Pythons lists none of this one's wheels: that is one finding, not fifty.
        yield from missed or _lacking(name, text, target, environment)
    if "Pipfile.lock" in names:
        wanted = _python_of_pipfile(files.text(join(root, "Pipfile.lock")))
        yield from _other_python("Pipfile.lock", wanted, target)
    if "pyproject.toml" in names and not locks:
        wanted = _python_of_project(files.text(join(root, "pyproject.toml")))
        yield from _other_python("pyproject.toml", wanted, target)
    entries = tuple(named) or (USUAL,)
    yield from requirement_findings(files, root, entries, target, environment)


def _unread(names: frozenset[str], target: Target) -> Iterator[Finding]:
    """Locks that say too little to read wheels off them."""
    for name in UNREAD_LOCKS:
        if name in names:
            yield Finding(
                cause=Cause.NO_MATCHING_DISTRIBUTION,
                severity=Severity.INFO,
                path=name,
                evidence=f"{name} names no files, so whether wheels fit cannot be read off it",
                remedy="Lock for the target with hashes to be told.",
                command=f"buildtools lock --target {target.spec}",
            )


def _conda(names: frozenset[str]) -> Iterator[Finding]:
    """An environment that pip does not read; nothing to say where there is one for pip too."""
    listed = sorted(names & {"environment.yml", "environment.yaml"})
    if listed and names.isdisjoint({USUAL, "pyproject.toml", "setup.py", "Pipfile"}):
        yield Finding(
            cause=Cause.NO_MATCHING_DISTRIBUTION,
            severity=Severity.INFO,
            path=listed[0],
            evidence=f"{listed[0]} is conda's, and nothing beside it says what pip would install",
            remedy="Name the distributions of the index in requirements.txt.",
        )


def _lacking(
    name: str, text: str, target: Target, environment: dict[str, str]
) -> Iterator[Finding]:
    """What a lock would have compiled on the target, or not be had there at all."""
    for one in lacking(text, target, environment):
        way = "it would be compiled there" if one.sdist else "and no sources either"
        yield Finding(
            cause=Cause.NO_MATCHING_DISTRIBUTION,
            severity=Severity.WARNING if one.sdist else Severity.ERROR,
            path=name,
            distribution=one.name,
            evidence=f"{one.name} {one.version} is locked without a wheel for {target.spec}, {way}",
            remedy="Choose a version that has one, or let this tool make one.",
            command=f"buildtools wheel {one.name}=={one.version} --target {target.spec}",
        )


def _other_python(name: str, wanted: str, target: Target) -> Iterator[Finding]:
    """A file that is for other Pythons than the target's: its installer refuses to go on."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    if not wanted or target.python is None:
        return
    version = target.python.version
    try:
        specifier = SpecifierSet(wanted)
    except InvalidSpecifier:
        return
    # A late patch release, and an early one: a bound such as <=3.12 or >3.12.0 may lie between.
    if any(specifier.contains(f"{version}.{patch}", prereleases=True) for patch in (99, 9, 0)):
        return
    yield Finding(
        cause=Cause.ABI_MISMATCH,
        severity=Severity.WARNING,
        path=name,
        evidence=f"{name} is for Python {wanted}; the target has {version}",
        remedy="Give the service a Python that it takes, or lock it anew.",
    )


def _python_of_lock(text: str) -> str:
    """The Pythons that a lock of uv, PEP 751 or Poetry is for; empty where it does not say."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return ""
    metadata = document.get("metadata")
    poetry = metadata.get("python-versions") if isinstance(metadata, dict) else None
    wanted = document.get("requires-python", poetry)
    return _plain(wanted) if isinstance(wanted, str) else ""


def _python_of_project(text: str) -> str:
    """``requires-python`` of a project's own table (PEP 621); empty where it does not say."""
    try:
        project = tomllib.loads(text).get("project")
    except tomllib.TOMLDecodeError:
        return ""
    wanted = project.get("requires-python") if isinstance(project, dict) else None
    return wanted if isinstance(wanted, str) else ""


def _python_of_pipfile(text: str) -> str:
    """The one Python that a ``Pipfile.lock`` requires, as a specifier."""
    try:
        required = json.loads(text)["_meta"]["requires"]
        version = str(required.get("python_full_version") or required.get("python_version") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    match = re.match(r"\d+\.\d+", version)
    return f"=={match[0]}.*" if match else ""


def _plain(wanted: str) -> str:
    """Poetry's ``^3.11`` and ``~3.11`` as PEP 440 has them; empty for alternatives (``||``)."""
    if "|" in wanted:
        return ""
    parts = []
    for part in (one.strip() for one in wanted.split(",")):
        match = re.fullmatch(
            r"(?P<sign>[~^])\s*(?P<major>\d+)(?:\.(?P<minor>\d+))?(?:\.\d+)*", part
        )
        if match is None:
            parts.append("" if part == "*" else part)
            continue
        lowest = part[1:].strip()
        major, minor = int(match["major"]), match["minor"]
        above = (
            f"{major + 1}" if match["sign"] == "^" or minor is None else f"{major}.{int(minor) + 1}"
        )
        parts += [f">={lowest}", f"<{above}"]
    return ",".join(part for part in parts if part)
