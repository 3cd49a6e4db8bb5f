"""What to do about a cause, in the words of the platform that the text comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from buildtools.explain.matcher import Match
from buildtools.explain.platforms import Family, Host, Place
from buildtools.explain.rules import load_data
from buildtools.findings import Cause

_DRIVERS = (
    ("mysql-connector-python", r"mysql[.-]connector|_mysql_connector|CMySQL"),
    (
        "mysqlclient",
        r"mysqlclient(?!\.|_|\.so)\b(?!-dev)|MySQLdb|_mysql\.c|MySQL-python|\b_mysql\b",
    ),
    ("pysqlite3", r"pysqlite[23]"),
    ("apsw", r"\bapsw\b"),
    (
        "mariadb",
        (
            r"site-packages/mariadb|mariadb-1\.\d|import mariadb|install mariadb\b"
            r"|No module named 'mariadb"
        ),
    ),
    ("asyncmy", r"\basyncmy\b"),
    ("PyMySQL", r"\bpymysql\b"),
)
"""This project's drivers, by the words that betray them; the first one found counts."""
_PURE = frozenset({"PyMySQL"})
"""Those without compiled code: nothing comes of building them anew."""

_OTHERS = (
    re.compile(
        r"(?:Failed building wheel for|No matching distribution found for|Building wheel for"
        r"|requirement) ([A-Za-z][\w.-]+)",
        re.ASCII,
    ),
    re.compile(r"building '([A-Za-z]\w+)[.\w]*' extension", re.ASCII),
    re.compile(r"/(?:site|dist)-packages/([A-Za-z]\w+)/[^\s'\"]*\.so", re.ASCII),
    re.compile(r"pip3? install (?:-\S+ )*([A-Za-z][\w.-]+)", re.ASCII),
)  # fmt: skip
_NO_DRIVERS = frozenset(
    {"the", "from", "of", "requirements", "pip", "satisfies", "setuptools", "wheel", "python3"}
)
_SOLD_AS = {
    "PIL": "Pillow", "cv2": "opencv-python", "yaml": "PyYAML", "Crypto": "pycryptodome",
    "nacl": "PyNaCl", "OpenSSL": "pyOpenSSL", "sklearn": "scikit-learn", "zmq": "pyzmq",
    "skimage": "scikit-image", "psycopg": "psycopg", "google": "protobuf", "grpc": "grpcio",
    "confluent_kafka": "confluent-kafka",
}  # fmt: skip
"""Distributions whose packages have another name."""
_ADDON = re.compile(
    r"node_modules[/\\]((?:@[a-z\d][\w.-]*[/\\])?[a-z\d][\w.-]*)[/\\]"
    r"(?:build|lib[/\\]binding|prebuilds|compiled|src|deps)",
    re.ASCII,
)
"""An addon's folder. Only what npm allows in a name is taken, never a sign of the shell's."""
_NODE = re.compile(
    r"node_modules|npm (?:ERR!|error|install)|gyp (?:ERR!|info)|node:internal|\.node\b"
)
_LANGUAGES = frozenset({"bindings", "node-gyp", "node-gyp-build", "nan", "node-addon-api"})
_INSTALL: Mapping[Family, str] = {
    Family.DEBIAN: "apt-get install -y {}",
    Family.ALPINE: "apk add --no-cache {}",
    Family.FEDORA: "dnf install -y {}",
    Family.MACOS: "brew install {}",
}
_UNPACKAGED = frozenset({Host.RENDER, Host.LAMBDA, Host.HEROKU})
"""Where the application may not install system packages, or cannot count on it."""


def remedy_for(match: Match, text: str, place: Place) -> tuple[str, tuple[str, ...]]:
    """One sentence and the commands for it, best first; both may be empty for ``unknown``."""
    rule = match.rule
    entry: Mapping[str, Any] = load_data("remedies.yaml")[rule.cause.value]
    commands: list[str] = list(rule.commands.get("any", ()))
    node = bool(_NODE.search(text))
    driver = _driver(text, node=node)
    words = {
        "driver": driver,
        "addon": _addon(text),
        "target": _target(place),
        "arch": f"linux/{'aarch64' if place.arm else 'x86_64'}",
    }
    own = "node" if node and "node" in entry else "driver" if driver else "any"
    if driver and not node and "driver" in entry:
        own = "driver"
    commands += [str(command).format(**words).rstrip() for command in entry.get(own, ())]
    if not node or own != "node":
        commands += entry.get(place.family.value, ()) if place.family in _SPECIAL else ()
    commands += _packages(entry.get("packages"), match, text, place)
    if not commands:
        commands += [str(command).format(**words).rstrip() for command in entry.get("any", ())]
    if driver in _PURE:
        commands = [command for command in commands if not command.startswith(_BUILDING)]
    one_blank = (" ".join(command.split()) for command in commands)
    return rule.remedy or str(entry["remedy"]), tuple(dict.fromkeys(one_blank))


_BUILDING = ("buildtools rebuild", "buildtools wheel")
_SPECIAL = frozenset({Family.MACOS, Family.WINDOWS})


def _packages(wanted: Any, match: Match, text: str, place: Place) -> list[str]:
    """The system's own install command for what is missing, where it may be used at all."""
    if wanted is None or place.host in _UNPACKAGED:
        return []
    families = [place.family]
    if place.family in {Family.LINUX, Family.UNKNOWN}:
        families = [Family.DEBIAN]
    if isinstance(wanted, Mapping):
        sets: Mapping[str, Sequence[str]] = wanted
    else:
        subject = " ".join(
            value for key, value in match.named.items() if key not in {"path", "host", "need"}
        ) or _near(match)
        sets = _known(subject, str(wanted)) or _known(text[:20_000], str(wanted))
    commands = []
    for family in families:
        names: Iterable[str] = sets.get(family.value, ())
        if names and family in _INSTALL:
            commands.append(_INSTALL[family].format(" ".join(names)))
    return commands


def _near(match: Match) -> str:
    return " ".join(match.document.shown[index] for index in match.lines)


def _known(subject: str, kind: str) -> Mapping[str, Sequence[str]]:
    for entry in load_data("packages.yaml"):
        if re.search(entry["subject"], subject, re.IGNORECASE):
            found: Mapping[str, Sequence[str]] = entry[kind]
            return found
    return {}


def _driver(text: str, *, node: bool) -> str:
    for name, pattern in _DRIVERS:
        if re.search(pattern, text, re.IGNORECASE):
            return name
    if node:
        return ""
    for expression in _OTHERS:
        for found in expression.finditer(text):
            name = re.split(r"[=<>!~\[;]", found.group(1))[0].rstrip(".-")
            if name and name.lower() not in _NO_DRIVERS:
                return _SOLD_AS.get(name, name)
    return ""


def _addon(text: str) -> str:
    names = [found.group(1).replace("\\", "/") for found in _ADDON.finditer(text)]
    return next((name for name in names if name not in _LANGUAGES), "")


def _target(place: Place) -> str:
    if place.host is Host.RENDER:
        return "render"
    if place.host is Host.LAMBDA:
        return "lambda"
    arch = "aarch64" if place.arm else "x86_64"
    if place.family is Family.ALPINE:
        return f"linux/{arch}/musl"
    if place.family is Family.MACOS and place.host is not Host.DOCKER:
        return f"darwin/{'arm64' if place.arm else 'x86_64'}"
    if place.family in {Family.UNKNOWN, Family.WINDOWS}:
        return "host"
    return f"linux/{arch}"


def commands_are_known(cause: Cause) -> bool:
    """Whether the remedies' file has an entry for a cause."""
    return cause.value in load_data("remedies.yaml")
