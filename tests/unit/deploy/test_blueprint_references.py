"""References, regions and variables between the resources of a Blueprint, from files that people wrote."""
# ruff: noqa: E501 - a table of one-line texts reads better unbroken

import pytest

from buildtools.deploy.blueprint_check import check_blueprint
from buildtools.deploy.blueprint_findings import Rule
from buildtools.findings import Severity
from tests.unit.deploy.test_blueprint_check import WORKER

ERROR, WARNING = Severity.ERROR, Severity.WARNING
VARS = WORKER + "    envVars:\n"
API = """\
  - type: web
    name: api
    runtime: docker
    envVars:
      - key: TOKEN
        generateValue: true
"""
STORE = "  - type: keyvalue\n    name: cache\n    ipAllowList: []\n"
OHIO = STORE + "    region: ohio\n"
GROUP = "envVarGroups:\n  - name: shared\n    envVars:\n      - key: A\n        value: b\n"
DATABASE = "databases:\n  - name: main\n    region: frankfurt\n"


def service(name: str, of: str, kind: str = "keyvalue") -> str:
    return f"      - key: A\n        fromService: {{type: {kind}, name: {name}, {of}}}\n"


# (what is odd, the text, severity, rule, line, column, words of the evidence)
SAID: tuple[tuple[str, str, Severity, Rule, int, int, str], ...] = (
    ("a key twice", VARS+"      - key: A\n        value: a\n      - key: B\n        value: a\n      - key: A\n        sync: false\n", ERROR, Rule.DUPLICATE_VARIABLE, 13, 14, "at line 9"),
    ("a group twice", VARS+"      - fromGroup: shared\n      - fromGroup: shared\n"+GROUP, ERROR, Rule.DUPLICATE_VARIABLE, 10, 20, "shared"),
    ("a key twice in a group", WORKER+GROUP+"      - key: A\n        value: c\n", ERROR, Rule.DUPLICATE_VARIABLE, 13, 14, "at line 11"),
    ("a group that is not there", VARS+"      - fromGroup: laudspeaker\n", WARNING, Rule.UNKNOWN_REFERENCE, 9, 20, "no group laudspeaker"),
    ("a group misspelt", VARS+"      - fromGroup: sharde\n"+GROUP, WARNING, Rule.UNKNOWN_REFERENCE, 9, 20, "did you mean shared?"),
    ("a service misspelt", VARS+service("cahce", "property: host")+STORE, WARNING, Rule.UNKNOWN_REFERENCE, 10, 45, "did you mean cache?"),
    ("a service's connection string", VARS+service("api", "property: connectionString", "web")+API, ERROR, Rule.WRONG_VALUE, 10, 55, "only a store"),
    ("a variable that nobody gives", VARS+service("api", "envVarKey: TOKNE", "web")+API, WARNING, Rule.UNKNOWN_REFERENCE, 10, 56, "api is given no TOKNE"),
    ("a store in another region", VARS+service("cache", "property: host")+OHIO, WARNING, Rule.OTHER_REGION, 10, 45, "in ohio and this service in oregon"),
    ("a database in another region", VARS+"      - key: A\n        fromDatabase: {name: main, property: host}\n"+DATABASE, WARNING, Rule.OTHER_REGION, 10, 30, "frankfurt"),
    ("a variable in a value", VARS+"      - key: URL\n        value: https://${HOST}/x\n", WARNING, Rule.INTERPOLATION, 10, 16, "${HOST}"),
    ("a secret of Actions", VARS+"      - key: URL\n        value: ${{ secrets.URL }}\n", WARNING, Rule.INTERPOLATION, 10, 16, "secrets.URL"),
    ("a store of a server's name", WORKER+STORE.replace("cache", "consumer"), WARNING, Rule.DUPLICATE_NAME, 9, 11, "at line 3"),
    ("a database for a service", VARS+service("main", "property: host", "pserv")+"databases:\n  - name: main\n", ERROR, Rule.UNKNOWN_REFERENCE, 10, 42, "main is a database, not a pserv"),
    ("variables under env", WORKER+"    env:\n      - key: A\n        value: b\n", ERROR, Rule.UNKNOWN_KEY, 8, 5, "variables stand under envVars"),
    ("a database among the services", "services:\n  - type: postgres\n    name: d\n    runtime: docker\n", ERROR, Rule.WRONG_VALUE, 2, 11, "under databases"),
    ("a workflow without repository", "services:\n  - type: workflow\n    name: w\n    runtime: docker\n    region: ohio\n    startCommand: run\n", ERROR, Rule.MISSING_KEY, 2, 5, "repo"),
)  # fmt: skip
SOUND: tuple[tuple[str, str], ...] = (
    ("a service's own value beside its group's", VARS+"      - fromGroup: shared\n      - key: A\n        value: own\n"+GROUP),
    ("the same variable of two services", VARS+"      - key: TOKEN\n        sync: false\n"+API),
    ("a variable of the group that the other takes", VARS+service("api", "envVarKey: A", "web")+API+"      - fromGroup: shared\n"+GROUP),
    ("a variable that another service is given", VARS+service("api", "envVarKey: TOKEN", "web")+API),
    ("all in one region", WORKER+"    region: ohio\n    envVars:\n"+service("cache", "property: connectionString")+OHIO),
    ("another service's variable across regions", WORKER+"    region: ohio\n    envVars:\n"+service("api", "envVarKey: TOKEN", "web")+API),
    ("a shell's variable in a command", WORKER.replace("startCommand: ", "startCommand: PORT=${PORT} ")),
    ("a group of a project", WORKER+"projects:\n  - name: p\n    envVarGroups:\n      - name: g\n        envVars:\n          - key: A\n            value: b\n    environments: []\n"),
    ("what Render gives", VARS+service("api", "envVarKey: RENDER_EXTERNAL_URL", "web")+API),
    ("a database of its service's name", VARS+"      - key: A\n        fromDatabase: {name: consumer, property: host}\ndatabases:\n  - name: consumer\n"),
    ("a group of its service's name", VARS+"      - fromGroup: consumer\n"+GROUP.replace("shared", "consumer")),
    ("a workflow", "services:\n  - type: workflow\n    name: w\n    runtime: python\n    region: ohio\n    repo: https://example.org/a\n    buildCommand: b\n    startCommand: s\n"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "severity", "rule", "place", "words"),
    [(*case[1:4], case[4:6], case[6]) for case in SAID],
    ids=[case[0] for case in SAID],
)
def test_what_does_not_fit_together_is_said_at_its_place(
    text: str, severity: Severity, rule: Rule, place: tuple[int, int], words: str
) -> None:
    (found,) = check_blueprint(text, "render.yaml")
    assert (found.severity, found.rule) == (severity, rule)
    assert (found.line, found.column) == place
    assert words in found.evidence


def test_a_worker_has_no_address() -> None:
    (found,) = check_blueprint(
        WORKER + API + service("consumer", "property: host", "worker"), "render.yaml"
    )
    assert (found.rule, found.severity) == (Rule.WRONG_VALUE, WARNING)
    assert "takes no connections" in found.evidence


@pytest.mark.parametrize("text", [case[1] for case in SOUND], ids=[case[0] for case in SOUND])
def test_of_what_fits_together_nothing_is_said(text: str) -> None:
    assert check_blueprint(text, "render.yaml") == ()


def test_a_store_and_a_server_of_one_name_are_told_apart_by_type() -> None:
    asked = (
        VARS
        + service("both", "property: connectionString")
        + service("both", "property: host", "web").replace("key: A", "key: B")
    )
    for pair in (STORE + API, API + STORE):
        text = asked + pair.replace("cache", "both").replace("name: api", "name: both")
        (found,) = check_blueprint(text, "render.yaml")
        assert (found.rule, found.severity) == (Rule.DUPLICATE_NAME, WARNING)
