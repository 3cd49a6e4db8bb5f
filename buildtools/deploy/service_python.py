"""Which Python a service gets: ``PYTHON_VERSION``, ``.python-version``, and what is wrong with it.

Source: Render's page on Python versions. ``PYTHON_VERSION`` takes a whole version and beats
``.python-version``; 3.7.3 is the oldest there is. ``runtime.txt`` is Heroku's, and not read there.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from buildtools.archives import Files
from buildtools.archives.files import join
from buildtools.configuration import version_words
from buildtools.deploy.service_roots import Part, parts_of, python_services
from buildtools.errors import CannotLookError
from buildtools.findings import Cause, Finding, Severity
from buildtools.targets import PythonAbi, Version

OLDEST = (3, 7, 3)
"""The oldest Python that Render has."""
OWN_OLDEST = (3, 11)
"""The oldest Python that this tool, and so its build command, runs on."""
NEWEST_KNOWN = (3, 15)
"""The newest Python that was released when this was written (PEP 790)."""

_VERSION = re.compile(r"(?:python-|cpython-)?(\d{1,3})(?:\.(\d{1,3}))?(?:\.(\d{1,4}))?")


_LONGEST = 4096
"""Bytes that are read of a file that holds a version."""


class Where(StrEnum):
    """The places that say it, in the order in which they win."""

    BLUEPRINT = "PYTHON_VERSION of render.yaml"
    FILE = ".python-version"
    CONFIGURATION = "python of [tool.buildtools.render]"
    RUNTIME = "runtime.txt"

    @property
    def path(self) -> str:
        """The file that it stands in."""
        files = {"BLUEPRINT": "render.yaml", "CONFIGURATION": "pyproject.toml"}
        return files.get(self.name, self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """A version as it stands somewhere; ``parts`` are its numbers, empty when it is none.

    ``number`` is what YAML reads instead of the text, ``more`` how many versions stand below it,
    ``encoding`` what the file is written in where that is no plain UTF-8; ``path`` is the file, as
    seen from the service's folder.
    """

    where: Where
    text: str
    number: str = ""
    more: int = 0
    encoding: str = ""
    path: str = ""

    @property
    def parts(self) -> tuple[int, ...]:
        """Its one to three numbers."""
        match = _VERSION.fullmatch(self.text)
        return tuple(int(part) for part in match.groups() if part) if match else ()

    @property
    def abi(self) -> PythonAbi | None:
        """The Python that this would be; None where the text is no version with a minor one."""
        if len(self.parts) < 2 or self.parts[0] != 3:  # noqa: PLR2004 - major and minor of 3.x
            return None
        return PythonAbi(version=Version(major=3, minor=self.parts[1]))


def render_table(files: Files, root: str) -> dict[str, object]:
    """``[tool.buildtools.render]`` as it stands in the tree; empty when it is not readable."""
    text = files.text(join(root, "pyproject.toml"))
    if "tool.buildtools" not in text:
        return {}
    try:
        table = tomllib.loads(text).get("tool", {}).get("buildtools", {}).get("render", {})
    except (tomllib.TOMLDecodeError, AttributeError):
        return {}
    return table if isinstance(table, dict) else {}


def deployed_parts(files: Files, root: str) -> tuple[Part, ...]:
    """What the Blueprint in a tree deploys of it; the whole tree where it has none."""
    services = python_services(files.text(join(root, "render.yaml")))
    parts = parts_of(services, render_table(files, root).get("name"))
    there = [part for part in parts if not part.folder or files.names(join(root, part.folder))]
    return tuple(there) or (Part(),)


def stated_pythons(files: Files, root: str, part: Part | None = None) -> tuple[Stated, ...]:
    """What the tree says about a service's Python, best first.

    ``root`` is the folder of the service; without ``part`` it is the repository's, and what its
    services agree on counts.
    """
    if part is None:
        parts = deployed_parts(files, root)
        versions = {one.python: one for one in parts if one.python is not None}
        part = next(iter(versions.values())) if len(versions) == 1 else Part()
        part = Part(services=part.services)
    said: list[Stated] = []
    if part.python is not None:
        path = join(part.top, Where.BLUEPRINT.path)
        version = part.python
        said.append(
            Stated(where=Where.BLUEPRINT, text=version.text, number=version.number, path=path)
        )
    said += _in_file(files, root, Where.FILE)
    table = render_table(files, root)
    if table.get("python"):
        said.append(
            Stated(
                where=Where.CONFIGURATION,
                text=str(table["python"]),
                path=Where.CONFIGURATION.path,
            )
        )
    return (*said, *_in_file(files, root, Where.RUNTIME))


def _in_file(files: Files, root: str, where: Where) -> Iterator[Stated]:
    """The version in a file: its first line that is neither empty nor a comment."""
    if where.path not in files.names(root):
        return
    try:
        with files.open(join(root, where.path)) as stream:
            content = stream.read(_LONGEST)
    except (OSError, CannotLookError):
        return
    versions, encoding = version_words(content)
    if versions:
        more = len(set(versions)) - 1
        yield Stated(where=where, text=versions[0], more=more, encoding=encoding, path=where.path)


def python_findings(said: Sequence[Stated], *, uses_hook: bool) -> Iterator[Finding]:
    """Versions that the service does not have, that are not whole, or that contradict each other.

    ``uses_hook``: this tool's build command runs there.
    """
    read = [one for one in said if one.where is not Where.RUNTIME]
    for one in read:
        finding = _wrong(one, uses_hook=uses_hook)
        if finding is not None:
            severity, evidence, remedy = finding
            yield _finding(one.path, severity, evidence, remedy)
        elif one.more:
            yield _finding(
                one.path,
                Severity.WARNING,
                f"found {one.more + 1} versions in {one.where}, of which a service has one",
                f"Leave {one.text} alone in the file.",
            )
    versions = [one for one in read if one.abi is not None]
    for other in versions[1:]:
        first = versions[0]
        if other.abi != first.abi:
            yield _finding(
                other.path,
                Severity.WARNING,
                f"{other.where} says {other.text}, {first.where} says {first.text}, which wins",
                "Let both name the same Python.",
            )
    for unread in said:
        if unread.where is Where.RUNTIME:
            yield _unread(unread, versions)


def _unread(unread: Stated, versions: Sequence[Stated]) -> Finding:
    """``runtime.txt``: another service's file. A note where the Python is the one that is had."""
    same = bool(versions) and versions[0].abi == unread.abi
    taken = f"{versions[0].where} says {versions[0].text}" if versions else "nothing else names one"
    return _finding(
        unread.path,
        Severity.INFO if same else Severity.WARNING,
        f"found {unread.text!r} in runtime.txt, which Render does not read; {taken}",
        "Write the version into .python-version, without the prefix, and remove runtime.txt.",
    )


