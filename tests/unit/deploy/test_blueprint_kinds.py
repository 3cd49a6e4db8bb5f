"""Broken Blueprints of further kinds, each refused at its place, and odd ones that Render takes."""
# ruff: noqa: E501 - a table of one-line texts reads better unbroken

import pytest

from buildtools.deploy.blueprint_check import check_blueprint
from buildtools.deploy.blueprint_findings import Rule
from tests.unit.deploy.test_blueprint_check import WORKER, errors

SITE = "services:\n  - type: web\n    name: site\n    runtime: static\n    staticPublishPath: ./public\n"
STORE = "services:\n  - type: keyvalue\n    name: c\n    ipAllowList: []\n"
CRON = "services:\n  - type: cron\n    name: n\n    runtime: docker\n"
# (what is broken, the text, rule, line, column)
BROKEN: tuple[tuple[str, str, Rule, int, int], ...] = (
    ("a minute that no hour has", CRON+'    schedule: "61 0 * * *"\n', Rule.BAD_SCHEDULE,5,5),
    ("a day of the week in full", CRON+'    schedule: "0 0 * * MONDAY"\n', Rule.BAD_SCHEDULE,5,5),
    ("a step of nothing", CRON+'    schedule: "*/0 * * * *"\n', Rule.BAD_SCHEDULE,5,5),
    ("a cron job with instances", CRON+'    schedule: "0 0 * * *"\n    numInstances: 2\n', Rule.UNKNOWN_KEY,6,5),
    ("a static site with a start command", SITE+"    startCommand: x\n", Rule.UNKNOWN_KEY,6,5),
    ("a static site with a plan", SITE+"    plan: starter\n", Rule.UNKNOWN_KEY,6,5),
    ("a route of no kind", SITE+"    routes:\n      - {type: proxy, source: /a, destination: /b}\n", Rule.WRONG_VALUE,7,16),
    ("a header without value", SITE+"    headers:\n      - path: /*\n        name: X-A\n", Rule.MISSING_KEY,7,9),
    ("a store with Redis' own word", STORE+"    persistenceMode: aof\n", Rule.WRONG_VALUE,5,22),
    ("a store with variables", STORE+"    envVars: []\n", Rule.UNKNOWN_KEY,5,5),
    ("a range without a mapping", "services:\n  - type: keyvalue\n    name: c\n    ipAllowList:\n      - 10.0.0.0/8\n", Rule.WRONG_TYPE,5,9),
    ("a Postgres of yesterday", 'databases:\n  - name: d\n    postgresMajorVersion: "9"\n', Rule.WRONG_VALUE,3,27),
    ("a database with MySQL's word", "databases:\n  - name: d\n    database: x\n", Rule.UNKNOWN_KEY,3,5),
    ("a property that no database has", WORKER+"    envVars:\n      - key: A\n        fromDatabase: {name: d, property: url}\n", Rule.WRONG_VALUE,10,43),
    ("variables as a mapping", WORKER+"    envVars:\n      A: b\n", Rule.WRONG_TYPE,9,7),
    ("an environment without name", "projects:\n  - name: p\n    environments:\n      - services: []\n", Rule.MISSING_KEY,4,9),
    ("a name at the root and in an environment", WORKER+"projects:\n  - name: p\n    environments:\n      - name: e\n        services:\n          - type: worker\n            name: consumer\n            runtime: docker\n", Rule.DUPLICATE_NAME,14,19),
    ("previews in other words", "previews:\n  generation: auto\n"+WORKER, Rule.WRONG_VALUE,2,15),
    ("a disk of nothing", WORKER+"    disk: {name: d, mountPath: /d, sizeGB: 0}\n", Rule.WRONG_VALUE,8,44),
    ("a disk in units", WORKER+"    disk: {name: d, mountPath: /d, sizeGB: 10GB}\n", Rule.WRONG_TYPE,8,44),
    ("a disk at no absolute path", WORKER+"    disk:\n      name: d\n      mountPath: data\n", Rule.WRONG_VALUE,10,18),
    ("a domain alone", WORKER.replace("worker","web")+"    domains: example.com\n", Rule.WRONG_TYPE,8,14),
    ("a filter with a text", WORKER+"    buildFilter:\n      paths: src/**\n", Rule.WRONG_TYPE,9,14),
    ("a key in small letters", WORKER+"    dockercommand: x\n", Rule.UNKNOWN_KEY,8,5),
    ("no instances", WORKER+"    numInstances: 0\n", Rule.WRONG_VALUE,8,19),
    ("an image as a text", WORKER.replace("python","image")+"    image: example.org/a:1\n", Rule.WRONG_TYPE,8,12),
    ("a name of nothing", WORKER.replace("consumer",'""'), Rule.WRONG_VALUE,3,11),
    ("truth for a variable", WORKER+"    envVars:\n      - key: A\n        value: true\n", Rule.WRONG_TYPE,10,16),
    ("credentials in short", WORKER+"    registryCredential: mine\n", Rule.WRONG_TYPE,8,25),
    ("nothing for services", "services:\n", Rule.WRONG_TYPE,1,10),
    ("a service that is a text", "services:\n  - worker\n", Rule.WRONG_TYPE,2,5),
)  # fmt: skip
ODD: tuple[tuple[str, str], ...] = (
    ("windows", "\ufeff"+WORKER.replace("\n","\r\n")),
    ("json", '{"services": [{"type": "worker", "name": "a", "runtime": "python", "plan": "starter", "buildCommand": "x", "startCommand": "y"}]}'),
    ("anchors", "services:\n  - &one\n    type: worker\n    name: a\n    runtime: python\n    plan: starter\n    buildCommand: &b pip install .\n    startCommand: y\n    envVars: &v\n      - {key: A, value: ''}\n      - {key: PORT, value: 8080}\n  - <<: *one\n    name: b\n    startCommand: z\n  - {type: web, name: c, runtime: python, buildCommand: *b, startCommand: w, envVars: *v}\n"),
    ("block scalars and document marks", "%YAML 1.2\n---\n# c\nservices:\n  - type: 'worker'\n    \"name\": a\n    runtime: python\n    plan: starter\n    buildCommand: |-\n      pip install . # not a comment: a\n      make x\n    startCommand: >-\n      run\n      this\n...\n"),
    ("off", "previews: {generation: off}\n"+WORKER+"    autoDeployTrigger: off\n"),
    ("store off, v6", "services:\n- type: keyvalue\n  name: c\n  persistenceMode: off\n  ipAllowList:\n  - source: 2001:db8::/32\n    description: a\n  - {source: 10.0.0.5/8}\n"),
    ("schedule", CRON+"    schedule: 0,30 8-18/2 1-15 JAN-JUN,12 mon-FRI\n"),
    ("schedule2", CRON+"    schedule: 5 4 * * 7\n"),
    ("compose of environments", "projects:\n- name: p\n  environments:\n  - name: production\n    networking: {isolation: enabled}\n    services:\n    - {name: w, type: pserv, runtime: image, image: {url: 'mysql:8'}, disk: {name: d, mountPath: /var/lib/mysql, sizeGB: 10}}\nungrouped:\n  databases: [{name: d2, postgresMajorVersion: '16', plan: basic-256mb}]\n"),
    ("tabs inside, trailing", WORKER+'    preDeployCommand: "a\\tb"   \t\n\n\n'),
    ("multi key spaces, unicode", WORKER.replace("consumer","größe-1")+"    envVars: []\n"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "rule", "line", "column"), [case[1:] for case in BROKEN], ids=[c[0] for c in BROKEN]
)
def test_what_is_broken_is_refused_at_its_place(
    text: str, rule: Rule, line: int, column: int
) -> None:
    found = errors(text)
    assert [(f.rule, f.line, f.column) for f in found] == [(rule, line, column)]
    assert found[0].remedy


@pytest.mark.parametrize("text", [case[1] for case in ODD], ids=[case[0] for case in ODD])
def test_of_what_is_odd_and_sound_nothing_is_said(text: str) -> None:
    assert check_blueprint(text, "render.yaml") == ()


def test_a_line_of_a_million_tabs_does_not_hold_up_the_check() -> None:
    assert errors(WORKER + "    region: ohio" + "\t" * 900_000 + "x\n")
