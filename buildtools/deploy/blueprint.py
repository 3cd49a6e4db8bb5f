"""Generates a Blueprint, and brings one that exists up to date without losing a comment."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any

import yaml

from buildtools.deploy.blueprint_reading import BlueprintUnreadable, composed, fields_of
from buildtools.deploy.blueprint_splice import plain, spliced
from buildtools.deploy.service import RenderService
from buildtools.errors import CannotLookError

HEADER = """\
# Render Blueprint of {name}, from [tool.buildtools.render] in pyproject.toml.
# `buildtools render blueprint --write render.yaml` brings it up to date and keeps what you add;
# `buildtools render blueprint --check render.yaml` tells whether it is.
"""


def resources(service: RenderService) -> list[dict[str, Any]]:
    """The services of the Blueprint, as Render names their keys, in the usual order."""
    main: dict[str, Any] = {
        "type": service.type,
        "name": service.name,
        "runtime": "python",
        "plan": service.plan,
    }
    if service.region:
        main["region"] = service.region
    if service.branch:
        main["branch"] = service.branch
    main["autoDeployTrigger"] = "checksPass"
    main["buildCommand"] = service.build
    main["startCommand"] = service.start
    if service.type == "web" and service.health_check:
        main["healthCheckPath"] = service.health_check
    if service.shutdown_seconds is not None:
        main["maxShutdownDelaySeconds"] = service.shutdown_seconds
    main["envVars"] = _variables(service)
    services = [main]
    if service.key_value:
        services.append(_key_value(service))
    return services


def _variables(service: RenderService) -> list[dict[str, Any]]:
    plain = dict(service.environment)
    if service.python:
        plain = {"PYTHON_VERSION": service.python, **plain}
    variables: list[dict[str, Any]] = [{"key": key, "value": value} for key, value in plain.items()]
    if service.key_value:
        source = {"type": "keyvalue", "name": service.key_value, "property": "connectionString"}
        variables.append({"key": "REDIS_URL", "fromService": source})
    variables += [{"key": key, "sync": False} for key in service.secrets]
    return variables


def _key_value(service: RenderService) -> dict[str, Any]:
    store: dict[str, Any] = {
        "type": "keyvalue",
        "name": service.key_value,
        "plan": service.key_value_plan,
    }
    if service.region:
        store["region"] = service.region
    # A cache that evicts nothing would refuse writes when it is full; internal traffic only.
    return {**store, "maxmemoryPolicy": "allkeys-lru", "ipAllowList": []}


def new_blueprint(service: RenderService) -> str:
    """A whole Blueprint as text."""
    return HEADER.format(name=service.name) + spliced("{}\n", resources(service))


def updated_blueprint(text: str, service: RenderService, path: str = "") -> str:
    """The Blueprint with this service and its store brought up to date.

    All else stays as it is to the letter, also keys and variables that the configuration does not
    know. Raises :class:`CannotLookError` when the text is no Blueprint.
    """
    try:
        root = composed(text)
    except BlueprintUnreadable as unreadable:
        raise CannotLookError(
            "the Blueprint is not YAML",
            where=f"{path}:{unreadable.line}:{unreadable.column}".lstrip(":"),
            why=unreadable.problem,
            next_step="buildtools render check FILE says the same of every mistake",
        ) from unreadable
    if root is None and not text.strip():
        return new_blueprint(service)
    if not _may_hold_services(root):
        raise CannotLookError(
            "the file is no Blueprint", where=path, why="it holds no list of services"
        )
    wanted = resources(service)
    updated = spliced(text, wanted)
    if not _holds(updated, wanted):
        raise CannotLookError(
            "the Blueprint cannot be brought up to date in place",
            where=path,
            why="its services are written in a way that this tool cannot change safely",
            next_step="buildtools render blueprint prints one to copy from",
        )
    return updated


def _may_hold_services(root: yaml.Node | None) -> bool:
    if root is None:
        return True
    services = fields_of(root).get("services")
    return isinstance(root, yaml.MappingNode) and (
        services is None or isinstance(plain(services[1]), (list, NoneType))
    )


def _holds(text: str, wanted: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the text says what it should."""
    try:
        return spliced(text, wanted) == text
    except BlueprintUnreadable:
        return False


def drift(text: str, service: RenderService, path: str) -> str:
    """What an update would change, as a unified diff; empty when nothing."""
    wanted = updated_blueprint(text, service, path)
    lines = difflib.unified_diff(
        text.splitlines(keepends=True), wanted.splitlines(keepends=True), path, "generated"
    )
    return "".join(lines)
