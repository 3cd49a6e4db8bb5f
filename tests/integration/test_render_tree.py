"""The build command in a tree laid out as Render's, with a Mac's environment committed in it.

A minimal Debian without compiler and headers, as nobody: the project under ``opt/render/project/
src``, Render's Python beside it, and exactly what ``buildtools render command`` prints.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.bare_tree import BareTree, Ran, make_tree

pytestmark = [pytest.mark.root, pytest.mark.network]

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "corpus" / "binaries"
RENDER = "/opt/render"
SOURCE = f"{RENDER}/project/src"
PYTHON = f"{RENDER}/project/python/Python-3.11"
WHEELS = f"{RENDER}/wheels"
PYPROJECT = """\
[tool.buildtools]
drivers = ["pysqlite3", "apsw"]

[tool.buildtools.render]
name = "service"
start = "python app.py"
requirements = ["requirements.txt"]
"""
USES = (
    "import apsw, msgspec, pysqlite3;"
    " print(pysqlite3.connect(':memory:').execute('select 6 * 7').fetchone(),"
    " msgspec.json.encode(apsw.sqlite_lib_version()))"
)


@pytest.fixture(scope="module", autouse=True)
def _root() -> None:
    if os.geteuid() != 0:
        message = "debootstrap and chroot need root"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)


@pytest.fixture
def tree(tmp_path: Path, project_wheel: Path) -> Iterator[BareTree]:
    """Render's layout: its Python in ``project/python``, the checkout in ``project/src``."""
    tree = make_tree(tmp_path / "tree")
    inside(tree, SOURCE).mkdir(parents=True)
    (inside(tree, SOURCE) / "pyproject.toml").write_text(PYPROJECT)
    (inside(tree, SOURCE) / "requirements.txt").write_text("iniconfig\nmsgspec\n")
    inside(tree, WHEELS).mkdir()
    shutil.copy(project_wheel, inside(tree, WHEELS))
    own(inside(tree, RENDER))
    tree.check(["python3", "-m", "venv", PYTHON])
    yield tree
    subprocess.run(["rm", "-rf", tree.path], check=True)


def inside(tree: BareTree, path: str) -> Path:
    """A path of the tree, seen from outside."""
    return tree.path / path.lstrip("/")


def own(path: Path) -> None:
    """Give everything below ``path`` to the user that Render's build runs as."""
    user = pwd.getpwnam("nobody")
    for folder, _, files in os.walk(path):
        for name in (folder, *(os.path.join(folder, file) for file in files)):  # noqa: PTH118
            os.chown(name, user.pw_uid, user.pw_gid, follow_symlinks=False)


def commit_macs_venv(tree: BareTree, name: str) -> Path:
    """What ``git add -A`` of a Mac's checkout brings: modules for macOS, links to Homebrew."""
    venv = inside(tree, f"{SOURCE}/{name}")
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python3.11").symlink_to("/opt/homebrew/opt/python@3.11/bin/python3.11")
    for link in ("python", "python3"):
        (venv / "bin" / link).symlink_to("python3.11")
    (venv / "pyvenv.cfg").write_text("home = /opt/homebrew/opt/python@3.11/bin\nversion = 3.11.9\n")
    site = venv / "lib" / "python3.11" / "site-packages"
    for distribution, version, module in (
        ("pysqlite3", "0.5.4", "pysqlite3/_sqlite3.cpython-311-darwin.so"),
        ("apsw", "3.46.0.0", "apsw/__init__.cpython-311-darwin.so"),
        ("msgspec", "0.18.6", "msgspec/_core.cpython-311-darwin.so"),
    ):
        (site / module).parent.mkdir(parents=True)
        shutil.copy(CORPUS / "macho-arm64-macos11.so", site / module)
        info = site / f"{distribution}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
        (info / "WHEEL").write_text(
            "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-macosx_11_0_arm64\n"
        )
        names = (module, *(f"{info.name}/{file}" for file in ("METADATA", "WHEEL", "RECORD")))
        (info / "INSTALLER").write_text("pip\n")
        (info / "RECORD").write_text("".join(f"{file},,\n" for file in names))
    shutil.copy(CORPUS / "macho-x86_64-macos10.13.so", site / "stray.so")
    own(venv)
    return venv


