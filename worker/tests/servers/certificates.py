"""Certificates of an authority that exists for one test run, made by openssl."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .programs import need


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """``authority`` signed ``certificate`` for 127.0.0.1; ``stranger`` signed nothing here.

    ``keystore`` is key and certificate in one PEM file, as Kafka wants them.
    """

    authority: Path
    certificate: Path
    key: Path
    keystore: Path
    stranger: Path


@contextmanager
def certificates() -> Iterator[Certificates]:
    """Made in a folder that servers of other users may read, and gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="certificates-"))
    folder.chmod(0o755)
    try:
        yield _made(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _made(folder: Path) -> Certificates:
    for name in ("authority", "stranger"):
        _openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem",
            folder=folder,
        )  # fmt: skip
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    _openssl(
        "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
        "-keyout", "server.key", "-out", "server.csr", folder=folder,
    )  # fmt: skip
    _openssl(
        "x509", "-req", "-in", "server.csr", "-CA", "authority.pem", "-CAkey", "authority.key",
        "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.pem", folder=folder,
    )  # fmt: skip
    for key in folder.glob("*.key"):
        key.chmod(0o644)
    keystore = folder / "keystore.pem"
    parts = [(folder / name).read_text() for name in ("server.key", "server.pem", "authority.pem")]
    keystore.write_text("".join(parts))
    return Certificates(
        authority=folder / "authority.pem",
        certificate=folder / "server.pem",
        key=folder / "server.key",
        keystore=keystore,
        stranger=folder / "stranger.pem",
    )


def _openssl(*words: str, folder: Path) -> None:
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder)}
    subprocess.run(
        (need("openssl"), *words),
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
        timeout=60,
    )
