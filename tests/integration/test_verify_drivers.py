"""The real drivers: SQLite's in every interpreter, MySQL's against a real MariaDB.

Debian packages: mariadb-server, libmariadb-dev, pkg-config, gcc, libc6-dev, openssl.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

import buildtools
from buildtools.commands.verify import DSN_VARIABLE
from buildtools.host import Interpreter, interpreter_facts
from buildtools.probes import Status, Verdict, parse_dsn, verify
from buildtools.recipes import load_recipes
from tests.integration.mariadb_server import PASSWORD, MariaDbServer
from tests.interpreters import INTERPRETERS

RECIPES = load_recipes()
SCHEMA = json.loads(
    (Path(buildtools.__file__).parent / "schemas" / "verify.schema.json").read_text()
)
SQLITE_CHECKS = {"version", "table", "transaction", "fts5", "json", "threadsafe", "wal"}
VALUES = {
    "utf8mb4", "decimal", "date", "datetime", "time", "null", "blob", "integer", "unsigned",
    "double",
}  # fmt: skip
# The newest mysql-connector-python whose own OpenSSL gets on with that of a Debian 12.
WHEELS = (
    "apsw",
    "pysqlite3",
    "asyncmy",
    "PyMySQL",
    "mysql-connector-python==9.4.0",
    "PyNaCl",
    "hiredis",
)
SOURCES = ("mysqlclient", "mariadb==1.1.14")
MYSQL = ("mysqlclient", "mariadb", "mysql-connector-python", "asyncmy", "PyMySQL")

pytestmark = pytest.mark.network


def command(words: list[str | Path], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        env={**os.environ, **environment},
    )


def checked(words: list[str | Path]) -> None:
    done = command(words)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="module", params=INTERPRETERS, ids=lambda path: path.parents[1].name)
def interpreter(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Interpreter:
    """A venv of each CPython with every driver: wheels, and two built from source."""
    venv = tmp_path_factory.mktemp("drivers") / "venv"
    checked([request.param, "-m", "venv", venv])
    pip: list[str | Path] = [venv / "bin" / "python", "-m", "pip", "install", "-q"]
    checked([*pip, "--only-binary=:all:", *WHEELS])
    checked([*pip, "--no-binary=mysqlclient,mariadb", *SOURCES])
    return interpreter_facts(venv)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDbServer]:
    with MariaDbServer(tmp_path_factory.mktemp("mariadb") / "server") as running:
        yield running


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, a server's certificate signed by it, and another authority."""
    folder = tmp_path_factory.mktemp("tls")
    request = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj"]
    for name in ("ca", "other"):
        # Python 3.13 holds an authority to RFC 5280: it must say what its key is for.
        usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        words = [*request, f"/CN={name}", "-x509", "-days", "3", *usage]
        checked([*words, "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"])
    key, csr = folder / "server.key", folder / "server.csr"
    checked([*request, "/CN=server", "-keyout", key, "-out", csr])
    (folder / "names").write_text(
        "subjectAltName=IP:127.0.0.1\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
    )
    words = ["openssl", "x509", "-req", "-days", "3", "-CAcreateserial"]
    signer: list[str | Path] = ["-CA", folder / "ca.pem", "-CAkey", folder / "ca.key"]
    files: list[str | Path] = ["-in", csr, "-out", folder / "server.pem"]
    checked([*words, *signer, *files, "-extfile", folder / "names"])
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder


@pytest.fixture(scope="module")
def tls_server(
    tmp_path_factory: pytest.TempPathFactory, authority: Path
) -> Iterator[MariaDbServer]:
    options = tuple(
        f"--ssl-{kind}={authority / name}"
        for kind, name in (("ca", "ca.pem"), ("cert", "server.pem"), ("key", "server.key"))
    )
    folder = tmp_path_factory.mktemp("mariadb-tls") / "server"
    authority.chmod(0o755)
    with MariaDbServer(folder, options=options) as running:
        yield running


def passed(verdict: Verdict) -> set[str]:
    return {check.name for check in verdict.checks if check.ok}


@pytest.mark.parametrize("driver", ["sqlite3", "pysqlite3", "apsw"])
def test_a_sqlite_driver_does_all_that_is_asked(interpreter: Interpreter, driver: str) -> None:
    verdict = verify(RECIPES[driver], interpreter)
    assert verdict.ok, verdict
    assert passed(verdict) >= SQLITE_CHECKS
    assert verdict.library is not None
    assert verdict.library.startswith("SQLite 3.")
    assert verdict.path is not None
    assert verdict.path.endswith(".so")