def command(tree: BareTree) -> str:
    """What ``buildtools render command`` prints for the project."""
    words = [sys.executable, "-m", "buildtools", "render", "command"]
    cwd = inside(tree, SOURCE)
    return subprocess.run(words, cwd=cwd, check=True, capture_output=True, text=True).stdout.strip()


def on_render(tree: BareTree, words: str) -> Ran:
    """Run a line of shell as Render does: in the checkout, its environment first on ``PATH``."""
    links = os.environ.get("PIP_FIND_LINKS", "").split()
    return tree.run(
        ["/bin/sh", "-c", f"cd {SOURCE} && {words}"],
        environment={
            "HOME": RENDER,
            "RENDER": "true",
            "VIRTUAL_ENV": f"{SOURCE}/.venv",
            "PATH": f"{SOURCE}/.venv/bin:{PYTHON}/bin:/usr/local/bin:/usr/bin:/bin",
            "PIP_FIND_LINKS": " ".join([*links, WHEELS]),
        },
    )


def build(tree: BareTree) -> tuple[list[str], float]:
    """One build, which must end well; its lines and seconds."""
    started = time.monotonic()
    ran = on_render(tree, command(tree))
    assert ran.returncode == 0, ran.output
    lines = ran.output.splitlines()
    assert lines[-1].startswith("native-buildtools: render build ok"), ran.output
    return lines, time.monotonic() - started


def state(tree: BareTree) -> dict[str, tuple[int, str]]:
    """Every file of the checkout: when it was written, and its content.

    But for compiled ones, and for the file that a rebuild locks for its time.
    """
    found = {}
    for path in sorted(inside(tree, SOURCE).rglob("*")):
        if path.is_symlink() or not path.is_file() or "__pycache__" in path.parts:
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if path.match(".buildtools/lock"):
            continue
        found[str(path.relative_to(tree.path))] = (path.stat().st_mtime_ns, digest)
    return found


def processor() -> float:
    """Seconds of processor that ended children have used."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def assert_nothing_changes(tree: BareTree) -> None:
    before, used = state(tree), processor()
    _, seconds = build(tree)
    used = processor() - used
    print(f"a second build: {seconds:.1f} s, {used:.1f} s of processor")  # noqa: T201 - a figure
    assert state(tree) == before


def assert_it_runs(tree: BareTree) -> None:
    used = on_render(tree, f'test "$(command -v python)" = {SOURCE}/.venv/bin/python && '
                           f'python -c "{USES}"')  # fmt: skip
    assert used.returncode == 0, used.output
    assert "(42,)" in used.output


def test_a_stray_environment_of_a_mac_is_disarmed_and_the_service_runs(tree: BareTree) -> None:
    assert on_render(tree, f"{PYTHON}/bin/python -m venv .venv").returncode == 0
    stray = commit_macs_venv(tree, "venv")
    lines, _ = build(tree)
    assert any(line.startswith("Render, production; linux/") for line in lines), lines
    removed = next(line for line in lines if line.startswith("removed: 4 native modules"))
    assert "in venv, an environment that came from another machine" in removed
    assert not list(stray.rglob("*.so"))
    assert (stray / "pyvenv.cfg").exists(), "what is no module is left"
    assert_it_runs(tree)
    assert_nothing_changes(tree)


def test_a_macs_environment_under_renders_own_is_mended(tree: BareTree) -> None:
    venv = commit_macs_venv(tree, ".venv")
    # Render's own is made over what was committed: its Python starts, the packages are a Mac's.
    shutil.rmtree(venv / "bin")
    assert on_render(tree, f"{PYTHON}/bin/python -m venv .venv").returncode == 0
    lines, _ = build(tree)
    assert any(line.startswith("wrong kind: ") and "msgspec" in line for line in lines), lines
    assert any(line.startswith("removed: ") and "stray.so" in line for line in lines), lines
    assert not list(venv.rglob("*-darwin.so"))
    assert not list(venv.rglob("stray.so"))
    assert_it_runs(tree)
    assert_nothing_changes(tree)


def test_a_macs_environment_in_the_place_of_renders_is_made_anew(tree: BareTree) -> None:
    venv = commit_macs_venv(tree, ".venv")
    lines, _ = build(tree)
    assert any(line.startswith("wrong kind: .venv was made on another machine") for line in lines)
    assert not list(venv.rglob("*-darwin.so"))
    assert not venv.with_name(".venv.elsewhere").exists()
    assert_it_runs(tree)
    assert_nothing_changes(tree)
