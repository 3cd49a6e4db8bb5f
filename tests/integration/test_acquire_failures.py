"""Each way in which a wheel cannot be had is an error with its cause, and nothing half-made."""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import shutil
import subprocess
import threading
import time
import zipfile
from pathlib import Path

import pytest

from buildtools.acquire import (
    AcquireError,
    Backend,
    LibraryWay,
    Tools,
    WheelRequest,
    build,
    fetch,
    resolve,
)
from buildtools.acquire.apt import Apt, write_configuration
from buildtools.acquire.caching import made_once
from buildtools.acquire.cross import (
    PkgConfigAnswer,
    Zig,
    write_compilers,
    write_config_tool,
    write_pkg_config,
)
from buildtools.findings import Cause
from buildtools.host import interpreter_facts
from buildtools.recipes import load_recipes
from buildtools.targets import parse_target
from tests.integration.mariadb_server import free_port


def request(distribution: str, *, offline: bool = False) -> WheelRequest:
    python = interpreter_facts()
    return WheelRequest(
        distribution=distribution, target=python.target, python=python, offline=offline
    )


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    return Tools(cache=tmp_path / "cache")


class QuietFiles(http.server.SimpleHTTPRequestHandler):
    """A folder's files, without a word on standard error."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        del format, args


def pure_wheel(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        about = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        archive.writestr(f"{name}-1.0.dist-info/METADATA", about)
        tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{name}-1.0.dist-info/WHEEL", tag)
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index of files with nothing in it yet, and no other one."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_INDEX_URL", folder.as_uri())
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    return folder


def offer(index: Path, name: str, sha256: str = "") -> None:
    wheel = pure_wheel(index / name, name)
    digest = sha256 or hashlib.sha256(wheel.read_bytes()).hexdigest()
    page = f'<a href="{wheel.name}#sha256={digest}">{wheel.name}</a>'
    (index / name / "index.html").write_text(page)


def test_a_wheel_of_the_users_own_index_is_fetched(index: Path, tools: Tools) -> None:
    offer(index, "sample")
    wheel = fetch(request("sample"), tools)
    assert (wheel.version, wheel.backend, wheel.path.is_file()) == ("1.0", Backend.INDEX, True)
    assert resolve(request("sample"), tools).sha256 == wheel.sha256
    assert list((tools.cache / "work").iterdir()) == []


def test_a_wrong_hash_is_told_from_a_missing_wheel(index: Path, tools: Tools) -> None:
    offer(index, "sample", "0" * 64)
    with pytest.raises(AcquireError) as caught:
        fetch(request("sample"), tools)
    assert caught.value.cause is Cause.HASH_MISMATCH
    assert not list(tools.cache.rglob("*.whl"))
    with pytest.raises(AcquireError) as caught:
        fetch(request("another"), tools)
    assert caught.value.cause is Cause.NO_MATCHING_DISTRIBUTION


def test_a_pure_wheel_does_not_pass_for_a_native_driver(index: Path, tools: Tools) -> None:
    offer(index, "mysqlclient")
    recipe = load_recipes()["mysqlclient"]
    wanted = WheelRequest(
        distribution="mysqlclient",
        version="1.0",
        target=interpreter_facts().target,
        python=interpreter_facts(),
    )
    for ask in (fetch, resolve):
        with pytest.raises(AcquireError) as caught:
            ask(wanted, tools, recipe=recipe)
        assert caught.value.cause is Cause.NO_MATCHING_DISTRIBUTION
        assert "pure" in caught.value.why


@pytest.mark.parametrize("driver", ["mysqlclient", "pysqlite3"])
def test_a_version_that_the_index_has_not_is_refused_before_a_library_is_compiled(
    driver: str, index: Path, tools: Tools
) -> None:
    """Nor is anything else fetched: compiler and headers are asked for after it."""
    assert not list(index.iterdir())
    wanted = WheelRequest(
        distribution=driver,
        version="99",
        target=parse_target("linux/aarch64/glibc2.28/cp311", {}),
        python=interpreter_facts(),
        libraries=LibraryWay.SOURCE,
    )
    with pytest.raises(AcquireError) as caught:
        build(wanted, load_recipes()[driver], tools, backend=Backend.ZIG)
    assert caught.value.cause is Cause.NO_MATCHING_DISTRIBUTION
    assert "source archive" in caught.value.what
    assert not any((tools.cache / name).exists() for name in ("libraries", "sysroots", "sources"))


def test_an_index_that_is_away_says_so(monkeypatch: pytest.MonkeyPatch, tools: Tools) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{free_port()}/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    with pytest.raises(AcquireError) as caught:
        fetch(request("sample"), tools)
    assert caught.value.cause is Cause.INDEX_UNREACHABLE


def test_credentials_of_an_index_stay_out_of_what_is_said(
    monkeypatch: pytest.MonkeyPatch, tools: Tools
) -> None:
    port = free_port()
    monkeypatch.setenv("PIP_INDEX_URL", f"http://someone:pa55-w0rd@127.0.0.1:{port}/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(AcquireError) as caught:
        fetch(request("sample"), tools)
    assert "pa55-w0rd" not in str(caught.value)
    with pytest.raises(AcquireError) as caught:
        build(request("sample"), load_recipes()["asyncmy"], tools, backend=Backend.NATIVE)
    assert "pa55-w0rd" not in str(caught.value)
    for log in tools.cache.rglob("*.log"):
        assert "pa55-w0rd" not in log.read_text()


def test_offline_asks_nobody(monkeypatch: pytest.MonkeyPatch, tools: Tools, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    started = time.monotonic()
    with pytest.raises(AcquireError) as caught:
        fetch(request("sample", offline=True), tools)
    assert caught.value.cause is Cause.NO_MATCHING_DISTRIBUTION
    assert time.monotonic() - started < 20
    pure_wheel(tmp_path, "sample")
    assert fetch(request("sample", offline=True), tools).version == "1.0"


def test_a_mirror_that_answers_with_a_page_is_refused(html_mirror: str, tmp_path: Path) -> None:
    if shutil.which("apt-get") is None:
        pytest.fail("this test needs apt-get")
    apt = Apt(
        root=tmp_path / "apt", distribution="debian", release="bookworm", architecture="amd64"
    )
    sources = f"Types: deb\nURIs: {html_mirror}\nSuites: bookworm\nComponents: main\n"
    write_configuration(apt, sources)
    with pytest.raises(AcquireError) as caught:
        apt.update()
    assert caught.value.cause in {Cause.INDEX_UNREACHABLE, Cause.HASH_MISMATCH}
    assert not (apt.root / "updated").exists()


APT_ON_A_FULL_DISK = """\
Get:1 http://mirror.example/debian bookworm InRelease [151 kB]
Err:2 http://mirror.example/debian bookworm/main arm64 Packages
  Error writing to output file - write (28: No space left on device) [IP: 127.0.0.1 80]
