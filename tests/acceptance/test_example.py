"""The example service, as its owner has it: from the built wheel, broken by a Mac, mended by nox.

Everything happens in copies outside of the checkout.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.acceptance.conftest import ROOT, make_venv
from tests.integration.mariadb_server import MariaDbServer

pytestmark = pytest.mark.network

EXAMPLE = ROOT / "examples" / "web-service"
MACHO = ROOT / "tests" / "corpus" / "binaries" / "macho-arm64-macos11.so"
PATIENCE = 60.0
MODULES = ("pysqlite3/_sqlite3", "MySQLdb/_mysql")


ACTION = "./.native-buildtools"
"""Where the example's workflow checks the toolchain out, and takes the action from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A copy of the example with an environment of its own, and the tools beside it."""

    folder: Path
    tools: Path
    wheels: Path

    @property
    def site(self) -> Path:
        return next((self.folder / ".venv" / "lib").glob("python3*")) / "site-packages"

    def environment(self, **variables: str) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        links = [*kept.get("PIP_FIND_LINKS", "").split(), str(self.wheels)]
        return {**kept, "PIP_FIND_LINKS": " ".join(links), **variables}

    def run(self, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one of the tools in the project's folder."""
        return subprocess.run(
            [self.tools / program, *words],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )

    def rebuild_native(self) -> str:
        """``nox -s rebuild-native``, which must end well; what it said."""
        done = self.run("nox", "-s", "rebuild-native")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def natives(self) -> list[Path]:
        return [path for name in MODULES for path in self.site.glob(f"{name}*.so")]

    @contextlib.contextmanager
    def served(self, **variables: str) -> Iterator[str]:
        """The service on a free port of 127.0.0.1; its address."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        said = self.folder / "said.log"
        words = [str(self.folder / ".venv/bin/python"), "service.py", "--host", "127.0.0.1"]
        with said.open("wb") as log:
            process = subprocess.Popen(
                [*words, "--port", str(port)],
                cwd=self.folder,
                env=self.environment(**variables),
                stdout=log,
                stderr=log,
            )
        try:
            wait_for(port, process, said)
            yield f"http://127.0.0.1:{port}/notes"
        finally:
            process.kill()
            process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes], said: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(said.read_text(errors="replace"))


def ask(url: str, note: str | None = None) -> object:
    """One request: a note is posted, without one they are listed."""
    data = None if note is None else note.encode()
    with urllib.request.urlopen(url, data=data, timeout=PATIENCE) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def service(project_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """The example after its first ``nox -s rebuild-native``, as a new owner runs it."""
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(
        EXAMPLE,
        folder / "web-service",
        ignore=shutil.ignore_patterns(".venv", ".nox", "wheelhouse", "notes.db", "__pycache__"),
    )
    python = make_venv(folder / "tools", str(project_wheel), "nox")
    service = Service(
        folder=folder / "web-service", tools=python.parent, wheels=project_wheel.parent
    )
    service.rebuild_native()
    return service


def break_like_a_mac(service: Service) -> None:
    """Copy a Mac's environment over this one's: its modules in the place of Linux' own."""
    for module in service.natives():
        stem = module.name.partition(".")[0]
        tag = f"cpython-{sys.version_info.major}{sys.version_info.minor}"
        shutil.copy(MACHO, module.with_name(f"{stem}.{tag}-darwin.so"))
        module.write_bytes(MACHO.read_bytes())


def served_with(service: Service, variables: Mapping[str, str]) -> list[object]:
    with service.served(**variables) as url:
        return [ask(url, "añejo"), ask(url)]


def test_the_service_serves_from_sqlite(service: Service) -> None:
    database = {"DATABASE_URL": "sqlite:///first.db"}
    assert served_with(service, database) == [{"id": 1}, [{"id": 1, "text": "añejo"}]]


def test_the_service_serves_from_mariadb(service: Service, tmp_path: Path) -> None:
    with MariaDbServer(tmp_path / "mariadb") as server:
        database = {"DATABASE_URL": server.url()}
        assert served_with(service, database) == [{"id": 1}, [{"id": 1, "text": "añejo"}]]


def test_a_macs_environment_breaks_it_and_nox_mends_it(service: Service) -> None:
    assert len(service.natives()) == len(MODULES)
    break_like_a_mac(service)
    python = service.folder / ".venv/bin/python"
    for driver in ("pysqlite3", "MySQLdb"):
        broken = subprocess.run(
            [python, "-c", f"import {driver}"], capture_output=True, check=False
        )
        assert b"invalid ELF header" in broken.stderr
    told = service.run("buildtools", "doctor", "--python", str(python.parent.parent))
    assert told.returncode == 1
    assert "foreign-format" in told.stdout
    said = service.rebuild_native()
    assert "mysqlclient" in said
    database = {"DATABASE_URL": "sqlite:///mended.db"}
    assert served_with(service, database) == [{"id": 1}, [{"id": 1, "text": "añejo"}]]
    subprocess.run([python, "-c", "import MySQLdb"], check=True)


def test_the_mac_itself_is_stopped_before_the_push(service: Service, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(EXAMPLE, checkout)
    venv = checkout / ".venv"
    (venv / "lib/python3.13/site-packages/pysqlite3").mkdir(parents=True)
    (venv / "pyvenv.cfg").write_text("home = /opt/homebrew/bin\nversion = 3.13.9\n")
    module = "lib/python3.13/site-packages/pysqlite3/_sqlite3.cpython-313-darwin.so"
    shutil.copy(MACHO, venv / module)
    words = ["doctor", str(checkout), "--target", "render", "--json"]
    done = service.run("buildtools", *words)
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document["target"]["python"] == "3.13"
    found = {(one["path"], one["severity"]) for one in document["findings"]}
    assert {(f".venv/{module}", "error"), (".venv", "warning")} <= found


def test_the_blueprint_is_what_the_configuration_says(service: Service) -> None:
    done = service.run("buildtools", "render", "blueprint", "--check", "render.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    command = service.run("buildtools", "render", "command").stdout.strip()
    blueprint = yaml.safe_load((EXAMPLE / "render.yaml").read_text())
    assert blueprint["services"][0]["buildCommand"] == command


def test_the_build_command_brings_the_service_up(service: Service) -> None:
    command = service.run("buildtools", "render", "command").stdout.strip()
    own = service.folder / ".venv-of-render"
    subprocess.run([sys.executable, "-m", "venv", own], check=True)
    variables = {"RENDER": "true", "PATH": f"{own / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=service.folder,
        env=service.environment(**variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("native-buildtools: render build ok: pysqlite3")
    python = [str(own / "bin/python"), "-c", "import MySQLdb, service; service.self_check()"]
    subprocess.run(python, cwd=service.folder, check=True)


def test_the_actions_steps_mend_the_service(service: Service, tmp_path: Path) -> None:
    break_like_a_mac(service)
    workflow = yaml.safe_load((EXAMPLE / ".github/workflows/native.yml").read_text())
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    (step,) = [step for step in workflow["jobs"]["drivers"]["steps"] if step.get("uses") == ACTION]
    known = {f"inputs.{key}": str(value["default"]) for key, value in action["inputs"].items()}
    known |= {f"inputs.{key}": str(value) for key, value in step["with"].items()}
    known["github.action_path"] = str(ROOT)
    runner = {"RUNNER_TEMP": str(tmp_path), "GITHUB_OUTPUT": str(tmp_path / "output")}
    for one in action["runs"]["steps"]:
        named = {
            key: known[value.removeprefix("${{").removesuffix("}}").strip()]
            for key, value in one["env"].items()
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", one["run"]],
            cwd=service.folder,
            env=service.environment(**runner, **named),
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    report = Path((tmp_path / "output").read_text().strip().removeprefix("report="))
    document = json.loads(report.read_text())
    assert {entry["status"] for entry in document["drivers"]} == {"ok"}
    python = [str(service.folder / ".venv/bin/python"), "-c", "import MySQLdb, pysqlite3"]
    subprocess.run(python, check=True)


def test_the_workflow_gives_the_action_what_it_takes() -> None:
    workflow = yaml.safe_load((EXAMPLE / ".github/workflows/native.yml").read_text())
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    steps = workflow["jobs"]["drivers"]["steps"]
    (step,) = [step for step in steps if step.get("uses") == ACTION]
    assert set(step["with"]) <= set(action["inputs"])
    # The step before it brings the repository in which the action is, from where its owner says.
    brought = steps[steps.index(step) - 1]["with"]
    assert f"./{brought['path']}" == ACTION
    assert brought["repository"] == "${{ vars.NATIVE_BUILDTOOLS }}"
