"""Which system and service a text comes from: read from the text, never from this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """Whose packages the machine in the text installs."""

    DEBIAN = "debian"
    ALPINE = "alpine"
    FEDORA = "fedora"
    MACOS = "macos"
    WINDOWS = "windows"
    LINUX = "linux"
    UNKNOWN = "unknown"


class Host(StrEnum):
    """What kind of place it runs in, where that changes the remedy."""

    RENDER = "render"
    HEROKU = "heroku"
    LAMBDA = "lambda"
    DOCKER = "docker"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the text comes from, as far as it shows."""

    family: Family
    host: Host
    arm: bool


_HOSTS = {
    Host.RENDER: (
        r"/opt/render/|render\.com"
        r"|==> (?:Build failed|Running build command|Cloning from)"
    ),
    Host.HEROKU: r"/app/\.heroku|remote: +-----> |heroku\[|app\[(?:web|worker)\.\d",
    Host.LAMBDA: r"/var/task/|START RequestId|Runtime\.ImportModuleError|/var/lang/",
    Host.DOCKER: (
        r"^#\d+ \d+\.\d+ |returned a non-zero code: \d+|did not complete successfully: exit code"
        r"|Dockerfile|docker[ -]|/\.dockerenv|^\s*[\w.-]+[-_]\d+\s+\| |/usr/src/app/"
    ),
}

_FAMILIES = {
    Family.WINDOWS: (
        r"[A-Z]:\\|\bwin32\b|win_amd64|win-amd64|\.dll\b|\.pyd\b|MSVC|vcvarsall|Visual C\+\+"
        r"|DLL load failed"
    ),
    Family.ALPINE: (
        r"\balpine\b|\bapk (?:add|update|--)|musl|Error relocating|Error loading shared library"
    ),
    Family.MACOS: (
        r"\.dylib\b|/opt/homebrew|\bdarwin\b|macosx[-_]|/Users/\w|dlopen\(.*0x000|\bclang: error"
        r"|mach-o|xcrun|/usr/local/Cellar|\bDarwin\b|\bbrew install\b"
    ),
    Family.FEDORA: (
        r"\b(?:dnf|yum) install|Red Hat|CentOS|Fedora|amzn|Amazon Linux|\.el[6-9]\b|\.fc\d\d\b"
        r"|/usr/lib64/|/lib64/lib"
    ),
    Family.DEBIAN: (
        r"\bapt(?:-get)? (?:install|update)|x86_64-linux-gnu|aarch64-linux-gnu|dist-packages"
        r"|\b[Uu]buntu\b|\b[Dd]ebian\b|/bin/sh: \d+: |\.deb\b|raspbian|\bbookworm\b|\bbullseye\b"
        r"|externally managed"
    ),
    Family.LINUX: (
        r"/home/\w|/(?:root|srv)/|\blinux\b|manylinux|/usr/lib/|\.so\.\d|\.so:|/app/|/var/|/opt/"
    ),
}
"""The words that give a family away; the first family that has one counts."""

_COMPILED_HOSTS = tuple((host, re.compile(text, re.MULTILINE)) for host, text in _HOSTS.items())
_COMPILED_FAMILIES = tuple((family, re.compile(text)) for family, text in _FAMILIES.items())
_ARM = re.compile(r"aarch64|arm64")
_LOOKED_AT = 128 << 10


_SAID = re.compile(r"You're on (macOS|Linux|Windows)")
"""uv says where it runs, and then lists the wheels of all other platforms."""
_SAYS = {"macOS": Family.MACOS, "Linux": Family.LINUX, "Windows": Family.WINDOWS}


def _family(text: str) -> Family:
    return next((f for f, pattern in _COMPILED_FAMILIES if pattern.search(text)), Family.UNKNOWN)


def place_of(text: str) -> Place:
    """The place that the words of a text give away; its first and last 128 KiB are looked at."""
    if len(text) > 2 * _LOOKED_AT:
        text = text[:_LOOKED_AT] + text[-_LOOKED_AT:]
    said = _SAID.search(text)
    family = _SAYS[said.group(1)] if said else _family(text)
    host = next((h for h, pattern in _COMPILED_HOSTS if pattern.search(text)), Host.PLAIN)
    if host in {Host.RENDER, Host.HEROKU} and family in {Family.LINUX, Family.UNKNOWN}:
        family = Family.DEBIAN
    if host is Host.LAMBDA and family in {Family.LINUX, Family.UNKNOWN}:
        family = Family.FEDORA
    return Place(family=family, host=host, arm=bool(_ARM.search(text)))
