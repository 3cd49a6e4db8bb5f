"""Generates a Blueprint, and brings one that exists up to date without losing a comment."""

from __future__ import annotations

import difflib
import io
from collections.abc import Mapping
from typing import Any

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
    return HEADER.format(name=service.name) + _dump({"services": resources(service)})


def updated_blueprint(text: str, service: RenderService) -> str:
    """The Blueprint with this service and its store brought up to date.

    Comments, order, other services, and keys and variables that the configuration does not know
    stay as they are. Raises :class:`CannotLookError` when the text is no Blueprint.
    """
    from ruamel.yaml.error import YAMLError

    yaml = _round_trip()
    try:
        document = yaml.load(text)
    except YAMLError as error:
        raise CannotLookError(
            "the Blueprint is not YAML",
            why=str(error).splitlines()[0],
            next_step="buildtools render check FILE names the line",
        ) from error
    if document is None:
        return new_blueprint(service)
    if not isinstance(document, dict) or not isinstance(document.get("services", []), list):
        raise CannotLookError("the file is no Blueprint", why="it holds no list of services")
    there = document.setdefault("services", [])
    changed = False
    for wanted in resources(service):
        found = next((item for item in there if _is(item, wanted["name"])), None)
        if found is None:
            there.append(wanted)
            changed = True
        else:
            changed = _merge(found, wanted) or changed
    if not changed:
        return text
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def drift(text: str, service: RenderService, path: str) -> str:
    """What an update would change, as a unified diff; empty when nothing."""
    wanted = updated_blueprint(text, service)
    lines = difflib.unified_diff(
        text.splitlines(keepends=True), wanted.splitlines(keepends=True), path, "generated"
    )
    return "".join(lines)


def _is(item: object, name: str) -> bool:
    return isinstance(item, dict) and item.get("name") == name


def _merge(found: dict[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Set what differs in one service; True when something did."""
    changed = False
    for key, value in wanted.items():
        if key == "envVars":
            changed = _merge_variables(found.setdefault("envVars", []), value) or changed
        elif found.get(key) != value:
            found[key] = value
            changed = True
    return changed


def _merge_variables(found: list[Any], wanted: list[dict[str, Any]]) -> bool:
    changed = False
    for variable in wanted:
        at = next(
            (n for n, item in enumerate(found) if _key(item) == variable["key"]),
            None,
        )
        if at is None:
            found.append(variable)
            changed = True
        elif dict(found[at]) != variable:
            found[at].clear()
            found[at].update(variable)
            changed = True
    return changed


def _key(item: object) -> object:
    return item.get("key") if isinstance(item, dict) else None


def _round_trip() -> Any:
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _dump(document: Mapping[str, Any]) -> str:
    out = io.StringIO()
    _round_trip().dump(dict(document), out)
    return out.getvalue()
