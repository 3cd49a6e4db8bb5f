"""The Blueprint: generated, brought up to date without losing a comment, compared."""

from pathlib import Path

import pytest

from buildtools.configuration import load_configuration
from buildtools.deploy.blueprint import drift, new_blueprint, updated_blueprint
from buildtools.deploy.blueprint_check import check_blueprint
from buildtools.deploy.service import RenderService, deployed_service, render_service
from buildtools.errors import CannotLookError, UsageError

TABLE = """
[tool.buildtools.render]
name = "consumer"
start = "database-consumer run"
python = "3.13.4"
region = "frankfurt"
key_value = "cache"
secrets = ["DB_PASSWORD"]
shutdown_seconds = 60
environment = { LOG_LEVEL = "info" }
"""

BY_HAND = """\
# The production Blueprint. Ask before you change the plan!
services:
  # the site, owned by another team
  - type: web
    name: site
    runtime: static   # built elsewhere
    staticPublishPath: ./public

  - type: worker
    startCommand: old-command   # replaced by the configuration
    name: consumer
    runtime: python
    plan: pro            # two instances need this
    numInstances: 2
    buildCommand: make
    envVars:
      - key: OWN   # not in the configuration
        value: "1"
      - key: LOG_LEVEL
        value: debug
"""


def service(tmp_path: Path, table: str = TABLE) -> RenderService:
    (tmp_path / "pyproject.toml").write_text("[tool.buildtools]\n" + table)
    return deployed_service(load_configuration(tmp_path), "1.2.3")


def test_what_is_generated_passes_the_linter(tmp_path: Path) -> None:
    text = new_blueprint(service(tmp_path))
    assert check_blueprint(text, "render.yaml") == ()
    assert "sync: false" in text
    assert "native-buildtools==1.2.3" in text


def test_generating_twice_changes_nothing(tmp_path: Path) -> None:
    asked = service(tmp_path)
    text = new_blueprint(asked)
    assert updated_blueprint(text, asked) == text
    assert drift(text, asked, "render.yaml") == ""


def test_a_blueprint_written_by_hand_keeps_comments_order_and_what_is_its_own(
    tmp_path: Path,
) -> None:
    text = updated_blueprint(BY_HAND, service(tmp_path))
    for kept in (
        "# The production Blueprint. Ask before you change the plan!",
        "# the site, owned by another team",
        "runtime: static   # built elsewhere",
        "# two instances need this",
        "numInstances: 2",
        "# not in the configuration",
    ):
        assert kept in text
    assert text.index("name: site") < text.index("name: consumer") < text.index("name: cache")
    assert "startCommand: database-consumer run" in text
    assert "value: debug" not in text
    assert check_blueprint(text, "render.yaml") == ()


def test_drift_is_shown_as_a_difference(tmp_path: Path) -> None:
    asked = service(tmp_path)
    changed = new_blueprint(asked).replace("value: info", "value: debug")
    shown = drift(changed, asked, "render.yaml")
    assert "-        value: debug" in shown
    assert "+        value: info" in shown


@pytest.mark.parametrize("text", ["- a\n- b\n", "services: 3\n", "services: [\n"])
def test_what_is_no_blueprint_is_not_overwritten(tmp_path: Path, text: str) -> None:
    with pytest.raises(CannotLookError):
        updated_blueprint(text, service(tmp_path))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('name = "consumer"', 'name = "Consumer!"', "name: must be set"),
        ('start = "database-consumer run"', "", "start: must be set"),
        ('python = "3.13.4"', 'python = "3.13"', "python: must be a whole version"),
        ('secrets = ["DB_PASSWORD"]', 'secrets = ["A B"]', "'A B' is no variable's name"),
        ("shutdown_seconds = 60", "shutdown_seconds = 900", "1 to 300"),
        ("shutdown_seconds = 60", "shutdown = 900", "shutdown: is not known"),
        ('region = "frankfurt"', "region = 3", "region: must be a text"),
        ('region = "frankfurt"', 'type = "cron"', "type: must be one of"),
        ('LOG_LEVEL = "info"', '"A=B" = "info"', "is no variable's name"),
    ],
)
def test_a_mistake_in_the_configuration_is_told_with_its_key(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    with pytest.raises(UsageError) as caught:
        service(tmp_path, TABLE.replace(old, new))
    assert says in str(caught.value)


def test_the_repositorys_own_blueprint_is_up_to_date() -> None:
    root = Path(__file__).resolve().parents[3]
    asked = render_service(load_configuration(root), "unused")
    text = (root / "render.yaml").read_text(encoding="utf-8")
    assert drift(text, asked, "render.yaml") == ""
    assert check_blueprint(text, "render.yaml") == ()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[project]\nname = "My_App.web"\n', "my-app-web"),
        ('[project]\nname = "My_App.web"\n[tool.buildtools.render]\nname = "own"\n', "own"),
        ("", "a-checkout"),
    ],
)
def test_a_project_without_a_table_has_a_build_command_but_no_blueprint(
    tmp_path: Path, text: str, named: str
) -> None:
    folder = tmp_path / "A checkout"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(text)
    configuration = load_configuration(folder)
    found = render_service(configuration, "1.2.3")
    assert found.name == named
    assert "native-buildtools==1.2.3" in found.build
    with pytest.raises(UsageError, match="start: must be set"):
        deployed_service(configuration, "1.2.3")
