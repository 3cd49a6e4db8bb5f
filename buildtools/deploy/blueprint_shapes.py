"""What a Render Blueprint may hold, as data.

Source: Render's Blueprint specification and the JSON Schema that it publishes; the tests compare
this table with a copy of that schema where one lies beside the checkout. Each kind of value is a
:class:`Kind`; a mapping is a :class:`Shape`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Scalar(StrEnum):
    """The scalars that a field may take."""

    TEXT = "a text"
    WHOLE = "a whole number"
    TRUTH = "true or false"
    TEXT_OR_NUMBER = "a text or a number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of a closed set of words; with ``open`` an unknown word is only worth a warning."""

    words: tuple[str, ...]
    open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A whole number between two bounds, both included; None: no bound."""

    least: int
    most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf:
    """A list, every item of one kind."""

    item: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A mapping: its fields, those that must be there, the deprecated and their heirs."""

    name: str
    fields: Mapping[str, Kind]
    required: tuple[str, ...] = ()
    deprecated: Mapping[str, str]


Kind = Scalar | Choice | Range | ListOf | Shape

_TEXT, _TRUTH = Scalar.TEXT, Scalar.TRUTH
_COUNT = Range(least=1)


def _shape(
    name: str,
    fields: Mapping[str, Kind],
    *required: str,
    deprecated: Mapping[str, str] | None = None,
) -> Shape:
    return Shape(name=name, fields=fields, required=required, deprecated=deprecated or {})


REGION = Choice(words=("oregon", "ohio", "frankfurt", "singapore", "virginia"))
RUNTIME = Choice(
    words=("docker", "elixir", "go", "image", "node", "python", "ruby", "rust", "static")
)
_SIZES = ("4gb", "8gb", "16gb", "32gb", "64gb", "128gb", "192gb", "256gb", "384gb", "512gb")
_FAST = ("16gb", "32gb", "64gb", "128gb", "256gb", "384gb", "512gb", "768gb", "1024gb")
PLAN = Choice(
    words=(
        *("free", "starter", "standard", "pro", "pro plus", "pro max", "pro ultra"),
        *("basic-256mb", "basic-1gb", "basic-4gb"),
        *(f"pro-{size}" for size in _SIZES),
        *(f"accelerated-{size}" for size in _FAST),
        *("0.5c-512mb", "1c-2g", "2c-4g"),
    ),
    open=True,
)
SWITCH = Choice(words=("enabled", "disabled"))
GENERATION = Choice(words=("automatic", "manual", "off"))
TRIGGER = Choice(words=("off", "commit", "checksPass"))
SERVICE_TYPES = ("web", "worker", "pserv", "cron", "workflow", "keyvalue", "redis")
REFERENCED_TYPES = Choice(
    words=("web", "cron", "worker", "pserv", "static", "dpg", "job", "redis", "keyvalue")
)

CREDENTIALS = _shape(
    "registryCredential",
    {"fromRegistryCreds": _shape("fromRegistryCreds", {"name": _TEXT}, "name")},
    "fromRegistryCreds",
)
IP_ALLOW_LIST = ListOf(
    item=_shape("ipAllowList entry", {"source": _TEXT, "description": _TEXT}, "source")
)
BUILD_FILTER = _shape(
    "buildFilter", {"paths": ListOf(item=_TEXT), "ignoredPaths": ListOf(item=_TEXT)}
)
DISK = _shape("disk", {"name": _TEXT, "mountPath": _TEXT, "sizeGB": _COUNT}, "name", "mountPath")
SCALING = _shape(
    "scaling",
    {
        "minInstances": _COUNT,
        "maxInstances": _COUNT,
        "targetMemoryPercent": Range(least=1, most=90),
        "targetCPUPercent": Range(least=1, most=90),
    },
)
IMAGE = _shape("image", {"url": _TEXT, "creds": CREDENTIALS}, "url")
PREVIEWS = _shape("previews", {"generation": GENERATION, "plan": PLAN, "numInstances": _COUNT})
FROM_DATABASE = _shape(
    "fromDatabase",
    {
        "name": _TEXT,
        "property": Choice(
            words=(
                *("connectionString", "connectionPoolString", "host", "port", "user"),
                *("password", "database"),
            )
        ),
    },
    "name",
    "property",
)
FROM_SERVICE = _shape(
    "fromService",
    {
        "type": REFERENCED_TYPES,
        "name": _TEXT,
        "property": Choice(words=("host", "port", "hostport", "connectionString")),
        "envVarKey": _TEXT,
    },
    "name",
    "type",
)
GROUP_VARIABLE = _shape(
    "environment variable",
    {
        "key": _TEXT,
        "value": Scalar.TEXT_OR_NUMBER,
        "generateValue": _TRUTH,
        "sync": _TRUTH,
        "previewValue": Scalar.TEXT_OR_NUMBER,
    },
    "key",
)
VARIABLE = _shape(
    "environment variable",
    {
        **GROUP_VARIABLE.fields,
        "fromDatabase": FROM_DATABASE,
        "fromService": FROM_SERVICE,
        "fromGroup": _TEXT,
    },
)
GROUP = _shape(
    "environment group", {"name": _TEXT, "envVars": ListOf(item=GROUP_VARIABLE)}, "name", "envVars"
)

