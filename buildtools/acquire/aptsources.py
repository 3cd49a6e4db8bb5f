"""The machine's own apt sources, read: which of them are the distribution's own, for a release."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

DISTRIBUTIONS: Mapping[str, str] = {"debian": "Debian", "ubuntu": "Ubuntu"}
"""``ID`` of os-release to the ``Origin`` that the archive signs into its Release files."""

_POCKETS = ("", "-updates", "-security", "/updates")
_TAKEN = ("URIs", "Suites", "Components", "Signed-By", "Trusted", "Check-Valid-Until")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One stanza of sources, in the field names of deb822; only those that are passed on."""

    fields: Mapping[str, str]

    @property
    def suites(self) -> tuple[str, ...]:
        """The suites that the stanza names."""
        return tuple(self.fields.get("Suites", "").split())


def read_sources(etc_apt: Path) -> tuple[Source, ...]:
    """Every enabled binary source in ``sources.list`` and ``sources.list.d``, in either format.

    Files that cannot be read are passed over: apt itself will say what it misses.
    """
    found: list[Source] = []
    lists = [etc_apt / "sources.list", *sorted((etc_apt / "sources.list.d").glob("*.list"))]
    for path in lists:
        found += _one_line_sources(_text(path))
    for path in sorted((etc_apt / "sources.list.d").glob("*.sources")):
        found += _stanzas(_text(path))
    return tuple(found)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _one_line_sources(text: str) -> Iterator[Source]:
    """``deb [option=value …] URI suite component…`` lines; see sources.list(5)."""
    for raw in text.splitlines():
        line = raw.partition("#")[0].strip()
        match = re.fullmatch(r"deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+\S+)*)", line)
        if match is None:
            continue
        options = dict(word.split("=", 1) for word in shlex.split(match[1] or "") if "=" in word)
        fields = {"URIs": match[2], "Suites": match[3], "Components": match[4].strip()}
        for option, name in (
            ("signed-by", "Signed-By"),
            ("trusted", "Trusted"),
            ("check-valid-until", "Check-Valid-Until"),
        ):
            if option in options:
                fields[name] = options[option]
        yield Source(fields=fields)


def _stanzas(text: str) -> Iterator[Source]:
    """deb822 stanzas, continuation lines (inline keys) kept as they stand."""
    for block in re.split(r"\n[ \t]*\n", text):
        fields: dict[str, str] = {}
        last = ""
        for line in block.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] in {" ", "\t"}:
                if last:
                    fields[last] += "\n" + line
                continue
            name, colon, value = line.partition(":")
            if colon:
                last = _canonical(name.strip())
                fields[last] = value.strip()
        enabled = fields.get("Enabled", "yes").lower() not in {"no", "false", "0"}
        if enabled and "deb" in fields.get("Types", "").split() and fields.get("URIs"):
            yield Source(fields={key: fields[key] for key in _TAKEN if key in fields})


def _canonical(name: str) -> str:
    for known in (*_TAKEN, "Types", "Enabled"):
        if name.lower() == known.lower():
            return known
    return name


def own_sources(
    sources: tuple[Source, ...], codename: str, release: str | None = None
) -> tuple[Source, ...]:
    """The stanzas whose suites are the machine's own release, rewritten to ``release`` if given.

    Third-party lists name suites of their own (``nodistro``, ``bookworm-pgdg``); one that takes the
    release's very name is told apart later, by the origin that its Release file is signed with.
    """
    wanted = {codename + pocket for pocket in _POCKETS}
    kept = []
    for source in sources:
        suites = [suite for suite in source.suites if suite in wanted]
        if not suites or "main" not in source.fields.get("Components", "").split():
            continue
        if release is not None:
            suites = [release + suite.removeprefix(codename) for suite in suites]
        fields = {**source.fields, "Suites": " ".join(suites), "Components": "main"}
        kept.append(Source(fields=fields))
    return tuple(kept)


def as_text(sources: tuple[Source, ...], architecture: str, *, kind: str = "deb") -> str:
    """The stanzas as a ``.sources`` file for one architecture."""
    return (
        "\n\n".join(
            "\n".join(
                [
                    f"Types: {kind}",
                    *(f"{name}: {value}" for name, value in source.fields.items()),
                    *([f"Architectures: {architecture}"] if kind == "deb" else []),
                ]
            )
            for source in sources
        )
        + "\n"
    )


def os_release(path: Path) -> Mapping[str, str]:
    """The fields of an ``os-release`` file; empty when there is none."""
    fields = {}
    for line in _text(path).splitlines():
        name, equals, value = line.partition("=")
        if equals and re.fullmatch(r"[A-Z_0-9]+", name):
            fields[name] = "".join(shlex.split(value)[:1])
    return fields
