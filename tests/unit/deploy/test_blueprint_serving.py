"""How a web service is started and asked for its health, from files that people wrote."""
# ruff: noqa: E501 - a table of one-line texts reads better unbroken

import pytest

from buildtools.deploy.blueprint_check import check_blueprint
from buildtools.deploy.blueprint_findings import Rule
from buildtools.findings import Severity

WEB = "services:\n  - type: web\n    name: api\n    runtime: python\n    buildCommand: pip install .\n    startCommand: {}\n"
DOCKER = "services:\n  - type: web\n    name: api\n    runtime: docker\n    {}: {}\n"
SOUND = WEB.format("uvicorn main:app --host 0.0.0.0 --port $PORT")
VARS = "    envVars:\n"

LOCAL = (
    "uvicorn main:app",
    "uvicorn main:app --port $PORT",
    "python -m uvicorn main:app --reload",
    "poetry run uvicorn main:app",
    "uv run hypercorn main:app",
    "exec uvicorn main:app --host 127.0.0.1 --port 10000",
    "uvicorn main:app --host=localhost",
    "gunicorn app:app -b 127.0.0.1:8000",
    "gunicorn app:app --bind localhost:$PORT",
    "flask --app main run",
    "fastapi dev main.py",
    "python manage.py migrate && python manage.py runserver",
    "python manage.py runserver 8000",
    "python manage.py runserver localhost:8000",
)
OPEN = (
    "uvicorn main:app --host 0.0.0.0 --port $PORT",
    "uvicorn main:app --uds /tmp/a.sock",
    "gunicorn app:app",
    "gunicorn app:app -k uvicorn.workers.UvicornWorker",
    "flask run --host 0.0.0.0",
    "flask run -h 0.0.0.0",
    "flask db upgrade && gunicorn app:app",
    "fastapi run main.py",
    "python manage.py migrate && gunicorn app.wsgi",
    "python manage.py runserver 0.0.0.0:$PORT",
    "psql -h localhost -c 'select 1' && gunicorn app:app",
    "python app.py",
)


@pytest.mark.parametrize("command", LOCAL)
def test_a_server_that_only_its_own_machine_reaches_is_told(command: str) -> None:
    (found,) = check_blueprint(WEB.format(command), "render.yaml")
    assert (found.rule, found.severity) == (Rule.LOCAL_ONLY, Severity.WARNING)
    assert (found.line, found.column) == (6, 19)


@pytest.mark.parametrize("command", OPEN)
def test_of_one_that_listens_to_all_nothing_is_said(command: str) -> None:
    assert check_blueprint(WEB.format(command), "render.yaml") == ()


@pytest.mark.parametrize(
    "entry",
    ["key: UVICORN_HOST\n        value: 0.0.0.0", "fromGroup: shared"],
    ids=["a variable", "a group"],
)
def test_the_address_may_come_from_a_variable(entry: str) -> None:
    text = WEB.format("uvicorn main:app") + VARS + f"      - {entry}\n"
    assert all(f.rule is not Rule.LOCAL_ONLY for f in check_blueprint(text, "render.yaml"))


def test_a_worker_may_serve_whom_it_likes() -> None:
    text = WEB.format("uvicorn main:app").replace("type: web", "type: worker")
    assert check_blueprint(text, "render.yaml") == ()


@pytest.mark.parametrize("name", ["buildCommand", "startCommand"])
def test_an_image_runs_no_command_of_a_native_runtime(name: str) -> None:
    (found,) = check_blueprint(DOCKER.format(name, "n8n start"), "render.yaml")
    assert (found.rule, found.severity) == (Rule.COMMAND_NOT_RUN, Severity.WARNING)
    assert (found.line, found.column) == (5, 5)
    assert check_blueprint(DOCKER.format("dockerCommand", "n8n start"), "render.yaml") == ()


def test_a_path_begins_with_a_slash() -> None:
    (found,) = check_blueprint(SOUND + "    healthCheckPath: health\n", "render.yaml")
    assert (found.rule, found.severity) == (Rule.WRONG_VALUE, Severity.WARNING)
    assert (found.line, found.column) == (7, 22)
    assert check_blueprint(SOUND + "    healthCheckPath: /health\n", "render.yaml") == ()


@pytest.mark.parametrize("name", ["my key", "1ST", "A=B", "\u00dcBER"])
def test_a_name_that_no_variable_can_have_is_told(name: str) -> None:
    text = SOUND + VARS + f'      - key: "{name}"\n        value: x\n'
    (found,) = check_blueprint(text, "render.yaml")
    assert (found.rule, found.severity) == (Rule.WRONG_VALUE, Severity.WARNING)
    assert (found.line, found.column) == (8, 14)


def test_a_variable_without_a_name_is_told_once() -> None:
    text = SOUND + VARS + "      - sync: true\n"
    (found,) = check_blueprint(text, "render.yaml")
    assert found.rule is Rule.MISSING_KEY
