"""On a machine with Python and pip only, as nobody: three drivers, self-contained, that log in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.bare_tree import BareTree, make_tree
from tests.integration.mariadb_server import DATABASE, MariaDbServer
from tests.integration.mariadb_server import PASSWORD as MARIADB_PASSWORD
from tests.integration.sha2_greeter import PASSWORD as SHA2_PASSWORD
from tests.integration.sha2_greeter import Sha2Greeter

pytestmark = [pytest.mark.root, pytest.mark.network]

ROOT = Path(__file__).parents[2]
DRIVERS = ("mysqlclient", "mariadb", "pysqlite3")

ACQUIRE = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from buildtools.acquire import AcquireError, Tools, WheelRequest, build, fetch
from buildtools.host import interpreter_facts
from buildtools.recipes import load_recipes

python, tools, recipes = interpreter_facts(), Tools(), load_recipes()

def one(driver):
    recipe = recipes[driver]
    request = WheelRequest(
        distribution=recipe.distribution, target=python.target, python=python
    )
    try:
        wheel = fetch(request, tools, recipe=recipe)
    except AcquireError:
        wheel = build(request, recipe, tools)
    return driver, [str(wheel.path), wheel.backend, list(wheel.bundled), list(wheel.tags)]

with ThreadPoolExecutor(3) as pool:
    print(json.dumps(dict(pool.map(one, sys.argv[1:]))))
"""

LOG_IN = """
import importlib, sys
driver, port, user, password, database = sys.argv[1:]
module = importlib.import_module({"mysqlclient": "MySQLdb"}.get(driver, driver))
words = dict(host="127.0.0.1", port=int(port), user=user, password=password)
if database:
    words["database"] = database
connection = module.connect(**words)
if database:
    cursor = connection.cursor()
    cursor.execute("select 6 * 7")
    print(cursor.fetchone()[0])
else:
    print("logged in")
connection.close()
"""

SQLITE = """
from pysqlite3 import dbapi2
connection = dbapi2.connect(":memory:")
connection.execute("create virtual table t using fts5(x)")
connection.execute("insert into t values ('one two')")
print(connection.execute("select count(*) from t where t match 'two'").fetchone()[0])
"""


@pytest.fixture(scope="module", autouse=True)
def _root() -> None:
    if os.geteuid() != 0:
        message = "debootstrap and chroot need root"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)


@pytest.fixture(scope="module")
def acquired(
    tmp_path_factory: pytest.TempPathFactory, project_wheel: Path
) -> Iterator[tuple[BareTree, dict[str, tuple[Path, str, list[str], list[str]]], float]]:
    """A bare tree in which the three drivers were acquired, what they are, and how long it took."""
    tree = make_tree(tmp_path_factory.mktemp("bare") / "tree")
    tree.check(["python3", "-m", "venv", "tool"])
    tree.check(["tool/bin/pip", "install", "--quiet", tree.put(project_wheel)])
    (tree.home / "acquire.py").write_text(ACQUIRE)
    before, started = time.time(), time.monotonic()
    said = tree.check(["tool/bin/python", "acquire.py", *DRIVERS])
    seconds = time.monotonic() - started
    assert tree.written_outside_home(before) == []
    wheels = {
        driver: (tree.path / path.lstrip("/"), backend, bundled, tags)
        for driver, (path, backend, bundled, tags) in json.loads(said.splitlines()[-1]).items()
    }
    yield tree, wheels, seconds
    subprocess.run(["rm", "-rf", tree.path], check=True)


@pytest.fixture(scope="module")
def second(
    tmp_path_factory: pytest.TempPathFactory,
    acquired: tuple[BareTree, dict[str, tuple[Path, str, list[str], list[str]]], float],
) -> Iterator[BareTree]:
    """Another bare tree, without any MariaDB library, with the acquired wheels installed."""
    tree = make_tree(tmp_path_factory.mktemp("second") / "tree")
    assert not list(tree.path.glob("usr/lib/*/libmariadb*"))
    tree.check(["python3", "-m", "venv", "v"])
    for path, *_ in acquired[1].values():
        tree.check(["v/bin/pip", "install", "--quiet", tree.put(path)])
    (tree.home / "log_in.py").write_text(LOG_IN)
    yield tree
    subprocess.run(["rm", "-rf", tree.path], check=True)


def test_three_drivers_are_had_in_time(
    acquired: tuple[BareTree, dict[str, tuple[Path, str, list[str], list[str]]], float],
) -> None:
    _, wheels, seconds = acquired
    print(f"three drivers acquired in {seconds:.1f} s")  # noqa: T201 - a figure worth keeping
    assert set(wheels) == set(DRIVERS)


@pytest.mark.parametrize("driver", ["mysqlclient", "mariadb"])
def test_a_built_wheel_tells_the_truth(
    driver: str,
    acquired: tuple[BareTree, dict[str, tuple[Path, str, list[str], list[str]]], float],
) -> None:
    path, backend, bundled, tags = acquired[1][driver]
    assert backend == "zig"
    assert {"libmariadb.so.3", "libssl.so.3", "libcrypto.so.3"} <= set(bundled)
    shown = subprocess.run(
        [sys.executable, "-m", "auditwheel", "show", path],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    platform = tags[0].rpartition("-")[2]
    assert f'tag: "{platform}"' in " ".join(shown.split())
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    assert [n for n in names if n.endswith("licenses/bundled/libmariadb3/copyright")]
    assert [n for n in names if n.endswith("sboms/bundled.cdx.json")]


@pytest.mark.parametrize("user", ["native", "curve"])
@pytest.mark.parametrize("driver", ["mysqlclient", "mariadb"])
def test_a_wheel_logs_in_where_no_client_library_is(
    driver: str, user: str, second: BareTree, mariadb: MariaDbServer
) -> None:
    words = [driver, str(mariadb.port), user, MARIADB_PASSWORD, DATABASE]
    assert second.check(["v/bin/python", "log_in.py", *words]).strip() == "42"


@pytest.mark.parametrize("driver", ["mysqlclient", "mariadb"])
def test_a_wheel_answers_a_caching_sha2_server(driver: str, second: BareTree) -> None:
    with Sha2Greeter() as server:
        words = [driver, str(server.port), "someone", SHA2_PASSWORD, ""]
        ran = second.run(["v/bin/python", "log_in.py", *words])
        assert server.right == 1, ran.output
        elsewhere = {"MARIADB_PLUGIN_DIR": "/nonexistent"}
        ran = second.run(["v/bin/python", "log_in.py", *words], environment=elsewhere)
        assert ran.returncode != 0
        assert server.right == 1, "the client did without the plugin that travels with it"


def test_sqlite_has_full_text_search(second: BareTree) -> None:
    assert second.check(["v/bin/python", "-c", SQLITE]).strip() == "1"


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDbServer]:
    """A live server on this machine's loopback, which the trees share."""
    with MariaDbServer(tmp_path_factory.mktemp("mariadb")) as server:
        yield server
