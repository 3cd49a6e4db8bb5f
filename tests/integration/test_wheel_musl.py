"""Wheels for musl, used under musl: a CPython compiled for it here, and Debian's musl loader.

Compiles CPython once, a minute or two of both cores. On aarch64 qemu comes in between, which other
tests go through.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from buildtools.acquire import Tools
from buildtools.acquire.cross import Zig, triple
from buildtools.acquire.wheelfiles import unpack
from buildtools.host import interpreter_facts, interpreter_of
from buildtools.probes import Status
from buildtools.proving import Place, find_place, trial
from buildtools.proving.musl import configure_environment
from buildtools.recipes import load_recipes
from buildtools.targets import LibCFamily, parse_target
from buildtools.wheelhouse import Wheelhouse

pytestmark = pytest.mark.network

TARGET = "linux/x86_64/musl/cp311"
CORPUS = Path(__file__).parents[1] / "corpus" / "binaries"
SECONDS = 2400

Document = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("musl")


@pytest.fixture(scope="module")
def command(folder: Path) -> Callable[..., Document]:
    def run(*words: str, code: int = 0) -> Document:
        done = subprocess.run(
            [sys.executable, "-m", "buildtools", *words, "--json", "--wheelhouse", folder / "h"],
            env={**os.environ, "XDG_CACHE_HOME": str(folder)},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert done.returncode == code, done.stdout + done.stderr
        document: Document = json.loads(done.stdout)
        return document

    return run


def test_nothing_is_compiled_for_a_quick_proof(command: Callable[..., Document]) -> None:
    (one,) = command("wheel", "PyMySQL", "--target", TARGET, "--proof", "quick")["wheels"]
    assert one["verified"] == "static"
    assert "takes minutes, and was not asked for" in one["proof"]["reason"]


def test_drivers_are_executed_under_musl(command: Callable[..., Document]) -> None:
    drivers = ("pysqlite3", "apsw", "asyncmy", "PyMySQL")
    wheels = command("wheel", *drivers, "--target", TARGET)["wheels"]
    assert {one["driver"]: one["verified"] for one in wheels} == dict.fromkeys(drivers, "executed")
    for one in wheels:
        assert one["proof"]["place"] == "linux/x86_64/musl/cp311"
        assert one["proof"]["how"].startswith("under its own loader, by CPython 3.11.")
        assert one["proof"]["how"].endswith(" compiled for musl")


@pytest.fixture(scope="module")
def place(command: Callable[..., Document], folder: Path) -> Place:
    """Where the wheels above were tried; made by now, or made here."""
    target = parse_target(TARGET, {})
    command("wheel", "PyMySQL", "--target", TARGET)
    assert target.python is not None
    own = interpreter_of(target.python)
    assert own is not None
    return find_place(target, own, Tools(cache=folder / "buildtools", python=own), compiling=False)


def test_the_python_is_one_of_musl(place: Place) -> None:
    target = place.interpreter.target
    assert target.libc is not None
    assert target.libc.family is LibCFamily.MUSL
    assert place.interpreter.abi.ext_suffixes[0] == ".cpython-311-x86_64-linux-musl.so"


def test_configure_takes_the_compiler_for_one_of_musl(
    place: Place, folder: Path, tmp_path: Path
) -> None:
    """As CPython 3.13's ``Misc/platform_triplet.c`` asks; else it looks for no wheel's suffix."""
    tools = Tools(cache=folder / "buildtools", python=interpreter_facts())
    libc = triple(place.interpreter.target, None)
    zig = Zig(program=tools.zig(), triple=libc, cache=tmp_path)
    environment = configure_environment(zig, tmp_path)
    (tmp_path / "libc.c").write_text(
        "#include <features.h>\n#include <stdarg.h>\n"
        "#ifdef __GLIBC__\nLIBC=gnu\n#elif defined(__DEFINED_va_list)\nLIBC=musl\n#endif\n"
    )
    done = subprocess.run(
        [*shlex.split(environment["CPP"]), str(tmp_path / "libc.c")],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "LIBC=musl" in done.stdout


def test_a_module_of_glibc_fails_there(place: Place, folder: Path, tmp_path: Path) -> None:
    """The proof is one: what is for another C library does not pass it."""
    stored = Wheelhouse(folder / "h").find("apsw", parse_target(TARGET, {}))
    unpack(stored[0].path, tmp_path)
    module = next((tmp_path / "apsw").glob("__init__.*.so"))
    shutil.copy(CORPUS / "elf-x86_64-glibc2.17.so", module)
    verdict = trial(load_recipes()["apsw"], place, tmp_path)
    assert verdict.status in {Status.FAILED, Status.CRASHED}
    assert "libc-mismatch" in verdict.reason, verdict


def test_what_that_python_has_not_is_said(command: Callable[..., Document], place: Place) -> None:
    assert "ssl" in place.lacks
    words = ("verify", "sqlite3", "apsw", "--target", TARGET)
    sqlite, apsw = command(*words, code=1)["drivers"]
    assert (sqlite["status"], sqlite["verified"]) == ("absent", "")
    assert "came without it" in sqlite["reason"]
    assert (apsw["status"], apsw["verified"]) == ("ok", "executed")
