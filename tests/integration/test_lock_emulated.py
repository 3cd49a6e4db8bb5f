"""A foreign target's lock against the real thing: pip-tools on an aarch64 Python, under qemu.

Requirements that have wheels: pip asks a source distribution's backend in a child process, and an
aarch64 program starts no children of its own kind where the kernel does not know the emulator.
Debian packages: qemu-user-static.
"""

from __future__ import annotations

import difflib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from buildtools.deploy.locks import LockRequest, compile_lock
from buildtools.targets import parse_target
from tests.integration.foreign_python import ForeignPython, foreign_python

pytestmark = pytest.mark.network

SECONDS = 900
REQUIREMENTS = """\
SQLAlchemy>=2
cffi
msgspec
uvloop; sys_platform == "linux"
appnope; sys_platform == "darwin"
distro; platform_machine == "aarch64"
iniconfig; platform_machine == "x86_64"
async-timeout; python_full_version < "3.11.3"
"""
FACTS = """
import os, platform, sys
print("%d.%d.%d" % sys.version_info[:3], platform.machine(), os.confstr("CS_GNU_LIBC_VERSION"))
"""


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> ForeignPython:
    folder = tmp_path_factory.mktemp("aarch64")
    return foreign_python(folder / "python", folder / "cache")


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """pip-tools, pip and what they need: the versions of this environment, all of them pure."""
    folder = tmp_path_factory.mktemp("tools")
    words = [sys.executable, "-m", "pip", "list", "--format=freeze"]
    listed = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    pins = [line for line in listed.splitlines() if line.startswith(("pip-tools==", "pip=="))]
    words = [sys.executable, "-m", "pip", "install", "-q", "--no-compile", "--target", str(folder)]
    subprocess.run([*words, *pins], check=True)
    assert not list(folder.rglob("*.so")), "what runs there must be pure"
    return folder


def by_pip_tools(foreign: ForeignPython, tools: Path, folder: Path) -> str:
    """The lock that pip-tools writes on the emulated machine."""
    output = folder / "theirs.txt"
    passed = {key: value for key, value in os.environ.items() if key.startswith("PIP_")}
    done = subprocess.run(
        [
            *(*foreign.words, "-S", "-m", "piptools", "compile", "--quiet", "--no-config"),
            *("--generate-hashes", "--strip-extras", "--allow-unsafe", "--no-emit-index-url"),
            *("--no-emit-trusted-host", "--no-emit-find-links", "--output-file", str(output)),
            "requirements.in",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env={
            **passed,
            "PATH": os.defpath,
            "HOME": str(folder),
            "PYTHONPATH": str(tools),
            "PYTHONHOME": str(foreign.root / "usr"),
            "CUSTOM_COMPILE_COMMAND": "buildtools lock",
        },
    )
    assert done.returncode == 0, done.stderr
    return output.read_text()


def test_a_lock_for_aarch64_is_what_pip_tools_writes_there(
    foreign: ForeignPython, tools: Path, tmp_path: Path
) -> None:
    version, machine, libc = foreign.run(["-c", FACTS], tools).stdout.strip().split(" ", 2)
    assert machine == "aarch64"
    source = tmp_path / "requirements.in"
    source.write_text(REQUIREMENTS)
    spec = f"linux/aarch64/{libc.replace(' ', '')}/cp311"
    ours = compile_lock(
        LockRequest(
            target=parse_target(spec, {}),
            inputs=(source,),
            folder=tmp_path / "locks",
            python_full=version,
        ),
        lambda _pin, _target: None,
    )
    theirs = by_pip_tools(foreign, tools, tmp_path)
    difference = "\n".join(difflib.unified_diff(theirs.splitlines(), ours.text.splitlines()))
    assert ours.text == theirs, difference
    assert "distro==" in theirs, "the markers were those of the emulated machine"
    assert "iniconfig==" not in theirs
    assert "async-timeout==" in theirs
