"""Broken Blueprints, each refused at the right place; sound ones, of which nothing is said."""
# ruff: noqa: E501, ISC004 - a table of one-line texts reads better unbroken

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from buildtools.deploy.blueprint_check import check_blueprint
from buildtools.deploy.blueprint_findings import BlueprintFinding, Rule
from buildtools.deploy.blueprint_shapes import (
    CRON,
    DATABASE,
    KEY_VALUE,
    SERVER,
    STATIC,
    Choice,
    Shape,
)
from buildtools.findings import Severity
from tests.unit.deploy.schema_copy import render_schema

SOUND = """\
version: "1"
services:
  - type: web
    name: api
    runtime: python
    plan: standard
    buildCommand: pip install .
    startCommand: gunicorn app
    envVars:
      - key: SECRET_KEY
        generateValue: true
      - key: DATABASE_URL
        fromDatabase: {name: main, property: connectionString}
      - key: REDIS_URL
        fromService: {type: keyvalue, name: cache, property: connectionString}
      - key: DB_PASSWORD
        sync: false
      - fromGroup: shared
  - type: cron
    name: nightly
    runtime: docker
    schedule: "*/5 0-6 * * MON"
  - type: web
    name: site
    runtime: static
    staticPublishPath: ./public
  - type: keyvalue
    name: cache
    ipAllowList: []
databases:
  - name: main
envVarGroups:
  - name: shared
    envVars:
      - key: LOG_LEVEL
        value: info
"""

WORKER = """\
services:
  - type: worker
    name: consumer
    runtime: python
    plan: starter
    buildCommand: pip install .
    startCommand: consume
"""

