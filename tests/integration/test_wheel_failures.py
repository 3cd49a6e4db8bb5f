"""What goes wrong while a wheel is made ends in a clear error, and nothing half-made is kept."""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from buildtools.acquire import AcquireError, Tools
from buildtools.acquire import apt as apt_room
from buildtools.acquire.aptsources import Source
from buildtools.acquire.sysroot import make_sysroot
from buildtools.errors import CannotLookError
from buildtools.findings import Cause
from buildtools.recipes import PackageSet
from buildtools.wheelhouse import Provenance, Wheelhouse, read_cells
from tests.unit.wheels.making import Making

SECONDS = 900


def missing(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        del format, args


@contextmanager
def served(folder: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A Debian archive with one package in it, whole but unsigned."""
    if shutil.which("dpkg-deb") is None or apt_room.codename() is None:
        missing("this test makes a Debian package and reads it with apt")
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        "Package: libsample1\nVersion: 1.0\nArchitecture: amd64\n"
        "Maintainer: Nobody <nobody@localhost>\nDescription: a sample\n"
    )
    (tree / "usr/lib/x86_64-linux-gnu").mkdir(parents=True)
    (tree / "usr/lib/x86_64-linux-gnu/libsample.so.1").write_bytes(b"a library")
    root = tmp_path / "archive"
    binary = root / "dists/bookworm/main/binary-amd64"
    binary.mkdir(parents=True)
    package = root / "libsample1_1.0_amd64.deb"
    subprocess.run(["dpkg-deb", "-b", "--root-owner-group", tree, package], check=True)
    facts = (
        f"Filename: {package.name}\nSize: {package.stat().st_size}\n"
        f"SHA256: {hashlib.sha256(package.read_bytes()).hexdigest()}\n"
    )
    listing = (tree / "DEBIAN/control").read_text() + facts
    (binary / "Packages").write_text(listing)
    digest = hashlib.sha256(listing.encode()).hexdigest()
    (root / "dists/bookworm/Release").write_text(
        "Origin: Debian\nSuite: bookworm\nCodename: bookworm\nArchitectures: amd64\n"
        "Components: main\nDate: Thu, 01 Jan 2026 00:00:00 UTC\n"
        f"SHA256:\n {digest} {len(listing)} main/binary-amd64/Packages\n"
    )
    return root


def sysroot(url: str, tools: Tools, monkeypatch: pytest.MonkeyPatch, *, trusted: bool) -> Path:
    """What the one package gives, through an apt whose sources are that archive alone."""
    fields = {"URIs": url, "Suites": "bookworm", "Components": "main"}
    if trusted:
        fields["Trusted"] = "yes"
    monkeypatch.setattr(apt_room, "codename", lambda: ("debian", "bookworm"))
    monkeypatch.setattr(apt_room, "read_sources", lambda _folder: (Source(fields=fields),))
    return make_sysroot(tools, "x86_64", PackageSet(build=(), runtime=("libsample1",))).path


def test_a_package_that_is_what_the_list_announces_is_unpacked(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(archive) as url:
        path = sysroot(url, Tools(cache=tmp_path / "cache"), monkeypatch, trusted=True)
    assert (path / "usr/lib/x86_64-linux-gnu/libsample.so.1").read_bytes() == b"a library"


def test_a_package_with_a_wrong_hash_is_refused(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = archive / "libsample1_1.0_amd64.deb"
    content = bytearray(package.read_bytes())
    content[-1] ^= 1
    package.write_bytes(content)
    tools = Tools(cache=tmp_path / "cache")
    with served(archive) as url, pytest.raises(AcquireError) as caught:
        sysroot(url, tools, monkeypatch, trusted=True)
    assert caught.value.cause is Cause.HASH_MISMATCH
    assert "libsample1" in caught.value.what
    assert "Hash Sum mismatch" in caught.value.why
    nothing_half_made(tools.cache)


def test_an_archive_that_is_not_signed_by_the_distribution_is_refused(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = Tools(cache=tmp_path / "cache")
    with served(archive) as url, pytest.raises(AcquireError) as caught:
        sysroot(url, tools, monkeypatch, trusted=False)
    assert caught.value.cause is Cause.HASH_MISMATCH
    assert "is not signed" in caught.value.why
    nothing_half_made(tools.cache)


def test_a_package_that_is_a_page_is_refused(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that answers with its own page, with success, in place of the file."""
    (archive / "libsample1_1.0_amd64.deb").write_text("<html>please log in</html>")
    tools = Tools(cache=tmp_path / "cache")
    with served(archive) as url, pytest.raises(AcquireError) as caught:
        sysroot(url, tools, monkeypatch, trusted=True)
    assert caught.value.cause is Cause.HASH_MISMATCH
    nothing_half_made(tools.cache)


def nothing_half_made(cache: Path) -> None:
    """No unpacked tree, no wheel, no scratch: only apt's own lists and empty folders."""
    for room in ("sysroots", "wheels", "libraries", "work"):
        left = [path for path in (cache / room).rglob("*") if path.is_file()]
        assert [path for path in left if not path.name.endswith(".lock")] == []


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        missing("a file system cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def wheel_command(house: Path, cache: Path, *words: str) -> tuple[list[str], dict[str, str]]:
    command = [sys.executable, "-m", "buildtools", "wheel", *words, "--wheelhouse", str(house)]
    return command, {**os.environ, "XDG_CACHE_HOME": str(cache)}


def test_a_full_disk_under_the_store_leaves_no_part_of_a_wheel(tmp_path: Path) -> None:
    provenance = Provenance(driver="sample", target="", python="", backend="zig", source="sdist")
    files = {"sample/data.bin": os.urandom(256 << 10)}
    wheel = Making(files=files, tag="py3-none-any").write(tmp_path / "in")
    with small_disk(tmp_path / "disk", "128k") as disk:
        house = Wheelhouse(disk / "house")
        with pytest.raises(CannotLookError) as caught:
            house.add(wheel, provenance)
        assert "No space left" in caught.value.why
        assert "--wheelhouse" in caught.value.next_step
        assert house.wheels() == ()
        assert list((house.root / "tmp").iterdir()) == []


@pytest.mark.network
@pytest.mark.parametrize(
    ("driver", "target", "size"),
    [
        pytest.param("apsw", "linux/aarch64", "1m", id="the index's wheel"),
        pytest.param("pysqlite3", "linux/aarch64/glibc2.36", "250m", id="the compiler"),
    ],
)
def test_a_full_disk_under_the_cache_ends_in_one_clear_error(
    driver: str, target: str, size: str, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", size) as disk:
        words, environment = wheel_command(
            tmp_path / "house", disk, driver, "--target", target, "--proof", "static"
        )
        done = subprocess.run(
            words, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS,
            check=False,
        )  # fmt: skip
        assert done.returncode == 4, done.stdout + done.stderr
        assert "No space left on device" in done.stderr
        assert "next: free some space" in done.stderr
        assert "Traceback" not in done.stderr
    assert Wheelhouse(tmp_path / "house").wheels() == ()
    (cell,) = read_cells(tmp_path / "house")
    assert cell.state == "missing"
    assert "No space left" in cell.reason


def ended_by_themselves(groups: list[str]) -> bool:
    """Whether nothing runs on in these process groups, the compilers that were at it included."""
    for _ in range(50):
        words = ["ps", "-A", "-o", "pgid=,stat=,args="]
        rows = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
        left = [row.split(None, 2) for row in rows]
        if not [row for row in left if row[0] in groups and not row[1].startswith("Z")]:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.network
def test_a_killed_build_leaves_nothing_and_the_next_one_is_whole(tmp_path: Path) -> None:
    house, cache = tmp_path / "house", tmp_path / "cache"
    words, environment = wheel_command(
        house, cache, "pysqlite3", "--target", "linux/aarch64/glibc2.28", "--backend", "zig",
        "--proof", "static",
    )  # fmt: skip
    killed = subprocess.Popen(
        words, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert killed.stderr is not None
    said = ""
    for line in killed.stderr:
        said += line
        if "compiling SQLite" in line:
            break
    time.sleep(1)
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(killed.pid)], capture_output=True, text=True, check=False
    ).stdout.split()
    os.killpg(killed.pid, signal.SIGKILL)
    killed.stderr.close()
    assert killed.wait() == -signal.SIGKILL
    assert children
    assert ended_by_themselves(children)
    assert "compiling SQLite" in said, said
    assert Wheelhouse(house).wheels() == ()
    assert not list((cache / "buildtools/libraries").rglob("*.a"))
    done = subprocess.run(
        words, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (stored,) = Wheelhouse(house).wheels()
    assert Wheelhouse(house).check() == ()
    assert stored.log.is_file()
    assert [one.state for one in read_cells(house)] == ["static"]
    assert not list((cache / "buildtools/libraries").glob(".*.part"))


@pytest.mark.network
@pytest.mark.parametrize(
    ("driver", "target", "why", "newer"),
    [
        ("mysql-connector-python", "linux/aarch64/musl", "distribution packages are of Linux", ""),
        ("mysql-connector-python", "linux/x86_64/glibc2.12", "libmysqlclient", "glibc2."),
        ("mysql-connector-python", "darwin/arm64/macos11", "distribution packages", "macos1"),
    ],
)
def test_a_target_that_a_driver_cannot_have_is_refused_with_the_reason(
    driver: str, target: str, why: str, newer: str, tmp_path: Path
) -> None:
    """And with the floor from which on the index has it, if there is one."""
    words, environment = wheel_command(
        tmp_path / "house", tmp_path / "cache", driver, "--target", target
    )
    done = subprocess.run(
        words, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS,
        check=False,
    )  # fmt: skip
    assert done.returncode == 4, done.stdout + done.stderr
    (cell,) = read_cells(tmp_path / "house")
    assert cell.state == "missing"
    assert why in cell.reason, cell.reason
    assert Wheelhouse(tmp_path / "house").wheels() == ()
    place = target.rpartition("/")[0]
    assert (f" for --target {place}/{newer}" in done.stderr) == bool(newer), done.stderr
