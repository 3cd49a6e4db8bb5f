"""Does what is installed agree with what its distribution says: RECORD and the tags in WHEEL."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
from collections.abc import Iterable
from typing import BinaryIO

from buildtools.archives import Files
from buildtools.environment import Distribution, RecordRow
from buildtools.errors import CannotLookError
from buildtools.findings import Cause, Finding, Severity
from buildtools.targets import LibCFamily, OperatingSystem, PythonAbi, Target, Version

TOUCHED_SECONDS = 2.0
"""A file changed this much later than its RECORD was not written by the installer."""

_CHUNK = 1 << 20


def record_findings(distribution: Distribution, files: Files, shown: str) -> list[Finding]:
    """Native files that RECORD lists and that are gone, or are not what it lists.

    Sizes are always compared; on disk the hash only of files that changed after RECORD was
    written, which an installer writes last; in an archive always. ``shown`` is the site folder as
    a person is to read it, with a ``/`` at its end or empty.
    """
    findings: list[Finding] = []
    written = _changed(distribution.record_path) if files.on_disk else None
    for path, row in distribution.natives.items():
        try:
            why = _difference(files, path, row, written)
        except FileNotFoundError:
            # A link to nothing is there: the judgement of the file itself says so.
            if row.size != 0 and not (files.on_disk and os.path.islink(path)):  # noqa: PTH114
                findings.append(_gone(distribution, shown, row))
            continue
        if why:
            findings.append(
                Finding(
                    cause=Cause.RECORD_MISMATCH,
                    severity=Severity.WARNING,
                    path=shown + row.path,
                    distribution=distribution.name,
                    evidence=why,
                    remedy="It is not the file that was installed: install it again.",
                )
            )
    return findings


def _gone(distribution: Distribution, shown: str, row: RecordRow) -> Finding:
    return Finding(
        cause=Cause.RECORD_MISMATCH,
        severity=Severity.WARNING,
        path=shown + row.path,
        distribution=distribution.name,
        evidence=f"found nothing; RECORD lists {row.size} bytes",
        remedy="The file was removed after it was installed: install it again.",
    )


def _difference(files: Files, path: str, row: RecordRow, written: float | None) -> str:
    """What differs, in words; empty when nothing does, or nothing can be said.

    Raises ``FileNotFoundError`` for a file that is gone.
    """
    try:
        if files.on_disk:
            status = os.stat(path)  # noqa: PTH116 - one call for size and time
            size, changed = status.st_size, max(status.st_ctime, status.st_mtime)
            if row.size >= 0 and size != row.size:
                return f"found {size} bytes; RECORD lists {row.size}"
            if written is None or changed <= written + TOUCHED_SECONDS:
                return ""
        with files.open(path) as stream:
            if row.size >= 0 and (size := stream.seek(0, io.SEEK_END)) != row.size:
                return f"found {size} bytes; RECORD lists {row.size}"
            stream.seek(0)
            return _hash_difference(stream, row)
    except FileNotFoundError:
        raise
    except (OSError, CannotLookError):
        return ""  # unreadable: the judgement of the file itself says so


def _hash_difference(stream: BinaryIO, row: RecordRow) -> str:
    if not row.digest:
        return ""
    digest = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    found = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
    if found == row.digest.rstrip("="):
        return ""
    return f"found sha256={found[:16]}…; RECORD lists sha256={row.digest[:16]}…"


def _changed(path: str) -> float | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - text in
    except OSError:
        return None
    return max(status.st_ctime, status.st_mtime)


def tag_finding(
    distribution: Distribution,
    target: Target,
    shown: str,
    *,
    broken: bool,
    installed: bool,
    named: str = "",
) -> Finding | None:
    """The distribution's tags, when none of them fits the target.

    ``broken`` says that its modules were found not to load there: the tags then only confirm it.
    What is not ``installed`` but lies there as a wheel, no installer would take; ``named`` is the
    tag in that wheel's file name, which is what an installer goes by.
    """
    tags = (named,) if named else distribution.tags
    if not tags or any(tag_fits(tag, target) for tag in tags):
        return None
    found = f"found a wheel tagged {', '.join(tags[:3])}; requires one for {target.spec}"
    severity = Severity.WARNING if installed else Severity.ERROR
    return Finding(
        cause=Cause.WHEEL_TAG_MISMATCH,
        severity=Severity.INFO if broken else severity,
        path=shown + distribution.info.rpartition("/")[2],
        distribution=distribution.name,
        evidence=found if installed else f"{found}: pip says “is not a supported wheel”",
        remedy="It was installed from a wheel for another place: install the one for this target."
        if installed
        else "Take the wheel for this target.",
    )


def tag_fits(tag: str, target: Target) -> bool:
    """Whether an installer on the target would take a wheel with this tag (PEP 425, PEP 600)."""
    parts = tag.split("-")
    if len(parts) != 3:  # noqa: PLR2004 - python, abi, platform
        return False
    pythons, abis, platforms = (part.split(".") for part in parts)
    return any(_platform_fits(platform, target) for platform in platforms) and (
        target.python is None or _python_fits(pythons, abis, target.python)
    )


_PYTHON_TAG = re.compile(r"(?P<kind>py|cp)(?P<major>\d)(?P<minor>\d{0,2})")


def _python_fits(pythons: Iterable[str], abis: Iterable[str], python: PythonAbi) -> bool:
    abis = set(abis)
    for tag in pythons:
        match = _PYTHON_TAG.fullmatch(tag)
        if match is None or int(match["major"]) != python.version.major:
            continue
        minor = int(match["minor"] or 0)
        exact = minor == python.version.minor
        if python.abi in abis and exact and match["kind"] == "cp":
            return True
        if "none" in abis and (exact or (match["kind"] == "py" and minor <= python.version.minor)):
            return True
        stable = "abi3t" if python.free_threaded else "abi3"
        if stable in abis and minor <= python.version.minor:
            return True
    return False


_LINUX_TAG = re.compile(
    r"(?P<kind>manylinux|musllinux)_(?P<major>\d+)_(?P<minor>\d+)_(?P<arch>\w+)"
)
_LEGACY = {"manylinux1_": (2, 5), "manylinux2010_": (2, 12), "manylinux2014_": (2, 17)}
_MAC_TAG = re.compile(r"macosx_(?P<major>\d+)_(?P<minor>\d+)_(?P<arch>\w+)")
_MAC_FAT = {
    "x86_64": {"x86_64", "universal2", "intel", "fat64", "fat3", "universal"},
    "arm64": {"arm64", "universal2"},
}


def _platform_fits(tag: str, target: Target) -> bool:
    if tag == "any":
        return True
    if target.os is OperatingSystem.DARWIN:
        match = _MAC_TAG.fullmatch(tag)
        if match is None or match["arch"] not in _MAC_FAT.get(target.arch, {target.arch}):
            return False
        floor = Version(major=int(match["major"]), minor=int(match["minor"]))
        return target.min_os is None or floor <= target.min_os
    if tag == f"linux_{target.arch}":
        return True
    return _linux_fits(tag, target)


def _linux_fits(tag: str, target: Target) -> bool:
    musl = target.libc is not None and target.libc.family is LibCFamily.MUSL
    floor_known = target.libc.version if target.libc else None
    for prefix, (major, minor) in _LEGACY.items():
        if tag == prefix + target.arch:
            return not musl and _covers(floor_known, Version(major=major, minor=minor))
    match = _LINUX_TAG.fullmatch(tag)
    if match is None or match["arch"] != target.arch or (match["kind"] == "musllinux") != musl:
        return False
    return _covers(floor_known, Version(major=int(match["major"]), minor=int(match["minor"])))


def _covers(has: Version | None, wants: Version) -> bool:
    return has is None or wants <= has