# (what is broken, the text to put in place of `# HERE`, or after the worker, rule, line, column)
BROKEN: tuple[tuple[str, str, Rule, int, int], ...] = (
    ("unknown root key", WORKER + "service: []\n", Rule.UNKNOWN_KEY, 8, 1),
    ("unknown service key", WORKER + "    buildComand: x\n", Rule.UNKNOWN_KEY, 8, 5),
    ("no runtime", "services:\n  - type: worker\n    name: a\n", Rule.MISSING_KEY, 2, 5),
    ("no name", WORKER.replace("    name: consumer\n", ""), Rule.MISSING_KEY, 2, 5),
    ("bad type", WORKER.replace("type: worker", "type: daemon"), Rule.WRONG_VALUE, 2, 11),
    ("bad runtime", WORKER.replace("python", "python3"), Rule.WRONG_VALUE, 4, 14),
    ("bad region", WORKER + "    region: paris\n", Rule.WRONG_VALUE, 8, 13),
    ("a number for a text", WORKER.replace("consumer", "12"), Rule.WRONG_TYPE, 3, 11),
    ("a text for a list", WORKER + "    envVars: none\n", Rule.WRONG_TYPE, 8, 14),
    ("a list for a mapping", WORKER + "    disk: []\n", Rule.WRONG_TYPE, 8, 11),
    ("shutdown too long", WORKER + "    maxShutdownDelaySeconds: 301\n", Rule.WRONG_VALUE, 8, 30),
    ("shutdown no number", WORKER + "    maxShutdownDelaySeconds: 1m\n", Rule.WRONG_TYPE, 8, 30),
    (
        "disk and shutdown delay",
        WORKER + "    disk: {name: d, mountPath: /d}\n    maxShutdownDelaySeconds: 60\n",
        Rule.DISK_WITH_SHUTDOWN_DELAY, 9, 5,
    ),
    (
        "disk and instances",
        WORKER + "    disk: {name: d, mountPath: /d}\n    numInstances: 3\n",
        Rule.DISK_WITH_SCALING, 9, 5,
    ),
    ("disk without a path", WORKER + "    disk: {name: d}\n", Rule.MISSING_KEY, 8, 11),
    (
        "disk on a free plan",
        WORKER.replace("worker", "web").replace("starter", "free") + "    disk: {name: d, mountPath: /d}\n",
        Rule.NEEDS_PAID_PLAN, 8, 5,
    ),
    ("a free worker", WORKER.replace("starter", "free"), Rule.NEEDS_PAID_PLAN, 5, 5),
    (
        "pre-deploy on a free plan",
        WORKER.replace("worker", "web").replace("starter", "free") + "    preDeployCommand: x\n",
        Rule.NEEDS_PAID_PLAN, 8, 5,
    ),
    (
        "a cron job with a disk",
        "services:\n  - type: cron\n    name: n\n    runtime: docker\n    schedule: 0 0 * * *\n"
        "    disk: {name: d, mountPath: /d}\n",
        Rule.UNKNOWN_KEY, 6, 5,
    ),
    (
        "a cron job without schedule",
        "services:\n  - type: cron\n    name: n\n    runtime: docker\n",
        Rule.MISSING_KEY, 2, 5,
    ),
    (
        "a schedule of four fields",
        "services:\n  - type: cron\n    name: n\n    runtime: docker\n    schedule: 0 0 * *\n",
        Rule.BAD_SCHEDULE, 5, 5,
    ),
    ("a store without ipAllowList", "services:\n  - type: keyvalue\n    name: c\n", Rule.MISSING_KEY, 2, 5),
    (
        "a range that is none",
        "services:\n  - type: keyvalue\n    name: c\n    ipAllowList:\n      - source: 10.0.0.300\n",
        Rule.BAD_ADDRESS, 5, 17,
    ),
    (
        "an eviction policy that is none",
        "services:\n  - type: keyvalue\n    name: c\n    ipAllowList: []\n    maxmemoryPolicy: lru\n",
        Rule.WRONG_VALUE, 5, 22,
    ),
    ("two of one name", WORKER + WORKER.removeprefix("services:\n"), Rule.DUPLICATE_NAME, 9, 11),
    ("a key twice", WORKER + "    name: other\n", Rule.DUPLICATE_KEY, 8, 5),
    (
        "a secret in plain text",
        WORKER + "    envVars:\n      - key: DB_PASSWORD\n        value: hunter2\n",
        Rule.PLAINTEXT_SECRET, 10, 16,
    ),
    (
        "a secret in a URL",
        WORKER + "    envVars:\n      - key: DATABASE\n        value: mysql://me:pw@db/x\n",
        Rule.PLAINTEXT_SECRET, 10, 16,
    ),
    (
        "a variable with two sources",
        WORKER + "    envVars:\n      - {key: A, value: b, generateValue: true}\n",
        Rule.VARIABLE_SOURCE, 9, 28,
    ),
    (
        "a variable without source",
        WORKER + "    envVars:\n      - key: A\n",
        Rule.VARIABLE_SOURCE, 9, 9,
    ),
    (
        "fromGroup beside a key",
        WORKER + "    envVars:\n      - {fromGroup: g, key: A}\n",
        Rule.VARIABLE_SOURCE, 9, 10,
    ),
    (
        "sync in a group",
        "envVarGroups:\n  - name: g\n    envVars:\n      - {key: A, sync: false}\n",
        Rule.GROUP_VARIABLE, 4, 18,
    ),
    (
        "fromService in a group",
        "envVarGroups:\n  - name: g\n    envVars:\n      - {key: A, fromService: {}}\n",
        Rule.UNKNOWN_KEY, 4, 18,
    ),
    (
        "fromService without property",
        WORKER + "    envVars:\n      - key: A\n        fromService: {type: keyvalue, name: c}\n",
        Rule.VARIABLE_SOURCE, 10, 9,
    ),
    (
        "a reference of the wrong kind",
        WORKER + "    envVars:\n      - key: A\n        fromDatabase: {name: consumer, property: host}\n",
        Rule.UNKNOWN_REFERENCE, 10, 30,
    ),
    ("no start command", WORKER.replace("    startCommand: consume\n", ""), Rule.MISSING_COMMAND, 4, 5),
    ("image without image", WORKER.replace("python", "image"), Rule.MISSING_KEY, 4, 5),
    ("health check of a worker", WORKER + "    healthCheckPath: /\n", Rule.WRONG_VALUE, 8, 5),
    (
        "scaling upside down",
        WORKER + "    scaling: {minInstances: 3, maxInstances: 1, targetCPUPercent: 60}\n",
        Rule.WRONG_VALUE, 8, 29,
    ),
    (
        "scaling over the top",
        WORKER + "    scaling: {minInstances: 1, maxInstances: 3, targetCPUPercent: 95}\n",
        Rule.WRONG_VALUE, 8, 67,
    ),
    (
        "half a Python version",
        WORKER + "    envVars:\n      - {key: PYTHON_VERSION, value: '3.13'}\n",
        Rule.PYTHON_VERSION, 9, 38,
    ),
    ("a version that is none", 'version: "2"\n' + WORKER, Rule.WRONG_VALUE, 1, 10),
    ("a tab", "services:\n\t- type: web\n", Rule.NOT_YAML, 2, 1),
    ("an open bracket", WORKER + "    disk: {name: d\n", Rule.NOT_YAML, 9, 1),
)  # fmt: skip

WARNED: tuple[tuple[str, str, Rule, int], ...] = (
    (
        "the old name of Key Value",
        "services:\n  - type: redis\n    name: c\n    ipAllowList: []\n",
        Rule.DEPRECATED, 2,
    ),
    ("autoDeploy", WORKER + "    autoDeploy: true\n", Rule.DEPRECATED, 8),
    ("previewPlan", WORKER + "    previewPlan: starter\n", Rule.DEPRECATED, 8),
    ("previewsEnabled", "previewsEnabled: true\n" + WORKER, Rule.DEPRECATED, 1),
    ("a plan of tomorrow", WORKER.replace("starter", "8c-16g"), Rule.UNKNOWN_PLAN, 5),
    ("an empty filter", WORKER + "    buildFilter:\n      paths: []\n", Rule.EMPTY_FILTER, 9),
    (
        "a store open to all",
        "services:\n  - type: keyvalue\n    name: c\n    ipAllowList:\n      - source: 0.0.0.0/0\n",
        Rule.OPEN_TO_ALL, 5,
    ),
    (
        "a reference to what is elsewhere",
        WORKER + "    envVars:\n      - key: A\n        fromDatabase: {name: other, property: host}\n",
        Rule.UNKNOWN_REFERENCE, 10,
    ),
)  # fmt: skip