_COMMON: Mapping[str, Kind] = {
    "name": _TEXT,
    "region": REGION,
    "plan": PLAN,
    "runtime": RUNTIME,
    "repo": _TEXT,
    "branch": _TEXT,
    "image": IMAGE,
    "rootDir": _TEXT,
    "dockerCommand": _TEXT,
    "dockerContext": _TEXT,
    "dockerfilePath": _TEXT,
    "registryCredential": CREDENTIALS,
    "buildCommand": _TEXT,
    "startCommand": _TEXT,
    "preDeployCommand": _TEXT,
    "envVars": ListOf(item=VARIABLE),
    "buildFilter": BUILD_FILTER,
    "autoDeploy": _TRUTH,
    "autoDeployTrigger": TRIGGER,
}
_AUTO_DEPLOY = {"autoDeploy": "autoDeployTrigger (commit, checksPass or off)"}
_OLD_PREVIEWS = {
    "pullRequestPreviewsEnabled": "previews.generation",
    "previewPlan": "previews.plan",
}
SERVER = _shape(
    "service",
    {
        "type": Choice(words=("web", "worker", "pserv")),
        **_COMMON,
        "numInstances": _COUNT,
        "healthCheckPath": _TEXT,
        "scaling": SCALING,
        "domain": _TEXT,
        "domains": ListOf(item=_TEXT),
        "initialDeployHook": _TEXT,
        "disk": DISK,
        "previews": PREVIEWS,
        "pullRequestPreviewsEnabled": _TRUTH,
        "previewPlan": PLAN,
        "maintenanceMode": _shape("maintenanceMode", {"enabled": _TRUTH, "uri": _TEXT}),
        "maxShutdownDelaySeconds": Range(least=1, most=300),
        "ipAllowList": IP_ALLOW_LIST,
        "renderSubdomainPolicy": SWITCH,
    },
    *("type", "name", "runtime"),
    deprecated={**_AUTO_DEPLOY, **_OLD_PREVIEWS, "domain": "domains"},
)
CRON = _shape(
    "cron job",
    {"type": Choice(words=("cron",)), **_COMMON, "schedule": _TEXT},
    *("type", "name", "runtime", "schedule"),
    deprecated=_AUTO_DEPLOY,
)
WORKFLOW = _shape(
    "workflow",
    {**SERVER.fields, "type": Choice(words=("workflow",))},
    *("type", "name", "runtime", "region", "startCommand", "repo"),
)
"""New in September 2026; which of a server's other keys it takes is not known here."""
STATIC = _shape(
    "static site",
    {
        "type": Choice(words=("web",)),
        "name": _TEXT,
        "runtime": Choice(words=("static",)),
        "buildCommand": _TEXT,
        "staticPublishPath": _TEXT,
        "previews": _shape("previews", {"generation": GENERATION}),
        "pullRequestPreviewsEnabled": _TRUTH,
        "buildFilter": BUILD_FILTER,
        "headers": ListOf(
            item=_shape(
                "header", {"path": _TEXT, "name": _TEXT, "value": _TEXT}, "path", "name", "value"
            )
        ),
        "routes": ListOf(
            item=_shape(
                "route",
                {
                    "type": Choice(words=("redirect", "rewrite")),
                    "source": _TEXT,
                    "destination": _TEXT,
                },
                *("type", "source", "destination"),
            )
        ),
        "envVars": ListOf(item=VARIABLE),
        "rootDir": _TEXT,
        "repo": _TEXT,
        "branch": _TEXT,
        "domain": _TEXT,
        "domains": ListOf(item=_TEXT),
        "autoDeploy": _TRUTH,
        "autoDeployTrigger": TRIGGER,
        "preDeployCommand": _TEXT,
        "ipAllowList": IP_ALLOW_LIST,
        "renderSubdomainPolicy": SWITCH,
    },
    *("type", "name", "runtime"),
    deprecated={**_AUTO_DEPLOY, "pullRequestPreviewsEnabled": "previews.generation"},
)
KEY_VALUE = _shape(
    "Key Value store",
    {
        "type": Choice(words=("keyvalue", "redis")),
        "name": _TEXT,
        "region": REGION,
        "ipAllowList": IP_ALLOW_LIST,
        "plan": PLAN,
        "previewPlan": PLAN,
        "maxmemoryPolicy": Choice(
            words=(
                *("allkeys-lru", "volatile-lru", "allkeys-lfu", "volatile-lfu"),
                *("allkeys-random", "volatile-random", "volatile-ttl", "noeviction"),
            )
        ),
        "persistenceMode": Choice(words=("journal-snapshot", "snapshot", "off")),
    },
    *("type", "name", "ipAllowList"),
)
DATABASE = _shape(
    "database",
    {
        "name": _TEXT,
        "databaseName": _TEXT,
        "user": _TEXT,
        "region": REGION,
        "plan": PLAN,
        "diskSizeGB": _COUNT,
        "storageAutoscalingEnabled": _TRUTH,
        "connectionPool": Choice(words=("pgbouncer", "none")),
        "previewPlan": PLAN,
        "previewDiskSizeGB": _COUNT,
        "postgresMajorVersion": Choice(words=tuple(str(major) for major in range(10, 19))),
        "highAvailability": _shape("highAvailability", {"enabled": _TRUTH}, "enabled"),
        "ipAllowList": IP_ALLOW_LIST,
        "readReplicas": ListOf(item=_shape("readReplica", {"name": _TEXT}, "name")),
    },
    "name",
)
SERVICES = ListOf(item=SERVER)
"""Of every service the checker picks the shape that its ``type`` and ``runtime`` call for."""

_RESOURCES: Mapping[str, Kind] = {
    "services": SERVICES,
    "databases": ListOf(item=DATABASE),
    "envVarGroups": ListOf(item=GROUP),
}
ENVIRONMENT = _shape(
    "environment",
    {
        **_RESOURCES,
        "name": _TEXT,
        "networking": _shape("networking", {"isolation": SWITCH}),
        "permissions": _shape("permissions", {"protection": SWITCH}),
    },
    "name",
)
ROOT = _shape(
    "Blueprint",
    {
        **_RESOURCES,
        "previews": _shape("previews", {"generation": GENERATION, "expireAfterDays": _COUNT}),
        "previewsEnabled": _TRUTH,
        "previewsExpireAfterDays": _COUNT,
        "projects": ListOf(
            item=_shape(
                "project",
                {
                    "name": _TEXT,
                    "environments": ListOf(item=ENVIRONMENT),
                    "envVarGroups": ListOf(item=GROUP),
                },
                *("name", "environments"),
            )
        ),
        "ungrouped": _shape("ungrouped", _RESOURCES),
        "version": Choice(words=("1",)),
    },
    deprecated={
        "previewsEnabled": "previews.generation",
        "previewsExpireAfterDays": "previews.expireAfterDays",
    },
)
