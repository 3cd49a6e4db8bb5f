"""Images for the compose files, made on the spot: Debian's packages, Kafka's jars, own entrypoints.

No registry of images is asked. Packages are fetched and checked by apt and unpacked as they are,
which takes seconds where a bootstrapped system takes minutes; the tree is kept in the cache. The
folders under ``stack_images`` are the images: each does what the compose files ask of its model.
"""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from buildtools.acquire.apt import open_apt
from buildtools.stack.jars import libraries
from buildtools.stack.properties import LOG4J2, RELOAD4J
from buildtools.stack.settings import Mode

IMAGES = Path(__file__).parent / "stack_images"
VARIABLES: Mapping[str, str] = {
    "ZOOKEEPER_IMAGE": "stack-test/zookeeper",
    "KAFKA_IMAGE": "stack-test/kafka",
    "KAFKA_KRAFT_IMAGE": "stack-test/kafka_kraft",
    "MYSQL_IMAGE": "stack-test/mysql",
    "REDIS_IMAGE": "stack-test/redis",
}
_PACKAGES = (
    *("bash", "coreutils", "dash", "findutils", "grep", "sed", "util-linux"),
    *("openjdk-17-jre-headless", "mariadb-server-core", "mariadb-client-core", "redis-server"),
)
_JAVA = "usr/lib/jvm/java-17-openjdk-amd64"
_NOT_NEEDED = ("doc", "man", "locale", "fonts", "perl", "icons", "info")
_USERS = (
    "root:x:0:0::/root:/bin/bash",
    "appuser:x:1000:1000::/tmp:/bin/bash",
    "mysql:x:999:999::/var/lib/mysql:/bin/false",
    "redis:x:998:998::/data:/bin/false",
)


def cache() -> Path:
    """Where what tests make once is kept."""
    configured = os.environ.get("BUILDTOOLS_TEST_CACHE", "")
    return Path(configured) if configured else Path.home() / ".cache" / "buildtools-tests"


def compose_plugin() -> Path:
    """``docker compose`` of the next Debian, unpacked; this release has version 1 alone."""
    made = cache() / "compose-trixie"
    program = made / "usr/libexec/docker/cli-plugins/docker-compose"
    made.parent.mkdir(parents=True, exist_ok=True)
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.is_file():
            _unpack(made, ("docker-compose",), release="trixie", alone=True)
    return program


def make_images(client: Any, scratch: Path) -> None:
    """Make the five images in the engine that a ``docker`` client speaks to."""
    archive = _base(scratch)
    client.api.import_image_from_file(
        str(archive),
        repository="stack-test/base",
        tag="latest",
        changes=[f"ENV PATH=/usr/local/bin:/usr/bin:/usr/sbin:/{_JAVA}/bin"],
    )
    jars = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "buildtools" / "stack"
    for number, mode in ((3, Mode.ZOOKEEPER), (4, Mode.KRAFT)):
        libs = libraries(mode, os.environ, jars, lambda _text: None)
        _build(client, f"kafka-{number}", _jars_context(libs))
    for folder in sorted(IMAGES.iterdir()):
        _build(client, folder.name, _context(folder))


def _build(client: Any, name: str, context: io.BytesIO) -> None:
    client.images.build(
        fileobj=context, custom_context=True, tag=f"stack-test/{name}", rm=True, forcerm=True
    )


def _context(folder: Path) -> io.BytesIO:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for file in folder.iterdir():
            tar.add(file, arcname=file.name)
    whole.seek(0)
    return whole


def _jars_context(libs: Path) -> io.BytesIO:
    files = {
        "Dockerfile": "FROM stack-test/base\n"
        "COPY libs /opt/kafka/libs\nCOPY *.properties /opt/kafka/config/\n",
        "log4j.properties": RELOAD4J,
        "log4j2.properties": LOG4J2,
    }
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        tar.add(libs, arcname="libs")
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    whole.seek(0)
    return whole


def _base(scratch: Path) -> Path:
    """A whole system of unpacked packages as one archive, kept in the cache."""
    archive = cache() / "stack-base-1.tar"
    archive.parent.mkdir(parents=True, exist_ok=True)
    with archive.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not archive.is_file():
            tree = scratch / "base"
            _unpack(tree, _PACKAGES)
            _settle(tree)
            partial = archive.with_suffix(".part")
            subprocess.run(("tar", "-C", str(tree), "-cf", str(partial), "."), check=True)
            partial.replace(archive)
            shutil.rmtree(tree)
    return archive


def _unpack(
    tree: Path, packages: tuple[str, ...], *, release: str | None = None, alone: bool = False
) -> None:
    apt = open_apt(cache(), "x86_64", release=release)
    assert apt is not None, "these images are made of Debian's packages"
    apt.update()
    wanted = [one for one in apt.closure(packages) if not alone or one.name in packages]
    downloads = tree.with_suffix(".debs")
    shutil.rmtree(downloads, ignore_errors=True)
    downloads.mkdir()
    for folder in ("bin", "sbin", "lib", "lib64"):
        (tree / "usr" / folder).mkdir(parents=True)
        (tree / folder).symlink_to(f"usr/{folder}")
    for deb in apt.download(wanted, downloads):
        data = subprocess.run(
            ("dpkg-deb", "--fsys-tarfile", str(deb)), check=True, stdout=subprocess.PIPE
        ).stdout
        subprocess.run(
            ("tar", "-C", str(tree), "-x", "--keep-directory-symlink"), input=data, check=True
        )
    shutil.rmtree(downloads)


def _settle(tree: Path) -> None:
    """What the packages' own scripts would have done, as far as these servers need it."""
    for name in _NOT_NEEDED:
        shutil.rmtree(tree / "usr/share" / name, ignore_errors=True)
    (tree / "etc/passwd").write_text("".join(f"{line}\n" for line in _USERS))
    groups = [line.split(":") for line in _USERS]
    (tree / "etc/group").write_text("".join(f"{one[0]}:x:{one[3]}:\n" for one in groups))
    (tree / "usr/bin/sh").unlink(missing_ok=True)
    (tree / "usr/bin/sh").symlink_to("dash")
    subprocess.run(("ldconfig", "-r", str(tree)), check=True)
