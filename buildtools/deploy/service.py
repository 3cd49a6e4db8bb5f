"""What ``[tool.buildtools.render]`` says of the service on Render, read and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from buildtools.configuration import Configuration
from buildtools.errors import UsageError

_NAME = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LONGEST_SHUTDOWN = 300
"""Seconds; Render's own limit."""

_TYPES = ("worker", "web", "pserv")

_KEYS = (
    "name", "type", "plan", "region", "python", "build", "start", "requirements", "branch",
    "key_value", "key_value_plan", "secrets", "environment", "shutdown_seconds", "health_check",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderService:
    """One service and its Key Value store.

    ``start`` is empty where nothing says it: a build needs none, a Blueprint does. ``python`` is a
    whole version or empty (Render's default); ``requirements`` are files for pip, in order;
    ``secrets`` are variables whose value is entered in the dashboard; ``shutdown_seconds`` is how
    long the service may take to end, 1 to 300.
    """

    name: str
    type: str = "worker"
    plan: str = "starter"
    region: str = ""
    python: str = ""
    build: str
    start: str
    branch: str = ""
    requirements: tuple[str, ...] = ()
    key_value: str = ""
    key_value_plan: str = "starter"
    secrets: tuple[str, ...] = ()
    environment: Mapping[str, str]
    shutdown_seconds: int | None = None
    health_check: str = ""


def build_command(version: str) -> str:
    """The buildCommand of a project that uses this tool from its wheel."""
    return (
        f"python -m pip install native-buildtools=={version} && python -m buildtools render build"
    )


class _Table:
    """The table's values, each checked as it is taken."""

    def __init__(self, table: Mapping[str, object], where: str) -> None:
        self._table = table
        self._where = where
        for key in table:
            if key not in _KEYS:
                raise self.wrong(key, f"is not known; known are {', '.join(_KEYS)}")

    def wrong(self, key: str, why: str) -> UsageError:
        return UsageError(
            f"[tool.buildtools.render] {key}: {why}",
            where=self._where,
            next_step="see docs/render.md for every key",
        )

    def text(self, key: str, default: str = "", pattern: str = ".*", wanted: str = "") -> str:
        value = self._table.get(key, default)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise self.wrong(key, f"must be {wanted or 'a text of one line'}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(key, "must be a list of texts")
        return tuple(value)

    def variables(self) -> dict[str, str]:
        value = self._table.get("environment", {})
        if not isinstance(value, dict):
            raise self.wrong("environment", "must be a table")
        for name, given in value.items():
            if not isinstance(given, (str, int, float)):
                raise self.wrong("environment", f"{name} must be a text or a number")
        for name in (*value, *self.texts("secrets")):
            if not _VARIABLE.fullmatch(name):
                raise self.wrong("environment", f"{name!r} is no variable's name")
        return {
            key: str(item).lower() if isinstance(item, bool) else str(item)
            for key, item in value.items()
        }

    def seconds(self) -> int | None:
        value = self._table.get("shutdown_seconds")
        if value is None:
            return None
        if (
            not isinstance(value, int)
            or isinstance(value, bool)
            or not 1 <= value <= LONGEST_SHUTDOWN
        ):
            raise self.wrong("shutdown_seconds", "must be a whole number from 1 to 300")
        return value


def _as_name(text: str) -> str:
    """A project's or folder's name as a service's: ``My_App`` gives ``my-app``."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-") or "service"


def deployed_service(configuration: Configuration, version: str) -> RenderService:
    """The service that a Blueprint can be made of; :class:`UsageError` when nothing starts it."""
    service = render_service(configuration, version)
    if not service.start:
        where = str(configuration.file or configuration.root)
        raise _Table({}, where).wrong("start", "must be set: the command that runs the service")
    return service


def render_service(configuration: Configuration, version: str) -> RenderService:
    """The service that the configuration describes; :class:`UsageError` names key and file.

    Without a name of its own it has the project's, else the folder's.
    """
    table = _Table(configuration.render, str(configuration.file or configuration.root))
    return RenderService(
        name=table.text(
            "name",
            _as_name(configuration.project or configuration.root.name),
            _NAME,
            "set: small letters, digits and dashes",
        ),
        type=table.text("type", "worker", "|".join(_TYPES), f"one of {', '.join(_TYPES)}"),
        plan=table.text("plan", "starter"),
        region=table.text("region"),
        python=table.text("python", "", r"|\d+\.\d+\.\d+", 'a whole version such as "3.13.4"'),
        build=table.text("build") or build_command(version),
        start=table.text("start", "", ".*", "the command that runs the service"),
        branch=table.text("branch"),
        requirements=table.texts("requirements"),
        key_value=table.text("key_value", "", f"|{_NAME}", "small letters, digits and dashes"),
        key_value_plan=table.text("key_value_plan", "starter"),
        secrets=table.texts("secrets"),
        environment=table.variables(),
        shutdown_seconds=table.seconds(),
        health_check=table.text("health_check"),
    )
