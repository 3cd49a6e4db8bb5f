"""Locks by the real pip-tools and the real index: the host's own, and those of other machines."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from buildtools.deploy.locks import Lock, LockRequest, compile_lock, full_version
from buildtools.errors import NoWheelError
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
