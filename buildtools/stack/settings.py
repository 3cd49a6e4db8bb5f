"""The stack's settings: ports, versions and credentials, the same names in compose and here.

They stand in ``.stack/.env`` of the project, which is made with random credentials, readable by
its owner alone, in a folder that git ignores. A variable of the environment wins, as in compose.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from buildtools.errors import CannotLookError, UsageError
from buildtools.writing import write_whole

FOLDER = ".stack"
_HEADING = "# The development stack of this folder only; made by `buildtools stack`, not for git."
_NAME = re.compile(r"[A-Za-z0-9_]{1,32}")
_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:]{2,39}")
_PORTS: Mapping[str, int] = {
    "ZOOKEEPER_PORT": 2181,
    "KAFKA_PORT": 9092,
    "KAFKA_INSIDE_PORT": 29092,
    "KAFKA_CONTROLLER_PORT": 29093,
    "DB_PORT": 3306,
    "REDIS_PORT": 6379,
}


class Mode(StrEnum):
    """Who keeps Kafka's metadata."""

    ZOOKEEPER = "zookeeper"
    KRAFT = "kraft"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the stack of one project is made of; ``root`` is the project's folder."""

    root: Path
    project: str
    zookeeper_port: int
    kafka_port: int
    inside_port: int
    controller_port: int
    db_port: int
    redis_port: int
    advertised_host: str
    db_name: str
    db_user: str
    db_password: str
    db_root_password: str
    redis_password: str
    cluster_id: str
    group: str

    @property
    def folder(self) -> Path:
        """Where everything of this stack lies: data, logs, process ids, credentials."""
        return self.root / FOLDER

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown."""
        return (self.db_password, self.db_root_password, self.redis_password)


def read_env(text: str) -> dict[str, str]:
    """``KEY=VALUE`` lines as compose reads them.

    ``#`` begins a comment at the start of a line, and behind a value without quotes after a space;
    quotes around a value are taken off.
    """
    found = {}
    for line in text.splitlines():
        key, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or key.startswith("#"):
            continue
        value = value.strip()
        quoted = re.match(r"""(["'])(.*?)\1(?:\s+#.*)?$""", value)
        found[key.strip()] = quoted[2] if quoted else re.split(r"(?:^|\s+)#", value)[0]
    return found


def env_file(root: Path) -> Path:
    """Where the stack's variables stand."""
    return root / FOLDER / ".env"


def project_name(text: str) -> str:
    """A name that compose takes: lower-case letters, digits, ``-`` and ``_``."""
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")[:63] or "stack"


def make_env(root: Path, project: str) -> Path:
    """Make ``.stack/.env`` with random credentials.

    A file that is there keeps every line; a name that it lacks, since an older release made it, is
    added at its end. Raises :class:`CannotLookError` when it can be neither read nor made.
    """
    try:
        return _make_env(env_file(root), _first_values(project))
    except OSError as error:
        raise CannotLookError(
            "the stack's folder cannot be made",
            where=str(error.filename or env_file(root)),
            why=error.strerror or str(error),
            next_step="move away what is in its place, or work in a folder that you may write to",
        ) from error


def _make_env(file: Path, wanted: Mapping[str, str]) -> Path:
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        write_whole(file.parent / ".gitignore", b"*\n")
        text = f"{_HEADING}\n"
    else:
        text = env_text(file)
        has = read_env(text)
        wanted = {name: value for name, value in wanted.items() if name not in has}
        if not wanted:
            return file
        text = text if text.endswith("\n") or not text else f"{text}\n"
    lines = (f"{name}={value}\n" for name, value in wanted.items())
    write_whole(file, (text + "".join(lines)).encode(), mode=0o600)
    return file


def env_text(file: Path) -> str:
    """A file of variables. Raises :class:`CannotLookError` for one that is no text."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CannotLookError(
            "the variables cannot be read",
            where=str(file),
            why=f"it is no UTF-8 text: {error.reason} at byte {error.start}",
            next_step="mend that line, or move the file away",
        ) from error


def _first_values(project: str) -> dict[str, str]:
    cluster = base64.urlsafe_b64encode(b"\x00" + secrets.token_bytes(15)).decode().rstrip("=")
    return {
        "STACK_PROJECT": project_name(project),
        **{name: str(port) for name, port in _PORTS.items()},
        "KAFKA_ADVERTISED_HOST": "127.0.0.1",
        "KAFKA_CLUSTER_ID": cluster,
        "KAFKA_BROKERS": f"127.0.0.1:{_PORTS['KAFKA_PORT']}",
        "DB_HOST": "127.0.0.1",
        "DB_NAME": "app",
        "DB_USER": "app",
        "DB_PASSWORD": secrets.token_urlsafe(18),
        "DB_ROOT_PASSWORD": secrets.token_urlsafe(18),
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PASSWORD": secrets.token_urlsafe(18),
    }


def load_settings(root: Path, environ: Mapping[str, str]) -> Settings:
    """The settings of ``.stack/.env`` with the environment's above them.

    Raises :class:`CannotLookError` when the file is not there, :class:`UsageError` for a value that
    cannot be.
    """
    file = env_file(root)
    try:
        own = read_env(env_text(file))
    except OSError as error:
        raise CannotLookError(
            "there is no stack in this folder yet",
            where=str(file),
            why=error.strerror or str(error),
            next_step="buildtools stack up",
        ) from error
    found = {**own, **{key: environ[key] for key in (*own, *_PORTS) if environ.get(key)}}
    return _settings(root, found, str(file), environ)


def _settings(
    root: Path, found: Mapping[str, str], file: str, environ: Mapping[str, str]
) -> Settings:
    ports = {name: _port(name, found.get(name) or str(port)) for name, port in _PORTS.items()}

    def text(name: str, default: str, pattern: re.Pattern[str] | None) -> str:
        value = found.get(name) or default
        if (pattern is not None and not pattern.fullmatch(value)) or not _plain(value):
            raise UsageError(
                f"{name} cannot be used",
                where=file,
                why=f"found {_shown(name, value)}" if value else "it is not there",
                next_step="" if value else "buildtools stack env adds what is missing",
            )
        return value

    return Settings(
        root=root,
        project=text("STACK_PROJECT", "stack", _PROJECT),
        zookeeper_port=ports["ZOOKEEPER_PORT"],
        kafka_port=ports["KAFKA_PORT"],
        inside_port=ports["KAFKA_INSIDE_PORT"],
        controller_port=ports["KAFKA_CONTROLLER_PORT"],
        db_port=ports["DB_PORT"],
        redis_port=ports["REDIS_PORT"],
        advertised_host=text("KAFKA_ADVERTISED_HOST", "127.0.0.1", _HOST),
        db_name=text("DB_NAME", "app", _NAME),
        db_user=text("DB_USER", "app", _NAME),
        db_password=text("DB_PASSWORD", "", None),
        db_root_password=text("DB_ROOT_PASSWORD", "", None),
        redis_password=text("REDIS_PASSWORD", "", None),
        cluster_id=text("KAFKA_CLUSTER_ID", "", re.compile(r"[A-Za-z0-9_-]{22}")),
        group=environ.get("KAFKA_GROUP_ID") or "database-writer-group",
    )


def _plain(value: str) -> bool:
    return bool(value) and value.isprintable() and not set(value) & set("\"'\\")


def _shown(name: str, value: str) -> str:
    return repr("****" if "PASSWORD" in name and value else value)


def _port(name: str, text: str) -> int:
    last = 65535
    if text.isascii() and text.isdecimal() and 0 < int(text) <= last:
        return int(text)
    raise UsageError(f"{name} is no port", why=f"found {text!r}", next_step="a number up to 65535")
