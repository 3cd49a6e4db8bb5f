"""Each way in which a library cannot be compiled ends in a clear error, and nothing half-made."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from buildtools.acquire import AcquireError
from buildtools.findings import Cause
from tests.integration.source_archive import SourceArchive, compile_demo, copy_of, whole

TOP = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def programs() -> None:
    absent = [name for name in ("apt-get", "gcc") if shutil.which(name) is None]
    if absent:
        message = f"{', '.join(absent)} is needed"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)


@pytest.fixture
def archive(tmp_path: Path) -> SourceArchive:
    return SourceArchive(root=tmp_path / "archive")


def refused(folder: Path, uri: str | None, **fields: str) -> AcquireError:
    with pytest.raises(AcquireError) as caught:
        compile_demo(folder, uri, sha256=fields.get("sha256", "0" * 64))
    return caught.value


def test_a_library_is_compiled_with_its_patches_once(
    archive: SourceArchive, tmp_path: Path
) -> None:
    archive.offer()
    made = compile_demo(tmp_path, archive.root.as_uri())
    assert (made.version, made.purl) == (
        "1.0.1",
        "pkg:deb/debian/demo@1.0-1?arch=source&distro=demo",
    )
    assert (made.lib / "libdemo.a").is_file()
    before = (made.lib / "libdemo.a").stat().st_mtime_ns
    again = compile_demo(tmp_path, archive.root.as_uri())
    assert (again.lib / "libdemo.a").stat().st_mtime_ns == before
    assert len(whole(tmp_path / "cache")) == 2


def test_what_decides_the_bytes_decides_the_folder(archive: SourceArchive, tmp_path: Path) -> None:
    archive.offer()
    first = compile_demo(tmp_path, archive.root.as_uri())
    other = compile_demo(tmp_path, archive.root.as_uri(), sha256="1" * 64)
    assert first.key != other.key
    assert first.lib != other.lib


def test_the_same_bytes_come_out_of_another_cache(archive: SourceArchive, tmp_path: Path) -> None:
    archive.offer()
    made = [
        compile_demo(tmp_path, archive.root.as_uri(), cache=tmp_path / name)
        for name in ("one", "another one")
    ]
    assert made[0].lib != made[1].lib
    contents = [(library.lib / "libdemo.a").read_bytes() for library in made]
    assert contents[0] == contents[1]


def test_a_wrong_hash_is_refused_and_nothing_is_taken(
    archive: SourceArchive, tmp_path: Path
) -> None:
    source = archive.offer()
    content = bytearray(source.read_bytes())
    content[-10] ^= 1
    source.write_bytes(content)
    error = refused(tmp_path, archive.root.as_uri())
    assert error.cause is Cause.HASH_MISMATCH
    assert "demo_1.0.orig.tar.gz" in error.why
    assert whole(tmp_path / "cache") == []


def test_what_the_mirror_announces_and_does_not_hold_is_said(
    archive: SourceArchive, tmp_path: Path
) -> None:
    archive.offer("1.0")
    gone = archive.offer("1.1")
    gone.unlink()
    made = compile_demo(tmp_path, archive.root.as_uri())
    assert "demo@1.0-1" in made.purl
    assert "announces debian demo's 1.1-1, but does not hold it" in made.notes[0]


def test_a_mirror_that_answers_with_a_page_is_refused(html_mirror: str, tmp_path: Path) -> None:
    error = refused(tmp_path, html_mirror)
    assert error.cause in {Cause.INDEX_UNREACHABLE, Cause.HASH_MISMATCH}
    assert "demo-1.0.tar.gz" in error.next_step
    assert whole(tmp_path / "cache") == []


def test_source_that_does_not_compile_names_its_log_and_line(
    archive: SourceArchive, tmp_path: Path
) -> None:
    archive.offer(body="int demo(void) { return nothing; }\n")
    error = refused(tmp_path, archive.root.as_uri())
    assert error.where == "compiling, x86_64-linux-gnu.2.28"
    assert "demo.c:1" in error.why
    assert error.log is not None
    assert "nothing" in error.log.read_text()
    assert [name.partition("-")[0] for name in whole(tmp_path / "cache")] == ["demo"]
    assert not [path for path in (tmp_path / "cache/libraries").iterdir() if path.is_dir()]
    assert list((tmp_path / "cache/work").iterdir()) == []


def test_a_full_disk_is_named_and_leaves_nothing(archive: SourceArchive, tmp_path: Path) -> None:
    archive.offer(body=f'char demo[] = "{"x" * 60000}";\n' * 1 + "/* " + "y" * 8_000_000 + " */\n")
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        message = "a file system cannot be mounted here"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    try:
        with pytest.raises(AcquireError) as caught:
            compile_demo(tmp_path, archive.root.as_uri(), cache=disk)
        assert caught.value.cause is Cause.NO_SPACE
        assert whole(disk) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_killed_build_leaves_nothing_whole_and_the_next_one_is_made(
    archive: SourceArchive, tmp_path: Path
) -> None:
    archive.offer()
    hold = tmp_path / "hold"
    hold.touch()
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from tests.integration.source_archive import compile_demo\n"
        "compile_demo(Path(sys.argv[1]), sys.argv[2])\n"
    )
    slow = tmp_path / "slow"
    slow.mkdir()
    (slow / "ninja").write_text(
        f'#!/bin/sh\nwhile [ -e "{hold}" ]; do : > "{tmp_path}/started"; sleep 0.05; done\nexit 1\n'
    )
    (slow / "ninja").chmod(0o755)
    environment = {**os.environ, "PATH": f"{slow}:{os.environ['PATH']}", "PYTHONPATH": str(TOP)}
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), archive.root.as_uri()],
        env=environment,
        cwd=TOP,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not (tmp_path / "started").exists():
            assert child.poll() is None
            time.sleep(0.05)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        hold.unlink()
    libraries = tmp_path / "cache/libraries"
    assert not [path for path in libraries.iterdir() if (path / ".whole").exists()]
    made = compile_demo(tmp_path, archive.root.as_uri())
    assert (made.lib / "libdemo.a").is_file()
    assert [path.name for path in libraries.iterdir() if path.is_dir()] == [made.lib.parent.name]
    assert list((tmp_path / "cache/work").iterdir()) == []


def test_without_source_packages_an_archive_laid_by_is_taken_by_its_hash(
    archive: SourceArchive, tmp_path: Path
) -> None:
    source = archive.offer()
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    error = refused(tmp_path, None, sha256=digest)
    assert f"lay demo-1.0.tar.gz (SHA-256 {digest}) into {tmp_path}" in error.next_step
    copied = copy_of(source, tmp_path / "cache/archives").rename(
        tmp_path / "cache/archives/demo-1.0.tar.gz"
    )
    made = compile_demo(tmp_path, None, sha256=digest)
    assert (made.version, made.purl) == ("1.0", f"pkg:generic/demo@1.0?checksum=sha256:{digest}")
    copied.write_bytes(source.read_bytes()[:-1])
    shutil.rmtree(tmp_path / "cache/sources")
    error = refused(tmp_path, None, sha256=digest)
    assert error.cause is Cause.HASH_MISMATCH
    assert digest in error.why
