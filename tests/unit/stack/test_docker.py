"""The Docker engine's judgements, without an engine: whose, where, how it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from buildtools.errors import UsageError
from buildtools.stack.compose import FILES
from buildtools.stack.containers import Container, foreign_folder, mode_of, state_of
from buildtools.stack.docker_endpoint import Endpoint, refuse_remote
from buildtools.stack.docker_volumes import FOLDER, foreign
from buildtools.stack.engines import choose
from buildtools.stack.memory import remember, remembered_engine, remembered_mode
from buildtools.stack.reset import environment_refusals, is_local
from buildtools.stack.services import services
from buildtools.stack.settings import Mode
from buildtools.stack.states import EngineName
from buildtools.stack.trouble import StackError
from tests.unit.stack.values import settings


def container(
    *,
    status: str = "running",
    health: str = "healthy",
    code: int = 0,
    labels: dict[str, str] | None = None,
) -> Container:
    return Container(
        name="shop-kafka-1",
        service="kafka",
        status=status,
        health=health,
        said="refused",
        code=code,
        restarts=3,
        pid=12,
        labels=labels or {},
        handle=None,
    )


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("unix:///var/run/docker.sock", True),
        ("/var/run/docker.sock", True),
        ("npipe:////./pipe/docker_engine", True),
        ("tcp://127.0.0.1:2375", True),
        ("tcp://[::1]:2375", True),
        ("", True),
        ("tcp://build.example.org:2376", False),
        ("tcp://127.0.0.1.example.org:2376", False),
        ("tcp://0.0.0.0:2375", False),
        ("tcp://[broken", False),
        ("ssh://me@localhost", False),
        ("fancy://127.0.0.1", False),
        ("build.example.org:2375", False),
    ],
)
def test_which_engines_are_this_machines(address: str, here: bool) -> None:  # noqa: FBT001
    assert is_local(address) is here


def test_a_remote_engine_is_refused_with_its_context_and_without_its_password() -> None:
    there = Endpoint(context="far", host="tcp://me:hidden-secret@build.example.org:2376")
    with pytest.raises(StackError, match="not this machine's") as caught:
        refuse_remote(there)
    assert "context far" in str(caught.value)
    assert "hidden-secret" not in str(caught.value)
    refuse_remote(Endpoint(context="default", host="unix:///var/run/docker.sock"))


def test_a_reset_is_refused_for_a_remote_docker_host() -> None:
    (said,) = environment_refusals({"x": {"DOCKER_HOST": "ssh://me@build.example.org"}})
    assert said == "DOCKER_HOST is ssh://me@build.example.org, which is not this machine (x)"


@pytest.mark.parametrize(
    ("one", "waits", "word", "why"),
    [
        (None, "", "down", ""),
        (container(status="created", health=""), "", "down", ""),
        (container(), "", "healthy", ""),
        (container(health=""), "", "running", ""),
        (container(health="starting"), "", "starting", "its health check has not passed yet"),
        (container(health="starting"), "waiting: for it", "waiting", "for it"),
        (container(health="unhealthy"), "", "starting", "refused"),
        (container(status="exited", code=137), "", "exited", "exited, last with exit code 137"),
        (
            container(status="restarting", code=1),
            "",
            "exited",
            "restarting, last with exit code 1",
        ),
    ],
)
def test_one_word_says_how_a_container_stands(
    tmp_path: Path, *, one: Container | None, waits: str, word: str, why: str
) -> None:
    kafka = services(settings(tmp_path), Mode.KRAFT)[0]
    found = state_of(kafka, one, waits)
    assert (found.word, found.why) == (word, why)
    assert (found.pid is not None) is (word in {"healthy", "running", "starting", "waiting"})


def test_a_container_that_answers_is_healthy_before_its_own_check_has_passed(
    tmp_path: Path,
) -> None:
    kafka = services(settings(tmp_path), Mode.KRAFT)[0]
    assert state_of(kafka, container(health="starting"), "", answers=True).word == "healthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    attrs: dict[str, object] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (None, "has no label"),
        ({}, "has no label"),
        ({"com.docker.compose.project": "other"}, "of project other"),
        ({"com.docker.compose.project": "shop", "com.docker.compose.volume": "x"}, "volume x"),
        ({"com.docker.compose.project": "shop", "com.docker.compose.volume": "kafka-data"}, ""),
    ],
)
def test_a_volume_is_the_projects_by_its_labels_alone(
    tmp_path: Path, labels: dict[str, str] | None, said: str
) -> None:
    why = foreign(Volume(attrs={"Labels": labels}), "kafka-data", settings(tmp_path))
    assert said in why
    assert bool(why) is bool(said)


def test_a_volume_is_its_folders_while_that_has_a_stack(tmp_path: Path) -> None:
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
    mine, other = settings(tmp_path / "mine"), tmp_path / "other"
    labels = {
        "com.docker.compose.project": "shop",
        "com.docker.compose.volume": "kafka-data",
        FOLDER: str(other),
    }
    volume = Volume(attrs={"Labels": labels})
    assert foreign(volume, "kafka-data", mine) == ""  # moved here from there
    theirs = settings(other)
    assert foreign(volume, "kafka-data", mine) == f"it belongs to the stack in {other}"
    assert foreign(volume, "kafka-data", theirs) == ""


def test_the_mode_is_that_of_the_brokers_compose_file() -> None:
    for mode, name in FILES.items():
        labels = {"com.docker.compose.project.config_files": f"/x/stack/{name},/x/own.yaml"}
        assert mode_of({"kafka": container(labels=labels)}) is mode
    assert mode_of({}) is None
    assert mode_of({"kafka": container()}) is None


def test_containers_of_another_folder_are_not_this_stacks(tmp_path: Path) -> None:
    made = settings(tmp_path)
    label = "com.docker.compose.project.working_dir"
    for own in (tmp_path, tmp_path / "stack"):
        assert not foreign_folder({"kafka": container(labels={label: str(own)})}, made)
    said = foreign_folder({"kafka": container(labels={label: "/elsewhere"})}, made)
    assert "belongs to the stack in /elsewhere" in said


def test_the_last_start_is_remembered(tmp_path: Path) -> None:
    made = settings(tmp_path)
    assert (remembered_mode(made), remembered_engine(made)) == (None, None)
    remember(made, Mode.KRAFT, EngineName.DOCKER)
    assert (remembered_mode(made), remembered_engine(made)) == (Mode.KRAFT, EngineName.DOCKER)
    (made.folder / "state.json").write_text("[]")
    assert (remembered_mode(made), remembered_engine(made)) == (None, None)


@pytest.mark.parametrize(
    ("asked", "variables", "name", "why"),
    [
        ("process", {}, "process", "--engine names it"),
        ("docker", {"STACK_ENGINE": "process"}, "docker", "--engine names it"),
        (None, {"STACK_ENGINE": "docker"}, "docker", "STACK_ENGINE names it"),
        ("auto", {"STACK_ENGINE": "docker"}, "process", "Docker is not on this machine"),
        (None, {}, "process", "Docker is not on this machine"),
    ],
)
def test_the_engine_is_the_one_that_was_asked_for(
    tmp_path: Path, *, asked: str | None, variables: dict[str, str], name: str, why: str
) -> None:
    found = choose(asked, settings(tmp_path), {"PATH": "/nonexistent", **variables})
    assert found.name == name
    assert why in found.why


def test_auto_goes_on_with_the_engine_that_has_the_data(tmp_path: Path) -> None:
    made = settings(tmp_path)
    remember(made, Mode.KRAFT, EngineName.DOCKER)
    found = choose("auto", made, {"PATH": "/nonexistent"})
    assert (found.name, found.why) == ("docker", "the stack was last started by it")


def test_an_engine_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="names no engine"):
        choose(None, settings(tmp_path), {"STACK_ENGINE": "podman"})