@pytest.mark.parametrize("driver", MYSQL)
def test_a_mysql_driver_is_tried_without_a_server(interpreter: Interpreter, driver: str) -> None:
    verdict = verify(RECIPES[driver], interpreter)
    assert verdict.ok, verdict
    wanted = {"connection refused", "auth mysql_native_password", "auth caching_sha2_password"}
    assert passed(verdict) >= wanted
    assert "connect" not in passed(verdict)


@pytest.mark.parametrize("driver", ["mysqlclient", "mariadb"])
def test_the_client_library_that_was_loaded_is_remembered(
    interpreter: Interpreter, driver: str
) -> None:
    verdict = verify(RECIPES[driver], interpreter)
    assert any("libmariadb.so.3" in path for path in verdict.libraries), verdict.libraries
    details = {check.name: check.detail for check in verdict.checks}
    assert details["auth caching_sha2_password"].endswith("/caching_sha2_password.so")
    assert verdict.library is not None
    assert verdict.library.rpartition(" ")[2][0].isdigit()


def test_a_client_without_its_plugins_is_found_out(
    interpreter: Interpreter, tmp_path: Path
) -> None:
    environment = {"MARIADB_PLUGIN_DIR": str(tmp_path)}
    verdict = verify(RECIPES["mysqlclient"], interpreter, environment=environment)
    assert verdict.status is Status.FAILED
    assert "auth caching_sha2_password" not in passed(verdict)
    assert f"MARIADB_PLUGIN_DIR is {str(tmp_path)!r}" in verdict.reason


@pytest.mark.parametrize("user", ["native", "curve"])
@pytest.mark.parametrize("driver", MYSQL)
def test_a_live_server_gives_back_what_was_put_in(
    *, interpreter: Interpreter, server: MariaDbServer, driver: str, user: str
) -> None:
    verdict = verify(RECIPES[driver], interpreter, dsn=parse_dsn(server.url(user)))
    if (driver, user) == ("mysql-connector-python", "curve"):
        # MySQL's own driver has no ed25519: it must say so, and not pass.
        assert verdict.status is Status.FAILED
        assert "client_ed25519" in verdict.reason
        return
    assert verdict.ok, verdict
    assert passed(verdict) >= {"connect", "create table", "insert", "transaction", *VALUES}
    if driver not in {"mysqlclient", "PyMySQL"}:
        assert "prepared statement" in passed(verdict)
    assert server.sql("SHOW TABLES", "probes") == ""


@pytest.mark.parametrize("driver", MYSQL)
def test_a_real_table_is_made_where_no_temporary_one_may_be_and_is_taken_away(
    *, interpreter: Interpreter, server: MariaDbServer, driver: str
) -> None:
    verdict = verify(RECIPES[driver], interpreter, dsn=parse_dsn(server.url("reader")))
    assert verdict.ok, verdict
    details = {check.name: check.detail for check in verdict.checks}
    assert details["create table"] == "a real one, dropped at the end"
    assert server.sql("SHOW TABLES", "probes") == ""


def test_the_table_is_taken_away_also_when_a_statement_fails(
    interpreter: Interpreter, server: MariaDbServer
) -> None:
    server.sql("REVOKE INSERT ON probes.* FROM reader@'%'")
    try:
        verdict = verify(RECIPES["PyMySQL"], interpreter, dsn=parse_dsn(server.url("reader")))
    finally:
        server.sql("GRANT INSERT ON probes.* TO reader@'%'")
    assert verdict.status is Status.FAILED
    assert verdict.reason.startswith("insert: ")
    assert server.sql("SHOW TABLES", "probes") == ""


@pytest.mark.parametrize("driver", MYSQL)
def test_a_wrong_password_is_the_servers_refusal_and_shows_nowhere(
    *, interpreter: Interpreter, server: MariaDbServer, driver: str
) -> None:
    url = server.url().replace(PASSWORD, "wr0ng-s3cret")
    verdict = verify(RECIPES[driver], interpreter, dsn=parse_dsn(url))
    assert verdict.status is Status.FAILED
    assert "1045" in verdict.reason or "Access denied" in verdict.reason
    assert "wr0ng-s3cret" not in json.dumps(verdict.as_json())


