"""``wheel`` for targets that this machine is not: proven by itself as far as it can, and said so.

Debian packages: qemu-user-static, mariadb-server.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from buildtools.binaries import read_binary
from buildtools.recipes import load_recipes
from buildtools.targets import Version, parse_target
from buildtools.wheelhouse import Wheelhouse, read_cells
from buildtools.wheels import audit
from tests.integration.binary_oracles import by_lief_macho, by_macholib
from tests.integration.mariadb_server import DATABASE, PASSWORD, MariaDbServer

pytestmark = pytest.mark.network

AARCH64 = "linux/aarch64/glibc2.36/cp311"
MAC = "darwin/arm64/macos11/cp311"
SECONDS = 1500

Document = dict[str, Any]
Command = Callable[..., Document]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cells")


@pytest.fixture(scope="module")
def command(folder: Path) -> Command:
    """Runs the command with a cache and a wheelhouse of its own; gives the document it printed."""

    def run(name: str, *words: str, code: int = 0) -> Document:
        done = subprocess.run(
            [
                sys.executable, "-m", "buildtools", name, *words, "--json",
                "--wheelhouse", folder / "house",
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            timeout=SECONDS,
            env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        document: Document = json.loads(done.stdout)
        schema = (files("buildtools") / "schemas" / f"{name}.schema.json").read_text()
        jsonschema.validate(document, json.loads(schema))
        return document

    return run


@pytest.fixture(scope="module")
def made(command: Command) -> dict[tuple[str, str], Document]:
    """Several drivers and targets, one cell among them that cannot be; by driver and target."""
    ours = command("wheel", "mysqlclient", "pysqlite3", "--target", AARCH64)
    zig = ("--backend", "zig")
    macs = command("wheel", "pysqlite3", "mysql-connector-python", "--target", MAC, *zig, code=4)
    wheels = [*ours["wheels"], *macs["wheels"], *macs["failed"]]
    return {(one["driver"], one["target"]): one for one in wheels}


def wheel_of(one: Document) -> Path:
    return Path(one["path"])


def test_a_foreign_wheel_is_executed_on_the_targets_own_python(
    made: dict[tuple[str, str], Document],
) -> None:
    for driver in ("mysqlclient", "pysqlite3"):
        one = made[driver, AARCH64]
        assert one["verified"] == "executed", one
        assert one["proof"]["place"].startswith("linux/aarch64/glibc")
        assert one["proof"]["how"].startswith("under qemu-aarch64, by ")
        assert one["proof"]["checks"] >= 3
        assert one["runner"] == ""
        assert wheel_of(one).with_suffix(".log").read_text().startswith("zig: aarch64-linux-gnu")


def test_what_nothing_here_runs_is_read_and_names_the_job_that_runs_it(
    made: dict[tuple[str, str], Document],
) -> None:
    one = made["pysqlite3", MAC]
    assert one["verified"] == "static"
    assert "nothing on it runs macOS" in one["proof"]["reason"]
    assert one["runner"].startswith("prove on macos-")
    assert one["proof"]["place"] == ""


def test_each_cell_is_written_down_filled_or_not(
    made: dict[tuple[str, str], Document], folder: Path
) -> None:
    cells = {
        (one.driver, f"{one.target}/{one.python}"): one for one in read_cells(folder / "house")
    }
    assert set(cells) == set(made)
    for key, cell in cells.items():
        assert cell.state == made[key].get("verified", "missing")
        assert cell.state == "executed" or cell.reason


def test_independent_readers_agree_with_a_wheel_for_macos(
    made: dict[tuple[str, str], Document], tmp_path: Path
) -> None:
    """macholib and LIEF, neither of which is ours, against the tag and against our own reader."""
    wheel = wheel_of(made["pysqlite3", MAC])
    assert wheel.name.endswith("-cp311-cp311-macosx_11_0_arm64.whl")
    with zipfile.ZipFile(wheel) as archive:
        native = [name for name in archive.namelist() if name.endswith((".so", ".dylib"))]
        assert native == ["pysqlite3/_sqlite3.cpython-311-darwin.so"]
        module = Path(archive.extract(native[0], tmp_path))
    with module.open("rb") as stream:
        (ours,) = read_binary(stream).slices
    (lief,) = by_lief_macho(module)
    ((kind, libraries),) = by_macholib(module)
    assert lief.arch == ours.arch == "arm64"
    assert ours.min_os is not None
    assert ours.min_os == lief.min_os == (11, 0)
    assert kind == "dylib"
    assert libraries == lief.needed == ours.needed
    # Only what every Mac has; no folder of the machine that made it.
    assert all(name.startswith("/usr/lib/") for name in libraries)
    assert lief.rpath == ()
    # An Arm Mac loads nothing that is not signed, if only by itself.
    assert lief.signed
    assert {"_PyInit__sqlite3"} <= lief.defined
    assert {"_PyObject_Call"} & lief.undefined or {"_Py_BuildValue"} & lief.undefined
    assert not {name for name in lief.undefined if name.startswith("_sqlite3")}
    assert audit(wheel, parse_target(MAC, {}), load_recipes()["pysqlite3"]) == ()


def test_our_verdict_falls_with_the_independent_readers(
    made: dict[tuple[str, str], Document], tmp_path: Path
) -> None:
    """The same bytes under the tag of another machine, and for an older macOS, are refused."""
    wheel = wheel_of(made["pysqlite3", MAC])
    recipe = load_recipes()["pysqlite3"]
    lie = tmp_path / wheel.name.replace("11_0_arm64", "11_0_x86_64")
    lie.write_bytes(wheel.read_bytes())
    causes = {
        one.cause for one in audit(lie, parse_target("darwin/x86_64/macos11/cp311", {}), recipe)
    }
    assert {"foreign-arch"} & causes
    old = replace(parse_target(MAC, {}), min_os=Version(major=10, minor=15))
    assert {one.cause for one in audit(wheel, old, recipe)} & {
        "macos-too-old", "unsupported-wheel", "wheel-tag-mismatch",
    }  # fmt: skip


def test_verify_uses_the_wheel_against_a_live_server_under_emulation(
    made: dict[tuple[str, str], Document], command: Command, tmp_path: Path
) -> None:
    assert made["mysqlclient", AARCH64]["verified"] == "executed"
    with MariaDbServer(tmp_path / "server") as server:
        dsn = f"mysql://curve:{PASSWORD}@127.0.0.1:{server.port}/{DATABASE}"
        document = command("verify", "mysqlclient", "sqlite3", "--target", AARCH64, "--dsn", dsn)
    assert document["target"]["arch"] == "aarch64"
    mysql, sqlite = document["drivers"]
    for one in (mysql, sqlite):
        assert (one["status"], one["verified"]) == ("ok", "executed"), one
    names = {check["name"] for check in mysql["checks"] if check["ok"]}
    assert {"connect", "utf8mb4", "decimal"} <= names, names
    assert mysql["path"].endswith("-aarch64-linux-gnu.so")


def test_verify_reads_what_it_cannot_run_and_says_so(
    made: dict[tuple[str, str], Document], command: Command
) -> None:
    assert made["pysqlite3", MAC]["verified"] == "static"
    (one,) = command("verify", "pysqlite3", "--target", MAC)["drivers"]
    assert (one["status"], one["verified"]) == ("ok", "static")
    assert "not run: " in one["reason"]
    (absent,) = command("verify", "asyncmy", "--target", AARCH64, code=1)["drivers"]
    assert (absent["status"], absent["verified"]) == ("absent", "")
    assert "buildtools wheel asyncmy --target" in absent["reason"]


def test_prove_runs_again_what_this_machine_can_run(
    made: dict[tuple[str, str], Document], command: Command, folder: Path
) -> None:
    """A job of CI runs what is of its own kind only: under an emulator it would be no proof."""
    document = command("wheelhouse", "prove", "--runner", "prove on here")
    assert document["tried"] == []
    document = command("wheelhouse", "prove")
    tried = {(one["driver"], one["target"]): one["verified"] for one in document["tried"]}
    assert tried == {("mysqlclient", AARCH64): "executed", ("pysqlite3", AARCH64): "executed"}
    states = {(one.driver, one.target): one for one in read_cells(folder / "house")}
    assert states["pysqlite3", "linux/aarch64/glibc2.36"].state == "executed"
    assert states["pysqlite3", "darwin/arm64/macos11"].state == "static"
    assert len(made) == 4


def test_another_wheelhouse_is_taken_in_with_what_is_known_of_it(
    made: dict[tuple[str, str], Document], folder: Path, tmp_path: Path
) -> None:
    words = [sys.executable, "-m", "buildtools", "wheelhouse", "add", str(folder / "house")]
    subprocess.run([*words, "--wheelhouse", str(tmp_path / "other")], check=True, cwd=tmp_path)
    here, there = Wheelhouse(folder / "house"), Wheelhouse(tmp_path / "other")
    assert [one.sha256 for one in there.wheels()] == [one.sha256 for one in here.wheels()]
    assert [one.provenance.proven for one in there.wheels()] == [
        one.provenance.proven for one in here.wheels()
    ]
    assert list(read_cells(there.root))
    assert len(made) == 4


def test_a_python_that_nobody_has_is_a_cell_that_says_why(command: Command) -> None:
    document = command("wheel", "mysqlclient", "--target", "linux/aarch64/cp315", code=4)
    assert document["wheels"] == []
    assert "no Python 3.15 on this machine to build with" in document["failed"][0]["error"]


def test_a_python_that_this_machine_has_not_is_unpacked_and_tries_the_wheel(
    command: Command,
) -> None:
    """3.14 of a newer release, started by that release's own loader."""
    target = "linux/x86_64/glibc2.28/cp314"
    (one,) = command("wheel", "apsw", "--target", target)["wheels"]
    assert (one["backend"], one["verified"]) == ("index", "executed"), one
    assert one["proof"]["place"].endswith("/cp314")
    assert "Python 3.14." in one["proof"]["how"]
