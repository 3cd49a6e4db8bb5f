"""The source way: client libraries compiled for a foreign target, and the wheels run there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import packaging
import pytest

from buildtools.acquire import AcquiredWheel, Backend, LibraryWay, Tools, WheelRequest, build
from buildtools.acquire.wheelfiles import unpack
from buildtools.host import Interpreter, interpreter_facts
from buildtools.recipes import load_libraries, load_recipes
from buildtools.targets import parse_target
from buildtools.wheels import audit
from tests.integration.foreign_python import ForeignPython, foreign_python
from tests.integration.mariadb_server import DATABASE, PASSWORD, MariaDbServer
from tests.interpreters import INTERPRETERS

pytestmark = [pytest.mark.network, pytest.mark.root]

TARGET = "linux/aarch64/glibc2.28"
DRIVERS = ("mysqlclient", "mariadb")
MODULES = ("MySQLdb", "mariadb")

CLIENT = """
import json, ssl, sys
import MySQLdb, mariadb, MySQLdb._mysql, mariadb._mariadb
port, user, password, database = sys.argv[1:]
where = dict(host="127.0.0.1", port=int(port), user=user, password=password, database=database)
said = {"ssl": ssl.OPENSSL_VERSION, "protocol": ssl.create_default_context().protocol.name}
links = {
    "MySQLdb": MySQLdb.connect(**where, ssl_mode="REQUIRED"),
    "mariadb": mariadb.connect(**where, ssl=True, ssl_verify_cert=False),
}
for name, link in links.items():
    cursor = link.cursor()
    cursor.execute("select 6 * 7")
    answer = cursor.fetchone()[0]
    cursor.execute("show session status like 'Ssl_cipher'")
    said[name] = [answer, cursor.fetchone()[1]]
said["client"] = [MySQLdb.get_client_info(), mariadb.mariadbapi_version]
maps = open("/proc/self/maps").read()
said["plugins"] = "plugin" in maps
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    return Tools(cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def python() -> Interpreter:
    """The machine's 3.11, whose wheels the emulated Python takes."""
    found = [interpreter_facts(path) for path in INTERPRETERS]
    return next(one for one in found if one.abi.abi == "cp311")


def made(driver: str, python: Interpreter, tools: Tools) -> AcquiredWheel:
    request = WheelRequest(
        distribution=driver,
        target=parse_target(TARGET, {}),
        python=python,
        libraries=LibraryWay.SOURCE,
        end_of_life=False,
    )
    recipe = load_recipes()[driver]
    wheel = build(request, recipe, tools, backend=Backend.ZIG)
    assert audit(wheel.path, request.place, recipe) == ()
    return wheel


@pytest.fixture(scope="module")
def wheels(python: Interpreter, tools: Tools) -> dict[str, AcquiredWheel]:
    return {driver: made(driver, python, tools) for driver in DRIVERS}


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory, tools: Tools) -> ForeignPython:
    return foreign_python(tmp_path_factory.mktemp("there"), tools.cache)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_wheel_is_self_contained_and_says_what_is_in_it(
    driver: str, wheels: dict[str, AcquiredWheel]
) -> None:
    wheel = wheels[driver]
    assert (wheel.libraries, wheel.bundled) == ("source", ())
    with zipfile.ZipFile(wheel.path) as archive:
        names = archive.namelist()
        bill = json.loads(
            archive.read(next(name for name in names if name.endswith("/bundled.cdx.json")))
        )
    for library in load_libraries().values():
        assert any(
            name.endswith(f"/bundled/{library.name}/{library.licence_file}") for name in names
        )
        part = next(one for one in bill["components"] if one["name"] == library.name)
        assert f"{part['name']} {part['version']}" in wheel.linked
        assert part["purl"].startswith("pkg:deb/")
        assert part["licenses"] == [{"license": {"name": library.licence}}]
    assert not [name for name in names if "plugin" in name]