def _wrong(  # noqa: PLR0911 - one return for each thing that may be wrong
    one: Stated, *, uses_hook: bool
) -> tuple[Severity, str, str] | None:
    """The worst that is to be said of one version."""
    parts = one.parts
    said = f"found {one.text!r} as {one.where}"
    whole = 'Write a whole version of CPython, such as "3.13.4".'
    if one.number:
        why = f"found {one.text} without quotes as {one.where}: YAML reads the number {one.number}"
        return Severity.ERROR, why, whole
    if one.encoding:
        return Severity.ERROR, f"{said}, in a file with {one.encoding}", "Save it as plain UTF-8."
    if len(parts) < 2 or parts[0] != 3:  # noqa: PLR2004 - major and minor of 3.x
        return Severity.ERROR, f"{said}, which is no Python that Render has{_why(one.text)}", whole
    if parts < OLDEST[: len(parts)]:
        oldest = ".".join(map(str, OLDEST))
        return Severity.ERROR, f"{said}; Render has none older than {oldest}", whole
    if parts[:2] < OWN_OLDEST:
        severity = Severity.ERROR if uses_hook else Severity.WARNING
        return severity, f"{said}; this tool's build command requires 3.11 or newer", whole
    if parts[:2] > NEWEST_KNOWN:
        newest = ".".join(map(str, NEWEST_KNOWN))
        return Severity.WARNING, f"{said}; no Python newer than {newest} was known", whole
    if len(parts) < len(OLDEST):
        if one.where is Where.FILE:
            return Severity.INFO, f"{said}: the patch version is left to the service", whole
        return Severity.ERROR, f"{said}; Render requires a whole version there", whole
    return None


_KINDS = (
    (r"(?i)(pypy|graalpy|jython|micropython|stackless|ironpython)", "not CPython"),
    (r"(?i)(mini|ana|mamba)(conda|forge)", "a distribution of conda's"),
    (r"system", "the Python of one machine"),
    (r"(?:python-|cpython-)?3\.\d+(\.\d+)?(t|\+freethreaded)", "a build without a GIL"),
    (r"3\.\d+(\.\d+)?-?(a|b|rc|dev|alpha|beta)", "no release"),
    (r"[<>=~!^]", "a range, where one version is wanted"),
    (r"[\"']", "in quotes, which belong to YAML and not here"),
    (r".*[A-Za-z]", "a name on one machine, such as one of pyenv's environments"),
)


def _why(text: str) -> str:
    """What a text is that is no version, in words to follow others."""
    return next((f" ({words})" for pattern, words in _KINDS if re.match(pattern, text)), "")


def _finding(path: str, severity: Severity, evidence: str, remedy: str) -> Finding:
    return Finding(
        cause=Cause.ABI_MISMATCH, severity=severity, path=path, evidence=evidence, remedy=remedy
    )
