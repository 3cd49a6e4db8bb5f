"""Locks by the real pip-tools and the real index: the host's own, and those of other machines."""

import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from buildtools.deploy.locks import Lock, LockRequest, compile_lock, full_version
from buildtools.errors import CannotLookError, NoWheelError, UsageError
from buildtools.host import host_target, interpreter_facts
from buildtools.targets import parse_target

pytestmark = pytest.mark.network

REQUIREMENTS = """\
SQLAlchemy>=2
mysqlclient
uvloop; sys_platform == "linux"
appnope; sys_platform == "darwin"
distro; platform_machine == "aarch64"
async-timeout; python_full_version < "3.11.3"
"""


def locked(folder: Path, spec: str, requirements: str = REQUIREMENTS) -> Lock:
    source = folder / "requirements.in"
    source.write_text(requirements)
    target = host_target() if spec == "host" else parse_target(spec, {})
    assert target.python is not None
    request = LockRequest(
        target=target,
        inputs=(source,),
        folder=folder / "locks",
        python_full=full_version(target.python, [interpreter_facts().version]),
    )
    return compile_lock(request, lambda _pin, _target: None)


def names(text: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))


def test_the_hosts_lock_is_what_pip_tools_writes(tmp_path: Path) -> None:
    ours = locked(tmp_path, "host")
    theirs = tmp_path / "theirs.txt"
    subprocess.run(
        [
            *(sys.executable, "-m", "piptools", "compile", "--quiet", "--no-config"),
            *("--generate-hashes", "--strip-extras", "--allow-unsafe", "--no-emit-index-url"),
            *("--no-emit-trusted-host", "--no-emit-find-links", "--output-file", theirs),
            "requirements.in",
        ],
        check=True,
        cwd=tmp_path,
        env={**os.environ, "CUSTOM_COMPILE_COMMAND": "buildtools lock"},
    )
    assert ours.text == theirs.read_text()


AS_A_MAC = """\
import os, platform, sys
import pip._internal.commands.install, pip._internal.network.session
from piptools.scripts.compile import cli
sys.platform = "darwin"
platform.system = lambda: "Darwin"
platform.machine = lambda: "arm64"
platform.release = platform.version = lambda: ""
platform.mac_ver = lambda *_: ("14.0", ("", "", ""), "arm64")
cli(sys.argv[1:])
"""
"""Another way to a Mac's lock: the facts of the machine are faked, and pip draws its own markers
and tags from them. It proves what follows from these facts, not a Mac: none is at hand."""


def test_a_macs_lock_is_what_pip_tools_writes_where_every_fact_is_a_macs(tmp_path: Path) -> None:
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    ours = locked(tmp_path, f"darwin/arm64/macos14/{python}")
    assert {"appnope", "mysqlclient"} <= names(ours.text)
    theirs = tmp_path / "theirs.txt"
    subprocess.run(
        [
            *(sys.executable, "-c", AS_A_MAC, "--quiet", "--no-config", "--generate-hashes"),
            *("--strip-extras", "--allow-unsafe", "--no-emit-index-url", "--no-emit-find-links"),
            *("--no-emit-trusted-host", "--output-file", theirs, "requirements.in"),
        ],
        check=True,
        cwd=tmp_path,
        env={**os.environ, "CUSTOM_COMPILE_COMMAND": "buildtools lock"},
    )
    assert ours.text == theirs.read_text()


def test_markers_are_the_targets(tmp_path: Path) -> None:
    mac = names(locked(tmp_path, "darwin/arm64/cp312").text)
    server = names(locked(tmp_path, "linux/aarch64/cp312").text)
    assert mac >= {"appnope", "sqlalchemy", "mysqlclient"}
    assert not mac & {"uvloop", "distro", "async-timeout"}
    assert server >= {"uvloop", "distro", "sqlalchemy"}
    assert not server & {"appnope", "async-timeout"}


def test_a_second_lock_keeps_the_versions_of_the_first(tmp_path: Path) -> None:
    first = locked(tmp_path, "linux/aarch64/cp312", "idna<3.7\n")
    (tmp_path / "locks").mkdir()
    first.path.write_text(first.text)
    second = locked(tmp_path, "linux/aarch64/cp312", "idna\n")
    assert re.findall(r"^idna==\S+", first.text, re.MULTILINE) == re.findall(
        r"^idna==\S+", second.text, re.MULTILINE
    )


def test_no_host_name_stands_in_a_lock(tmp_path: Path) -> None:
    assert "://" not in locked(tmp_path, "linux/aarch64/cp312", "idna\n").text


def test_what_cannot_be_satisfied_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoWheelError) as caught:
        locked(tmp_path, "linux/aarch64/cp312", "idna==0.0.0.1\n")
    assert "idna" in caught.value.why


def test_an_index_that_does_not_answer_is_told_from_a_missing_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:hidden@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(CannotLookError, match="index-unreachable") as caught:
        locked(tmp_path, "linux/aarch64/cp312", "idna\n")
    assert "no answer about idna" in caught.value.why
    assert "hidden" not in str(caught.value)


def test_requirements_that_contradict_each_other_are_both_named(tmp_path: Path) -> None:
    with pytest.raises(NoWheelError) as caught:
        locked(tmp_path, "linux/aarch64/cp312", "idna==3.6\nidna==3.7\n")
    assert "idna==3.6" in caught.value.why
    assert "idna==3.7" in caught.value.why
    assert "Traceback" not in str(caught.value)


def test_a_line_that_is_no_requirement_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read") as caught:
        locked(tmp_path, "linux/aarch64/cp312", "idna\nno requirement !!\n")
    assert "line 2" in caught.value.why


def test_a_constraint_comes_with_its_path_from_the_project(tmp_path: Path) -> None:
    (tmp_path / "below.txt").write_text("idna<3.7\n")
    text = locked(tmp_path, "linux/aarch64/cp312", "-c below.txt\nidna\n").text
    assert "-c below.txt" in text
    assert str(tmp_path) not in text


def test_hashes_that_were_changed_in_a_lock_are_drift(tmp_path: Path) -> None:
    """What stands in the lock is no proof: everything is asked for again."""
    links, project = tmp_path / "links", tmp_path / "project"
    links.mkdir()
    project.mkdir()
    wheel = links / "thing-1.0-cp312-cp312-manylinux_2_17_x86_64.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("thing.py", "")
        archive.writestr(
            "thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n"
        )
        archive.writestr("thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        archive.writestr("thing-1.0.dist-info/RECORD", "")
    (project / "requirements.in").write_text("thing\n")
    (project / "pyproject.toml").write_text("[tool.buildtools]\n")
    words = [sys.executable, "-m", "buildtools", "lock", "--target", "linux/x86_64/cp312", "--json"]
    environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links)}

    def lock(*more: str) -> dict[str, Any]:
        done = subprocess.run(
            [*words, *more], cwd=project, env=environment, capture_output=True, check=False
        )
        assert done.returncode in {0, 1}, done.stderr
        (one,) = json.loads(done.stdout)["locks"]
        return {**one, "code": done.returncode}

    assert lock()["code"] == 0
    assert lock("--check")["drift"] == []
    written = project / "locks" / "linux-x86_64-cp312.txt"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    written.write_text(written.read_text().replace(digest, "0" * 64))
    drifted = lock("--check")
    assert (drifted["code"], drifted["changed"]) == (1, True)
    assert drifted["drift"] == ["thing==1.0: its hashes are not those of the index"]
