"""Wheels for another architecture, made here and run there under emulation."""

from __future__ import annotations

import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from buildtools.acquire import (
    AcquiredWheel,
    AcquireError,
    Backend,
    LibraryWay,
    Tools,
    WheelRequest,
    build,
)
from buildtools.acquire.wheelfiles import unpack
from buildtools.findings import Cause
from buildtools.host import Interpreter, interpreter_facts
from buildtools.recipes import load_recipes
from buildtools.targets import parse_target
from buildtools.wheels import audit
from tests.integration.foreign_python import ForeignPython, foreign_python
from tests.integration.mariadb_server import DATABASE, PASSWORD, MariaDbServer
from tests.interpreters import INTERPRETERS

pytestmark = [pytest.mark.network, pytest.mark.root]

AARCH64 = 183
CLIENT = """
import sys, MySQLdb
port, user, password, database = sys.argv[1:]
link = MySQLdb.connect(
    host="127.0.0.1", port=int(port), user=user, password=password, database=database
)
cursor = link.cursor()
cursor.execute("select 6 * 7")
print(cursor.fetchone()[0], MySQLdb._mysql.__file__.rpartition(".cpython-")[2])
"""


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    return Tools(cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def python() -> Interpreter:
    """The machine's 3.11, whose wheels the emulated Python takes."""
    found = [interpreter_facts(path) for path in INTERPRETERS]
    return next(one for one in found if one.abi.abi == "cp311")


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory, tools: Tools) -> ForeignPython:
    return foreign_python(tmp_path_factory.mktemp("there"), tools.cache)


def made(driver: str, target: str, python: Interpreter, tools: Tools) -> AcquiredWheel:
    recipe = load_recipes()[driver]
    place = parse_target(target, {})
    request = WheelRequest(
        distribution=driver, target=place, python=python, libraries=LibraryWay.PACKAGES
    )
    wheel = build(request, recipe, tools, backend=Backend.ZIG)
    assert audit(wheel.path, request.place, recipe) == ()
    return wheel


@pytest.fixture(scope="module")
def mysqlclient(python: Interpreter, tools: Tools) -> AcquiredWheel:
    return made("mysqlclient", "linux/aarch64/glibc2.36", python, tools)


def test_the_tag_of_a_foreign_wheel_is_what_its_modules_are(mysqlclient: AcquiredWheel) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "auditwheel", "show", mysqlclient.path],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    platform = mysqlclient.tags[0].rpartition("-")[2]
    assert platform.endswith("aarch64")
    assert f'tag: "{platform}"' in " ".join(shown.split())
    with zipfile.ZipFile(mysqlclient.path) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            if content.startswith(b"\x7fELF"):
                assert struct.unpack_from("<H", content, 18) == (AARCH64,), name


@pytest.mark.parametrize("user", ["native", "curve"])
def test_a_foreign_wheel_queries_a_live_server_under_emulation(
    user: str, mysqlclient: AcquiredWheel, there: ForeignPython, tmp_path: Path
) -> None:
    unpack(mysqlclient.path, tmp_path / "site")
    with MariaDbServer(tmp_path / "server") as server:
        words = ["-c", CLIENT, str(server.port), user, PASSWORD, DATABASE]
        done = there.run(words, tmp_path / "site")
    assert done.stdout.split() == ["42", "311-aarch64-linux-gnu.so"], done.stderr


def test_a_second_build_gives_the_same_bytes(
    mysqlclient: AcquiredWheel, python: Interpreter, tools: Tools
) -> None:
    again = made("mysqlclient", "linux/aarch64/glibc2.36", python, tools)
    assert again.sha256 == mysqlclient.sha256


def test_an_old_floor_takes_an_older_release_and_says_what_that_means(
    python: Interpreter, tools: Tools
) -> None:
    wheel = made("mysqlclient", "linux/aarch64/glibc2.31", python, tools)
    assert [tag for tag in wheel.tags if "manylinux_2_34" in tag] == []
    assert "end of life" in wheel.notes[0]


def test_libraries_past_their_end_are_refused_for_a_wheel_that_others_may_get(
    python: Interpreter, tools: Tools
) -> None:
    place = parse_target("linux/aarch64/glibc2.31", {})
    request = WheelRequest(
        distribution="mysqlclient",
        target=place,
        python=python,
        libraries=LibraryWay.PACKAGES,
        end_of_life=False,
    )
    with pytest.raises(AcquireError) as caught:
        build(request, load_recipes()["mysqlclient"], tools, backend=Backend.ZIG)
    assert ".so needs glibc 2.3" in caught.value.why
    assert "refused: the libraries are" in caught.value.why
    assert caught.value.floor is not None


def test_an_impossible_floor_names_the_library_in_the_way(
    python: Interpreter, tools: Tools
) -> None:
    with pytest.raises(AcquireError) as caught:
        made("mysqlclient", "linux/aarch64/glibc2.17", python, tools)
    assert caught.value.cause is Cause.LIBC_TOO_OLD
    assert "libmariadb.so.3 needs glibc" in caught.value.why
    assert caught.value.floor is not None
    assert not list(tools.cache.rglob("*glibc2.17*/*.whl"))
