"""Drivers of another architecture, used here: an aarch64 Python under qemu, without root.

Debian packages: qemu-user-static.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from buildtools.acquire.apt import open_apt
from buildtools.acquire.debfile import unpack_deb
from buildtools.host import Interpreter, interpreter_facts
from buildtools.probes import Status, run_check, verify
from buildtools.recipes import load_recipes

pytestmark = pytest.mark.network

CORPUS = Path(__file__).parents[1] / "corpus" / "binaries"
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux2014_aarch64", "manylinux_2_17_aarch64")


def missing(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An aarch64 Debian's Python, its packages unpacked into a folder."""
    folder = tmp_path_factory.mktemp("aarch64")
    apt = open_apt(folder / "cache", "aarch64")
    if apt is None:
        missing("this is no Debian or Ubuntu, whose packages the aarch64 tree is made of")
        raise AssertionError
    apt.update()
    packages, tree = folder / "packages", folder / "tree"
    packages.mkdir()
    tree.mkdir()
    for file in apt.download(apt.closure(["python3", "libsqlite3-0"]), packages):
        unpack_deb(file, tree)
    return tree


@pytest.fixture(scope="module")
def prefix(tree: Path) -> tuple[str, ...]:
    emulator = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if emulator is None:
        missing("qemu-aarch64 is not on this machine: Debian's package is qemu-user-static")
        raise AssertionError
    return (emulator, "-L", str(tree))


@pytest.fixture(scope="module")
def interpreter(tree: Path, prefix: tuple[str, ...]) -> Interpreter:
    python = next((tree / "usr" / "bin").glob("python3.[0-9]*[0-9]"))
    return interpreter_facts(python, prefix=prefix)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, interpreter: Interpreter) -> Path:
    """Wheels for aarch64 from the index, unpacked as pip installs them."""
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--only-binary=:all:"]
    words += ["--target", str(folder), "--python-version", str(interpreter.abi.version)]
    words += [word for platform in PLATFORMS for word in ("--platform", platform)]
    done = subprocess.run([*words, "apsw"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_emulated_interpreter_tells_its_own_machine(interpreter: Interpreter) -> None:
    assert interpreter.target.arch == "aarch64"
    assert interpreter.abi.ext_suffixes[0].endswith("-aarch64-linux-gnu.so")


@pytest.mark.parametrize("driver", ["sqlite3", "apsw"])
def test_a_foreign_driver_does_all_that_is_asked_under_emulation(
    *, interpreter: Interpreter, prefix: tuple[str, ...], site: Path, driver: str
) -> None:
    recipe = load_recipes()[driver]
    verdict = verify(recipe, interpreter, path=site, prefix=prefix, timeout=300)
    assert verdict.ok, verdict
    assert {check.name for check in verdict.checks} >= {"table", "fts5", "json", "wal"}
    assert verdict.path is not None
    assert "aarch64-linux-gnu" in verdict.path


def test_a_module_of_this_machine_fails_there_and_says_why(
    *, interpreter: Interpreter, prefix: tuple[str, ...], site: Path, tmp_path: Path
) -> None:
    package = tmp_path / "apsw"
    package.mkdir()
    name = next((site / "apsw").glob("__init__.*.so")).name
    shutil.copy(CORPUS / "elf-x86_64-glibc2.17.so", package / name)
    verdict = verify(load_recipes()["apsw"], interpreter, path=tmp_path, prefix=prefix, timeout=300)
    assert verdict.status is Status.FAILED
    assert "foreign-arch" in verdict.reason


def test_a_crash_and_a_hang_under_emulation_keep_their_verdicts(
    *, interpreter: Interpreter, prefix: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "ill.py").write_text(
        "import os, signal, time\n"
        "def crash(): os.kill(os.getpid(), signal.SIGSEGV)\n"
        "def hang(): time.sleep(600)\n"
    )
    crash = run_check("ill:crash", interpreter, root=tmp_path, prefix=prefix, timeout=300)
    assert (crash.status, crash.signal) == (Status.CRASHED, 11)
    hang = run_check("ill:hang", interpreter, root=tmp_path, prefix=prefix, timeout=20)
    assert hang.status is Status.TIMEOUT


def test_the_command_proves_a_foreign_target(
    *, interpreter: Interpreter, prefix: tuple[str, ...], tmp_path: Path
) -> None:
    words = [sys.executable, "-m", "buildtools", "verify", "--json", "sqlite3"]
    words += ["--target", "linux/aarch64", "--python", str(interpreter.executable)]
    done = subprocess.run(
        [*words, "--emulator", " ".join(prefix), "--timeout", "300"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert document["target"]["arch"] == "aarch64"
    assert [entry["status"] for entry in document["drivers"]] == ["ok"]
