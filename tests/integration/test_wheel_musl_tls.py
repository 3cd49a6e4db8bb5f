"""MySQL drivers under musl, against a live MariaDB that lets nobody in without TLS.

Compiles OpenSSL, Connector/C and CPython for musl once, minutes of both cores. On aarch64 qemu
comes in between, which other tests go through.
Debian packages: mariadb-server, openssl.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.mariadb_server import PASSWORD, MariaDbServer

pytestmark = pytest.mark.network

TARGET = "linux/x86_64/musl/cp311"
OWN_CLIENT = ("mysqlclient", "mariadb")
PYTHONS_SSL = ("asyncmy", "PyMySQL")
SECONDS = 3000

Document = dict[str, Any]
Command = Callable[..., Document]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("musltls")


@pytest.fixture(scope="module")
def command(folder: Path) -> Command:
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


@pytest.fixture(scope="module")
def wheels(command: Command) -> dict[str, Document]:
    made = command("wheel", *OWN_CLIENT, *PYTHONS_SSL, "--target", TARGET)["wheels"]
    return {one["driver"]: one for one in made}


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[MariaDbServer]:
    key, certificate = folder / "key.pem", folder / "cert.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]
    subprocess.run(
        ["openssl", *words, "-keyout", key, "-out", certificate], capture_output=True, check=True
    )
    for path in (folder, key, certificate):
        path.chmod(0o755)
    secure = (f"--ssl-cert={certificate}", f"--ssl-key={key}")
    with MariaDbServer(folder / "server", options=secure) as server:
        server.sql("ALTER USER native@'%' REQUIRE SSL")
        yield server


def test_each_wheel_is_executed_under_musl(wheels: dict[str, Document]) -> None:
    for driver in (*OWN_CLIENT, *PYTHONS_SSL):
        assert wheels[driver]["verified"] == "executed", wheels[driver]
        assert wheels[driver]["proof"]["place"] == "linux/x86_64/musl/cp311"
    for driver in OWN_CLIENT:
        assert wheels[driver]["libraries"] == "source"
        assert any(part.startswith("openssl ") for part in wheels[driver]["linked"])


@pytest.mark.parametrize("driver", [*OWN_CLIENT, "asyncmy"])
def test_auditwheel_agrees_with_the_tag(driver: str, wheels: dict[str, Document]) -> None:
    """It tells musl by the name that a distribution's is needed by, which is not zig's."""
    words = [sys.executable, "-m", "auditwheel", "show", wheels[driver]["path"]]
    shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert 'tag: "musllinux_1_2_x86_64"' in " ".join(shown.split())


@pytest.mark.parametrize("driver", [*OWN_CLIENT, *PYTHONS_SSL])
def test_it_writes_and_reads_over_tls(
    driver: str, wheels: dict[str, Document], command: Command, server: MariaDbServer
) -> None:
    """Those without a client library of their own take Python's ``ssl``, compiled for this."""
    assert driver in wheels
    dsn = server.url("native", query="ssl-mode=required")
    (one,) = command("verify", driver, "--target", TARGET, "--dsn", dsn)["drivers"]
    assert (one["status"], one["verified"]) == ("ok", "executed"), one
    connect = next(check for check in one["checks"] if check["name"] == "connect")
    assert ", TLS TLS_" in connect["detail"] or ", TLS ECDHE" in connect["detail"], connect


def test_the_same_server_refuses_who_comes_without(
    wheels: dict[str, Document], command: Command, server: MariaDbServer
) -> None:
    assert "mysqlclient" in wheels
    dsn = server.url("native", query="ssl-mode=disabled")
    words = ("verify", "mysqlclient", "--target", TARGET, "--dsn", dsn)
    (one,) = command(*words, code=1)["drivers"]
    assert one["status"] == "failed"
    assert PASSWORD not in json.dumps(one)
    assert "denied" in json.dumps(one)