@pytest.mark.parametrize("driver", DRIVERS)
def test_auditwheel_agrees_with_the_tag(driver: str, wheels: dict[str, AcquiredWheel]) -> None:
    wheel = wheels[driver]
    shown = subprocess.run(
        [sys.executable, "-m", "auditwheel", "show", wheel.path],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    platforms = {tag.rpartition("-")[2] for tag in wheel.tags}
    assert any(f'tag: "{platform}"' in " ".join(shown.split()) for platform in platforms)
    assert all(
        int(name.split("_")[2]) <= 28 for name in platforms if name.startswith("manylinux_2_")
    )


@pytest.mark.parametrize("driver", DRIVERS)
def test_only_pythons_entry_point_is_exported(
    driver: str, wheels: dict[str, AcquiredWheel], tmp_path: Path
) -> None:
    unpack(wheels[driver].path, tmp_path)
    module = next(tmp_path.rglob("*.so"))
    words = ["readelf", "--dyn-syms", "--wide", str(module)]
    lines = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [line.split() for line in lines]
    exported = {
        row[7]
        for row in rows
        if len(row) > 7 and row[4] in {"GLOBAL", "WEAK"} and row[6] not in {"UND", "Ndx"}
    }
    assert {name for name in exported if not name.startswith("PyInit_")} == set()
    assert exported


@pytest.mark.parametrize("user", ["native", "curve"])
def test_both_drivers_and_pythons_own_ssl_work_in_one_foreign_process(
    user: str, wheels: dict[str, AcquiredWheel], there: ForeignPython, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    for wheel in wheels.values():
        unpack(wheel.path, site)
    # MariaDB Connector/Python requires it, and it is pure Python.
    shutil.copytree(Path(packaging.__file__).parent, site / "packaging")
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", *words, "-keyout", key, "-out", certificate], capture_output=True, check=True
    )
    for path in (tmp_path, key, certificate):
        path.chmod(0o755)
    secure = (f"--ssl-cert={certificate}", f"--ssl-key={key}")
    with MariaDbServer(tmp_path / "server", options=secure) as server:
        done = there.run(["-c", CLIENT, str(server.port), user, PASSWORD, DATABASE], site)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert {said["MySQLdb"][0], said["mariadb"][0]} == {42}
    assert all(said[name][1].startswith("TLS_") for name in MODULES)
    assert said["ssl"].startswith("OpenSSL ")
    assert not said["plugins"]
    linked = dict(part.split() for part in wheels["mysqlclient"].linked)
    assert said["client"] == [linked["mariadb-connector-c"]] * 2
    assert linked["openssl"] not in said["ssl"]


def test_a_second_build_compiles_no_library_again_and_gives_the_same_bytes(
    wheels: dict[str, AcquiredWheel], python: Interpreter, tools: Tools
) -> None:
    stages: list[str] = []
    watched = Tools(
        cache=tools.cache, on_event=lambda stage, detail, _: stages.append(f"{stage} {detail}")
    )
    again = made("mysqlclient", python, watched)
    assert again.sha256 == wheels["mysqlclient"].sha256
    assert not [line for line in stages if "compiling for" in line or "configuring" in line]


def test_another_cache_compiles_the_libraries_again_to_the_same_bytes(
    wheels: dict[str, AcquiredWheel], python: Interpreter, tools: Tools, tmp_path: Path
) -> None:
    """No folder of the machine that compiles is in a wheel: the other cache is longer, and deep.

    Compiler and sources are taken over, unpacked elsewhere; OpenSSL, zlib and Connector/C are not.
    """
    stages: list[str] = []
    other = Tools(
        cache=tmp_path / "another-folder" / ("deep" * 20) / "cache",
        on_event=lambda stage, detail, _: stages.append(f"{stage} {detail}"),
    )
    for name in ("tools", "sources", "apt"):
        shutil.copytree(tools.cache / name, other.cache / name, symlinks=True)
    again = made("mysqlclient", python, other)
    compiled = {line.split(":")[0] for line in stages if ": compiling for " in line}
    assert compiled == {f"libraries {name}" for name in load_libraries()}
    archives = [sorted((one.cache / "libraries").glob("*/lib/*.a")) for one in (tools, other)]
    names = [[path.relative_to(path.parents[2]) for path in found] for found in archives]
    assert names[0] == names[1]
    for one, two in zip(*archives, strict=True):
        assert one.read_bytes() == two.read_bytes(), one.name
    assert again.sha256 == wheels["mysqlclient"].sha256


def test_nothing_half_made_is_left(wheels: dict[str, AcquiredWheel], tools: Tools) -> None:
    assert wheels
    assert not list(tools.cache.rglob("*.part"))
    assert not [path for path in (tools.cache / "work").iterdir() if path.is_dir()]