Err:2 http://mirror.example/debian bookworm/main arm64 Packages
E: Failed to fetch http://mirror.example/debian/dists/bookworm/InRelease
E: Failed to fetch http://mirror.example/debian/dists/bookworm-updates/InRelease
E: Failed to fetch http://mirror.example/debian-security/dists/bookworm-security/InRelease
E: Some index files failed to download.
"""


def test_a_disk_that_apt_fills_is_named_whichever_line_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In apt's own words; the real one was seen to hang on such a disk at times."""
    program = tmp_path / "bin" / "apt-get"
    program.parent.mkdir()
    (tmp_path / "said").write_text(APT_ON_A_FULL_DISK, encoding="utf-8")
    program.write_text(f"#!/bin/sh\ncat {tmp_path}/said\nexit 100\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    apt = Apt(root=tmp_path / "apt", distribution="debian", release="sid", architecture="amd64")
    write_configuration(apt, "")
    with pytest.raises(AcquireError) as caught:
        apt.update()
    assert caught.value.cause is Cause.NO_SPACE
    assert "No space left on device" in caught.value.why
    assert caught.value.why.count("Err:2") == 1
    assert caught.value.next_step.startswith("free some space")


def flat_archive(folder: Path, version: str) -> None:
    """A Debian archive of one package in one version, as a mirror has it that keeps no older."""
    tree = folder.parent / f"tree-{version}"
    (tree / "DEBIAN").mkdir(parents=True)
    fields = f"Package: sample\nVersion: {version}\nArchitecture: all\nMaintainer: a <a@example>\n"
    (tree / "DEBIAN/control").write_text(f"{fields}Description: a sample\n", encoding="utf-8")
    folder.mkdir(exist_ok=True)
    for left in folder.glob("*.deb"):
        left.unlink()
    words = ["dpkg-deb", "--build", "--root-owner-group", str(tree), str(folder)]
    subprocess.run(words, check=True, capture_output=True)
    (built,) = folder.glob("*.deb")
    content = built.read_bytes()
    packages = (
        f"{fields}Filename: ./{built.name}\nSize: {len(content)}\n"
        f"SHA256: {hashlib.sha256(content).hexdigest()}\n\n"
    ).encode()
    (folder / "Packages").write_bytes(packages)
    digest = hashlib.sha256(packages).hexdigest()
    release = f"Origin: Debian\nSHA256:\n {digest} {len(packages)} Packages\n"
    (folder / "Release").write_text(release, encoding="utf-8")
    for name in ("Release", "Packages"):
        # apt asks for what is newer to the second.
        written = 1.7e9 + 3600 * float(version)
        os.utime(folder / name, (written, written))


def test_a_mirror_that_has_moved_on_is_asked_for_its_lists_again(tmp_path: Path) -> None:
    """It no longer holds what lists announce that were read some hours ago."""
    mirror = tmp_path / "mirror"
    flat_archive(mirror, "1.0")
    handler = functools.partial(QuietFiles, directory=str(mirror))
    apt = Apt(root=tmp_path / "apt", distribution="debian", release="sid", architecture="amd64")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        write_configuration(apt, f"Types: deb\nURIs: {address}\nSuites: ./\nTrusted: yes\n")

        def fetched() -> str:
            folder = tmp_path / "in" / str(time.monotonic_ns())
            folder.mkdir(parents=True)
            return apt.download(apt.closure(["sample"]), folder)[0].name

        try:
            assert apt.with_lists(fetched) == "sample_1.0_all.deb"
            flat_archive(mirror, "2.0")
            with pytest.raises(AcquireError, match=r"sample=1\.0 could not be downloaded"):
                apt.with_lists(fetched)
            hours_ago = time.time() - 7200
            os.utime(apt.root / "updated", (hours_ago, hours_ago))
            assert apt.with_lists(fetched) == "sample_2.0_all.deb"
        finally:
            server.shutdown()


def test_a_full_disk_leaves_nothing_half_made(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        message = "a file system cannot be mounted here"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    try:

        def fill(folder: Path) -> None:
            (folder / "a").write_bytes(bytes(1 << 20))

        with pytest.raises(AcquireError) as caught:
            made_once(disk / "d", fill)
        assert caught.value.cause is Cause.NO_SPACE
        assert not (disk / "d").exists()
        assert not list(disk.glob(".d.*.part"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


HOSTILE = '-I/a b\'; touch $(echo owned) `echo owned` "x" \\ $HOME'


def said(program: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *words], capture_output=True, text=True, check=False, cwd=program.parent
    )


def test_a_config_tool_prints_its_answers_and_runs_none_of_them(tmp_path: Path) -> None:
    tool = write_config_tool(tmp_path / "mariadb_config", {"cflags": HOSTILE, "libs": "-lx"})
    assert said(tool, "--cflags").stdout == HOSTILE + "\n"
    assert said(tool, "--cflags", "--libs").stdout == f"{HOSTILE}\n-lx\n"
    assert said(tool, "--unknown").returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mariadb_config"]


def test_pkg_config_knows_its_names_only(tmp_path: Path) -> None:
    answer = PkgConfigAnswer(version="3.3", cflags=("-I/a b",), libs=("-L/x", "-lmariadb"))
    tool = write_pkg_config(tmp_path / "pkg-config", {"mariadb": answer})
    assert said(tool, "--exists", "mariadb").returncode == 0
    assert said(tool, "--exists", "mysqlclient").returncode == 1
    assert said(tool, "--modversion", "mariadb").stdout == "3.3\n"
    assert said(tool, "--cflags", "--libs", "mariadb >= 3").returncode == 1
    assert said(tool, "--cflags", "--libs", "mariadb").stdout == "'-I/a b' -L/x -lmariadb\n"


def test_a_compiler_drops_what_is_the_machines_own(tmp_path: Path) -> None:
    echo = Path(shutil.which("echo") or "/bin/echo")
    folder = tmp_path / "a folder"
    zig = Zig(program=echo, triple="aarch64-linux-gnu.2.28", cache=tmp_path)
    compiler = write_compilers(zig, folder)["cc"]
    own = ["-march=native", "-specs=/x", "-I/usr/include/python3.11", "-L/usr/lib", "-g", "-flto"]
    words = said(compiler, "-c", "a b.c", *own, "-I/tree/include", "-DX=$(y)").stdout
    assert words.startswith("cc -target aarch64-linux-gnu.2.28 -c a b.c -I/tree/include -DX=$(y) ")
    assert "-UDEFAULT_PLUGINS_SUBDIR" in words


def test_the_same_request_twice_at_once_does_not_meet(tools: Tools) -> None:
    errors: list[Exception] = []

    def work() -> None:
        try:
            fetch(request("sample", offline=True), tools)
        except AcquireError as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 2
    assert list((tools.cache / "work").iterdir()) == []