@pytest.mark.parametrize("driver", MYSQL)
def test_the_modes_of_tls_mean_the_same_to_every_driver(
    *, interpreter: Interpreter, tls_server: MariaDbServer, authority: Path, driver: str
) -> None:
    def connected(query: str) -> tuple[Status, str]:
        dsn = parse_dsn(tls_server.url(query=query))
        verdict = verify(RECIPES[driver], interpreter, dsn=dsn)
        details = {check.name: check.detail for check in verdict.checks}
        return verdict.status, details["connect"]

    status, detail = connected("ssl-mode=disabled")
    assert (status, detail.rpartition(", ")[2]) == (Status.OK, "no TLS")
    for query in (
        "ssl-mode=required",
        f"ssl-mode=verify-ca&ssl-ca={authority / 'ca.pem'}",
        f"ssl-mode=verify-identity&ssl-ca={authority / 'ca.pem'}",
    ):
        status, detail = connected(query)
        assert status is Status.OK, (query, detail)
        assert ", TLS " in detail
    status, detail = connected(f"ssl-mode=verify-ca&ssl-ca={authority / 'other.pem'}")
    assert status is Status.FAILED, detail


def verify_command(
    python: Path, *words: str, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "buildtools", "verify", "--python", str(python), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=cwd,
        env={**os.environ, **environment},
    )


def test_the_command_prints_one_document_and_no_password(
    interpreter: Interpreter, server: MariaDbServer, tmp_path: Path
) -> None:
    python = interpreter.executable
    done = verify_command(python, "--json", cwd=tmp_path, **{DSN_VARIABLE: server.url()})
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    assert next(iter(document)) == "schema"
    assert {entry["driver"] for entry in document["drivers"]} == set(RECIPES)
    assert PASSWORD not in done.stdout + done.stderr


def test_the_command_runs_the_applications_checks_after_the_drivers(
    interpreter: Interpreter, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.buildtools]\ndrivers = ["apsw"]\nchecks = ["shop:well", "shop:ill"]\n'
    )
    (tmp_path / "shop.py").write_text("def well(): pass\ndef ill(): raise ValueError('empty')\n")
    done = verify_command(interpreter.executable, "--json", cwd=tmp_path)
    assert done.returncode == 1
    document = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    assert [entry["status"] for entry in document["drivers"]] == ["ok"]
    assert [(c["check"], c["status"]) for c in document["application"]] == [
        ("shop:well", "ok"),
        ("shop:ill", "failed"),
    ]
    shown = verify_command(interpreter.executable, cwd=tmp_path)
    assert "ValueError: empty" in shown.stdout


def test_a_driver_that_was_named_and_is_absent_fails(
    interpreter: Interpreter, tmp_path: Path
) -> None:
    done = verify_command(interpreter.executable, "no-such-driver", cwd=tmp_path)
    assert done.returncode == 1
    assert "absent" in done.stdout
    assert verify_command(interpreter.executable, "a;b", cwd=tmp_path).returncode == 2
    bad = verify_command(interpreter.executable, "--dsn", "mysql://u:s3cr3t@h", cwd=tmp_path)
    assert bad.returncode == 2
    assert "s3cr3t" not in bad.stdout + bad.stderr


def test_a_version_that_was_asked_for_is_held_against_the_one_that_is_there(
    interpreter: Interpreter, tmp_path: Path
) -> None:
    python = interpreter.executable
    assert verify_command(python, "pymysql>=1.1,<99", cwd=tmp_path).returncode == 0
    done = verify_command(python, "pymysql==0.1.*", cwd=tmp_path)
    assert done.returncode == 1
    assert "==0.1.* was asked for" in done.stdout
    assert verify_command(python, "pymysql==", cwd=tmp_path).returncode == 2


def test_a_foreign_target_is_refused_plainly(interpreter: Interpreter, tmp_path: Path) -> None:
    python = interpreter.executable
    done = verify_command(python, "--target", "darwin/arm64", "sqlite3", cwd=tmp_path)
    assert done.returncode == 2
    assert "buildtools doctor --target darwin/arm64" in done.stderr


def test_a_distribution_without_a_recipe_is_tried_by_its_files(
    interpreter: Interpreter, tmp_path: Path
) -> None:
    done = verify_command(interpreter.executable, "--json", "cffi", "hiredis", cwd=tmp_path)
    document = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout
    paths = {entry["driver"]: entry["path"] for entry in document["drivers"]}
    assert "hiredis.cpython-" in paths["hiredis"]
    assert paths["cffi"].endswith("/cffi/__init__.py")