def errors(text: str) -> list[BlueprintFinding]:
    return [f for f in check_blueprint(text, "render.yaml") if f.severity is Severity.ERROR]


def test_of_a_sound_blueprint_nothing_is_said() -> None:
    assert check_blueprint(SOUND, "render.yaml") == ()
    assert check_blueprint(WORKER, "render.yaml") == ()


@pytest.mark.parametrize(
    ("text", "rule", "line", "column"), [case[1:] for case in BROKEN], ids=[c[0] for c in BROKEN]
)
def test_what_is_broken_is_refused_at_its_place(
    text: str, rule: Rule, line: int, column: int
) -> None:
    found = errors(text)
    assert [(f.rule, f.line, f.column) for f in found] == [(rule, line, column)]
    assert found[0].remedy


@pytest.mark.parametrize(
    ("text", "rule", "line"), [case[1:] for case in WARNED], ids=[c[0] for c in WARNED]
)
def test_what_is_doubtful_is_a_warning(text: str, rule: Rule, line: int) -> None:
    found = check_blueprint(text, "render.yaml")
    assert [(f.rule, f.line, f.severity) for f in found] == [(rule, line, Severity.WARNING)]


def test_a_misspelt_key_gets_a_suggestion() -> None:
    assert "did you mean buildCommand?" in errors(WORKER + "    buildComand: x\n")[0].evidence


def test_an_empty_file_and_a_huge_one_are_refused() -> None:
    assert [f.rule for f in errors("")] == [Rule.MISSING_KEY]
    assert [f.rule for f in errors("# " + "x" * (1 << 20))] == [Rule.NOT_YAML]


@given(st.text(alphabet="abst:-{}[]&*!|>'\"%@`\n\t #", max_size=120))
def test_any_text_gets_findings_and_never_a_traceback(text: str) -> None:
    assert isinstance(check_blueprint(text, "render.yaml"), tuple)


def test_an_alias_in_a_circle_ends() -> None:
    assert errors("services: &a\n  - *a\n")


@pytest.mark.parametrize("runtime", ["python", "static", "docker"])
def test_runtimes_old_name_is_still_read(runtime: str) -> None:
    commands = {
        "static": "    buildCommand: b\n    staticPublishPath: dist\n",
        "docker": "    dockerCommand: b\n",
    }.get(runtime, "    buildCommand: b\n    startCommand: b\n")
    text = f"services:\n  - type: web\n    name: a\n    env: {runtime}\n{commands}"
    (found,) = check_blueprint(text, "render.yaml")
    assert (found.rule, found.severity, found.line, found.column) == (
        Rule.DEPRECATED, Severity.WARNING, 4, 5
    )  # fmt: skip
    broken = check_blueprint(text.replace(f"env: {runtime}", "env: perl"), "render.yaml")
    assert (Rule.WRONG_VALUE, 4, 10) in {(one.rule, one.line, one.column) for one in broken}


@pytest.mark.parametrize(
    ("written", "warned"), [("20.10", 1), ("20.1", 0), ('"20.10"', 0), ("20.10.1", 0), ("4", 0)]
)
def test_a_value_that_yaml_would_shorten_is_a_warning(written: str, warned: int) -> None:
    text = WORKER + f"    envVars:\n      - key: NODE_VERSION\n        value: {written}\n"
    found = [(one.rule, one.severity, one.line, one.column) for one in check_blueprint(text, "x")]
    assert found == [(Rule.LOST_DIGITS, Severity.WARNING, 10, 16)] * warned


def test_every_rule_has_a_remedy() -> None:
    for rule in Rule:
        assert rule.remedy


@pytest.mark.parametrize(
    ("shape", "name"),
    [(SERVER, "serverService"), (CRON, "cronService"), (STATIC, "staticService"),
     (KEY_VALUE, "redisServer"), (DATABASE, "database")],
)  # fmt: skip
def test_our_shapes_hold_the_keys_of_renders_schema(shape: Shape, name: str) -> None:
    theirs = render_schema()["definitions"][name]
    assert set(shape.fields) == set(theirs["properties"])
    assert set(shape.required) == set(theirs["required"])
    for key, kind in shape.fields.items():
        words = theirs["properties"][key].get("enum")
        if words and isinstance(kind, Choice) and not kind.open:
            assert set(kind.words) == set(words), key


@pytest.mark.parametrize(
    "text", [SOUND, WORKER, *(case[1] for case in WARNED if case[2] is not Rule.UNKNOWN_PLAN)]
)
def test_what_we_let_pass_renders_schema_lets_pass(text: str) -> None:
    jsonschema.validate(yaml.safe_load(text), render_schema())
