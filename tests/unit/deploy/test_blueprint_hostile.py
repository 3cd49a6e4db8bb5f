"""Text that is out to hurt: an answer with line and column, soon, and never a traceback."""

import json
from pathlib import Path

import pytest

from buildtools.cli import run_command_line
from buildtools.deploy.blueprint_check import check_blueprint
from buildtools.deploy.blueprint_findings import Rule
from buildtools.deploy.blueprint_reading import DEEPEST
from buildtools.deploy.service_python import stated_pythons
from buildtools.environment import scan


def nested_aliases() -> str:
    """Two hundred aliases on each of four levels: 1,600,000,000 when they are followed."""
    variables = ", ".join(f"{{key: K{n}, value: x}}" for n in range(200))
    service = f"{{type: worker, name: w, runtime: go, envVars: [{variables}]}}"
    environment = f"{{name: e, services: [&s {service}{', *s' * 200}]}}"
    project = f"{{name: a, environments: [&e {environment}{', *e' * 200}]}}"
    return f"projects: [&p {project}{', *p' * 200}]\n"


MERGES = "a: &a {services: []}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{below}'] * 10)}]}}\n"
    for below, name in zip("abcdefghi", "bcdefghij", strict=True)
) + "services:\n  - <<: *j\n    envVars: [{key: PYTHON_VERSION, value: 3.12.1}]\n"  # fmt: skip

HOSTILE = [
    ("deep list", "[" * 3000, Rule.NOT_YAML, (1, DEEPEST + 1)),
    ("deep mapping", "{a: " * 3000, Rule.NOT_YAML, (1, 4 * DEEPEST - 2)),
    ("tab", "services:\n\t- type: web\n", Rule.NOT_YAML, (2, 1)),
    ("NUL", "services:\n  - type: \x00\n", Rule.NOT_YAML, (2, 11)),
    ("surrogate", "a: \ud800", Rule.NOT_YAML, (1, 4)),
    ("two documents", "services: []\n---\nservices: []\n", Rule.NOT_YAML, (2, 1)),
    ("unknown alias", "services: *x\n", Rule.NOT_YAML, (1, 11)),
    ("empty", "", Rule.MISSING_KEY, (1, 1)),
    ("only a comment", "# nothing\n", Rule.MISSING_KEY, (1, 1)),
    ("ten megabytes", "#" * (10 << 20), Rule.NOT_YAML, (1, 1)),
    ("twice", "services: []\nservices: []\n", Rule.DUPLICATE_KEY, (2, 1)),
    ("an object", "services: !!python/object/apply:os.getcwd []\n", None, None),
    ("aliases", nested_aliases(), Rule.DUPLICATE_NAME, (1, 88)),
    ("merges", MERGES, Rule.UNKNOWN_KEY, (1, 1)),
]


@pytest.mark.parametrize(
    ("text", "rule", "place"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE]
)
def test_hostile_text_is_told_with_its_place(
    text: str, rule: Rule | None, place: tuple[int, int] | None
) -> None:
    found = check_blueprint(text, "render.yaml")
    if rule is not None:
        assert (found[0].rule, (found[0].line, found[0].column)) == (rule, place)
    assert len(found) < 30


def test_bytes_that_are_not_utf8_are_told_with_their_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "render.yaml"
    file.write_bytes("# größer\nservices:\n  - name: ".encode() + b"caf\xe9\n")
    assert run_command_line(["render", "check", str(file), "--json"]) == 1
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["cause"], finding["line"], finding["column"]) == ("blueprint-not-yaml", 3, 14)
    assert "0xe9" in finding["evidence"]


def test_merged_fields_count_and_are_checked() -> None:
    text = (
        "services:\n  - &base {type: worker, name: a, runtime: go, buildCommand: b,"
        " startCommand: c, plan: starter}\n  - <<: *base\n    name: b\n    planet: x\n"
    )
    found = check_blueprint(text, "render.yaml")
    assert [(one.rule, one.line) for one in found] == [(Rule.UNKNOWN_KEY, 5)]


def test_a_hostile_blueprint_does_not_hold_up_the_look_before_the_push(tmp_path: Path) -> None:
    (tmp_path / "render.yaml").write_text(MERGES)
    tree = scan(tmp_path)
    assert [one.text for one in stated_pythons(tree.files, str(tmp_path))] == ["3.12.1"]
