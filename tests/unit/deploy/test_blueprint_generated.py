"""Whatever the configuration, the Blueprint is sound: by this linter and by Render's schema."""

from typing import Any

import jsonschema
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from buildtools.deploy.blueprint import new_blueprint, updated_blueprint
from buildtools.deploy.blueprint_check import check_blueprint
from buildtools.deploy.service import RenderService
from buildtools.findings import Severity
from tests.unit.deploy.schema_copy import render_schema

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
VARIABLES = st.from_regex(r"[A-Z][A-Z_]{2,12}", fullmatch=True).map(lambda name: f"X_{name}")
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=20)
"""Of every script, with every sign that means something to YAML."""


@st.composite
def services(draw: st.DrawFn) -> RenderService:
    names = draw(st.lists(NAMES, min_size=2, max_size=2, unique=True))
    secrets = draw(st.lists(VARIABLES, unique=True, max_size=4))
    plain = draw(st.dictionaries(VARIABLES.filter(lambda name: name not in secrets), TEXTS))
    kind = draw(st.sampled_from(["worker", "web", "pserv"]))
    return RenderService(
        name=names[0],
        type=kind,
        plan=draw(st.sampled_from(["starter", "standard", "pro"])),
        region=draw(st.sampled_from(["", "oregon", "frankfurt"])),
        python=draw(st.sampled_from(["", "3.13.9", "3.12.0"])),
        build=draw(st.sampled_from(["make", "bash scripts/build.sh", 'echo "a: b" # c'])),
        start=draw(st.sampled_from(["run", "run --port $PORT", "- odd", "yes", "1e3", "'"])),
        branch=draw(st.sampled_from(["", "main", "on", "release/1.0"])),
        key_value=draw(st.sampled_from(["", names[1]])),
        secrets=tuple(secrets),
        environment={key: value for key, value in plain.items() if "TOKEN" not in key},
        shutdown_seconds=draw(st.one_of(st.none(), st.integers(1, 300))),
        health_check="/healthz" if kind == "web" and draw(st.booleans()) else "",
    )


@settings(max_examples=40)
@given(services())
def test_what_is_generated_passes_the_linter_and_is_complete(service: RenderService) -> None:
    text = new_blueprint(service)
    found = check_blueprint(text, "render.yaml")
    # A variable may look like a secret by its generated name; nothing else may be said.
    assert {one.rule.value for one in found if one.severity is Severity.ERROR} <= {
        "blueprint-plaintext-secret"
    }
    main: dict[str, Any] = yaml.safe_load(text)["services"][0]
    variables = {one["key"]: one for one in main["envVars"]}
    assert main["startCommand"] == service.start
    for key, value in service.environment.items():
        assert variables[key] == {"key": key, "value": value}
    for key in service.secrets:
        assert variables[key] == {"key": key, "sync": False}
    assert updated_blueprint(text, service) == text


def test_what_is_generated_passes_renders_schema() -> None:
    schema = render_schema()
    validator = jsonschema.validators.validator_for(schema)(schema)

    @settings(max_examples=40)
    @given(services())
    def holds(service: RenderService) -> None:
        validator.validate(yaml.safe_load(new_blueprint(service)))

    holds()
