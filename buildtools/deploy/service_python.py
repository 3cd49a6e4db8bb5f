"""Which Python a service gets: ``PYTHON_VERSION``, ``.python-version``, and what is wrong with it.

Source: Render's page on Python versions. ``PYTHON_VERSION`` takes a whole version and beats
``.python-version``; 3.7.3 is the oldest there is.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import yaml

from buildtools.archives import Files
from buildtools.archives.files import join
from buildtools.deploy.blueprint_reading import (
    BlueprintUnreadable,
    Fields,
    composed,
    fields_of,
    text_of,
)
from buildtools.findings import Cause, Finding, Severity
from buildtools.targets import PythonAbi, Version

OLDEST = (3, 7, 3)
"""The oldest Python that Render has."""
OWN_OLDEST = (3, 11)
"""The oldest Python that this tool, and so its build command, runs on."""
NEWEST_KNOWN = (3, 15)
"""The newest Python that was released when this was written (PEP 790)."""

_VERSION = re.compile(r"(?:python-|cpython-)?(\d{1,3})(?:\.(\d{1,3}))?(?:\.(\d{1,4}))?")


class Where(StrEnum):
    """The places that say it, in the order in which they win."""

    BLUEPRINT = "PYTHON_VERSION of render.yaml"
    FILE = ".python-version"
    CONFIGURATION = "python of [tool.buildtools.render]"

    @property
    def path(self) -> str:
        """The file that it stands in."""
        return {"BLUEPRINT": "render.yaml", "FILE": ".python-version"}.get(
            self.name, "pyproject.toml"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """A version as it stands somewhere; ``parts`` are its numbers, empty when it is none."""

    where: Where
    text: str

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


def stated_pythons(files: Files, root: str) -> tuple[Stated, ...]:
    """What the tree says about the service's Python, best first."""
    table = render_table(files, root)
    name = table.get("name")
    said = [
        Stated(where=Where.BLUEPRINT, text=text)
        for text in _blueprint(files.text(join(root, "render.yaml")), name)
    ]
    lines = (
        line.partition("#")[0].strip()
        for line in files.text(join(root, ".python-version")).splitlines()
    )
    said += [Stated(where=Where.FILE, text=line) for line in [line for line in lines if line][:1]]
    if table.get("python"):
        said.append(Stated(where=Where.CONFIGURATION, text=str(table["python"])))
    return tuple(said)


def _blueprint(text: str, name: object) -> Iterator[str]:
    """``PYTHON_VERSION`` of the service of that name, else of the only service that has one."""
    if "PYTHON_VERSION" not in text:
        return
    try:
        root = composed(text)
    except BlueprintUnreadable:
        return  # `render check` says what is wrong with it
    found: dict[object, str] = {}
    for service in _items(fields_of(root), "services") if root else ():
        fields = fields_of(service)
        for variable in _items(fields, "envVars"):
            texts = {key: text_of(value) for key, (_, value) in fields_of(variable).items()}
            if texts.get("key") == "PYTHON_VERSION":
                found[text_of(fields["name"][1]) if "name" in fields else None] = (
                    texts.get("value") or ""
                )
    if name in found:
        yield found[name]
    elif len(set(found.values())) == 1:
        yield next(iter(found.values()))


def python_findings(said: Sequence[Stated], *, uses_hook: bool) -> Iterator[Finding]:
    """Versions that the service does not have, that are not whole, or that contradict each other.

    ``uses_hook``: this tool's build command runs there.
    """
    for one in said:
        finding = _wrong(one, uses_hook=uses_hook)
        if finding is not None:
            severity, evidence, remedy = finding
            yield _finding(one.where.path, severity, evidence, remedy)
    versions = [one for one in said if one.abi is not None]
    for other in versions[1:]:
        first = versions[0]
        if other.abi != first.abi:
            yield _finding(
                other.where.path,
                Severity.WARNING,
                f"{other.where} says {other.text}, {first.where} says {first.text}, which wins",
                "Let both name the same Python.",
            )


def _wrong(  # noqa: PLR0911 - one return for each thing that may be wrong
    one: Stated, *, uses_hook: bool
) -> tuple[Severity, str, str] | None:
    """The worst that is to be said of one version."""
    parts = one.parts
    said = f"found {one.text!r} as {one.where}"
    whole = 'Write a whole version of CPython, such as "3.13.4".'
    if len(parts) < 2 or parts[0] != 3:  # noqa: PLR2004 - major and minor of 3.x
        return Severity.ERROR, f"{said}, which is no Python that Render has", whole
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


def _finding(path: str, severity: Severity, evidence: str, remedy: str) -> Finding:
    return Finding(
        cause=Cause.ABI_MISMATCH, severity=severity, path=path, evidence=evidence, remedy=remedy
    )


def _items(fields: Fields, name: str) -> Sequence[yaml.Node]:
    listed = fields[name][1] if name in fields else None
    return listed.value if isinstance(listed, yaml.SequenceNode) else ()
