"""``explain`` on what programs really say: they are made to fail here, and their words are read.

The folder of gathered texts is no part of the project; where it lies beside the checkout, or where
``BUILDTOOLS_FAILURES`` points, every text in it must get its cause.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildtools.explain import explain

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "corpus" / "binaries"
NAMED = os.environ.get("BUILDTOOLS_FAILURES")
FAILURES = Path(NAMED) if NAMED else ROOT.parent / "shared" / "failures"


def said(*argv: object, **more: str) -> str:
    """What a program says, on both streams."""
    done = subprocess.run(
        [str(word) for word in argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "LC_ALL": "C", **more},
        timeout=120,
        check=False,
        text=True,
    )
    assert done.returncode != 0, done.stdout
    return done.stdout


def loading(path: Path) -> str:
    return said(sys.executable, "-c", f"import ctypes; ctypes.CDLL({str(path)!r})")


@contextlib.contextmanager
def free_port() -> Iterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


if NAMED or FAILURES.is_dir():
    LABELS = json.loads((FAILURES / "labels.json").read_text(encoding="utf-8"))

    @pytest.mark.parametrize("label", LABELS, ids=[label["file"] for label in LABELS])
    def test_a_gathered_text_gets_its_cause(label: dict[str, str]) -> None:
        found = explain((FAILURES / label["file"]).read_bytes())
        assert found.cause == label["code"]


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("macho-arm64-macos11.so", "foreign-format"),
        ("pe-x86_64.pyd", "foreign-format"),
        ("elf-needs-future-glibc.so", "libc-too-old"),
        ("elf-needs-future-glibcxx.so", "libstdcxx-too-old"),
    ],
)
def test_what_the_loader_says_of_a_binary(name: str, cause: str) -> None:
    assert explain(loading(CORPUS / name)).cause == cause


def test_a_file_cut_short(tmp_path: Path) -> None:
    cut = tmp_path / "cut.so"
    cut.write_bytes((CORPUS / "elf-x86_64-glibc2.17.so").read_bytes()[:40])
    assert explain(loading(cut)).cause == "corrupt-binary"


def test_a_library_that_went_away(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("int a(void) { return 1; }\n")
    (tmp_path / "b.c").write_text("int a(void); int b(void) { return a(); }\n")
    lib, module = tmp_path / "libgone.so.1", tmp_path / "b.so"
    for argv in (
        ["cc", "-shared", "-fPIC", "-Wl,-soname,libgone.so.1", tmp_path / "a.c", "-o", lib],
        ["cc", "-shared", "-fPIC", tmp_path / "b.c", lib, "-o", module],
    ):
        subprocess.run([str(word) for word in argv], check=True)
    lib.unlink()
    found = explain(loading(module))
    assert found.cause == "missing-library"
    assert "libgone.so.1" in found.explanation


@pytest.mark.parametrize(
    ("symbol", "cause"),
    [("mysql_nothing_like_it", "missing-symbol"), ("PyUnicodeUCS4_AsUTF8String", "abi-mismatch")],
)
def test_a_symbol_that_nobody_has(tmp_path: Path, symbol: str, cause: str) -> None:
    source, module = tmp_path / "a.c", tmp_path / "a.so"
    source.write_text(f"int {symbol}(void); int a(void) {{ return {symbol}(); }}\n")
    argv = ["cc", "-shared", "-fPIC", "-Wl,-z,now", str(source), "-o", str(module)]
    subprocess.run(argv, check=True)
    assert explain(loading(module)).cause == cause


@pytest.mark.parametrize(
    ("header", "cause"),
    [("nowhere/mysql.h", "missing-client-headers"), ("Python.h", "missing-python-headers")],
)
def test_what_the_compiler_says_of_a_header(tmp_path: Path, header: str, cause: str) -> None:
    (tmp_path / "a.c").write_text(f"#include <{header}>\n")
    assert explain(said("cc", "-c", tmp_path / "a.c", "-o", tmp_path / "a.o")).cause == cause


def test_what_the_linker_says_of_a_library(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("int main(void) { return 0; }\n")
    words = said("cc", tmp_path / "a.c", "-lnowhere_to_be_found", "-o", tmp_path / "a")
    assert explain(words).cause == "missing-link-library"


def test_a_shell_without_pkg_config() -> None:
    words = said("/bin/sh", "-c", "pkg-config --exists mysqlclient", PATH="/nonexistent")
    assert explain(words).cause == "missing-pkg-config"


def test_a_shell_without_a_compiler() -> None:
    assert explain(said("/bin/sh", "-c", "gcc -c a.c", PATH="/nonexistent")).cause == (
        "missing-compiler"
    )


def pip(*words: object) -> str:
    return said(
        sys.executable,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-deps",
        *words,
        PIP_CONFIG_FILE=os.devnull,
        PIP_RETRIES="1",
    )


def test_pip_finds_no_such_distribution(tmp_path: Path) -> None:
    words = pip("--no-index", "--find-links", tmp_path, "nothing-like-it")
    assert explain(words).cause == "no-matching-distribution"


def test_pip_refuses_a_wheel_of_another_platform(tmp_path: Path) -> None:
    wheel = tmp_path / "x-1-cp37-cp37m-win_amd64.whl"
    wheel.write_bytes(b"")
    assert explain(pip("--no-index", wheel)).cause == "unsupported-wheel"


def test_pip_reaches_no_index(tmp_path: Path) -> None:
    with free_port() as port:
        words = pip("--target", tmp_path, "--index-url", f"http://127.0.0.1:{port}/simple", "x-y")
    found = explain(words)
    assert found.cause == "index-unreachable"
    assert "no-matching-distribution" in found.also


def test_pip_gets_another_file_than_the_lock_promised(tmp_path: Path) -> None:
    sdist = tmp_path / "x-1.tar.gz"
    sdist.write_bytes(b"not what was promised")
    lock = tmp_path / "lock.txt"
    lock.write_text(f"x==1 --hash=sha256:{'0' * 64}\n")
    words = pip("--no-index", "--find-links", tmp_path, "--require-hashes", "-r", lock)
    assert explain(words).cause == "hash-mismatch"


def test_pip_meets_a_wheel_that_is_cut(tmp_path: Path) -> None:
    wheel = tmp_path / "x-1-py3-none-any.whl"
    wheel.write_bytes(b"PK\x03\x04 and no more")
    assert explain(pip("--no-index", wheel)).cause == "corrupt-binary"


def test_pip_builds_with_a_backend_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "nothing.like_it"\n'
    )
    words = pip("--no-index", "--no-build-isolation", tmp_path)
    assert explain(words).cause == "build-backend-too-old"


def test_an_applications_own_network_error_is_no_cause() -> None:
    with free_port() as port:
        code = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{port}/v1', timeout=5)"
        words = said(sys.executable, "-c", code)
    assert "refused" in words
    assert explain(words).cause == "unknown"


def test_a_package_that_was_never_installed_is_no_broken_build() -> None:
    words = said(sys.executable, "-c", "import nothing_like_it.build")
    assert explain(words).cause == "unknown"


def test_what_the_compiler_says_after_the_headers(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("int main(void) { return 0 }\n")
    assert explain(said("cc", "-c", tmp_path / "a.c", "-o", tmp_path / "a.o")).cause == "unknown"


def test_a_full_device() -> None:
    assert explain(said("dd", "if=/dev/zero", "of=/dev/full", "count=1")).cause == "no-space"


def test_a_process_without_memory() -> None:
    code = (
        "import resource as r; r.setrlimit(r.RLIMIT_AS, (1 << 29, 1 << 29)); x = bytearray(1 << 32)"
    )
    assert explain(said(sys.executable, "-c", code)).cause == "out-of-memory"


def test_a_file_of_the_programs_own_hides_a_package(tmp_path: Path) -> None:
    (tmp_path / "mysql.py").write_text("")
    words = said(sys.executable, "-c", "import mysql.connector", PYTHONPATH=str(tmp_path))
    assert explain(words).cause == "shadowed"


def test_a_true_circular_import_is_no_cause(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("from two import b\na = 1\n")
    (tmp_path / "two.py").write_text("from one import a\nb = 1\n")
    words = said(sys.executable, "-c", "import one", PYTHONPATH=str(tmp_path))
    assert "circular" in words
    assert explain(words).cause == "unknown"


def test_a_redis_that_wants_a_password(tmp_path: Path) -> None:
    with free_port() as port:
        pass
    argv = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path)]
    server = subprocess.Popen(
        [*argv, "--requirepass", "secret", "--save", ""], stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        words = said("redis-cli", "-e", "-h", "127.0.0.1", "-p", port, "ping")
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)
    assert explain(words).cause == "redis-auth"


def test_a_mysql_that_is_not_there() -> None:
    with free_port() as port:
        words = said("mariadb", "--no-defaults", "-h", "127.0.0.1", "-P", port, "-e", "SELECT 1")
    assert explain(words).cause == "mysql-not-ready"


_PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, end="")
"""


def test_fifty_megabytes_take_little_memory(tmp_path: Path) -> None:
    log = tmp_path / "log"
    line = b"2026-11-22T04:36:53 INFO [worker-%d] processed batch of %d records\n"
    with log.open("wb") as stream:
        for count in range(800_000):
            stream.write(line % (count % 7, count))
        stream.write(
            b"ImportError: libmariadb.so.3: cannot open shared object file: No such file\n"
        )
    assert log.stat().st_size > 45 << 20
    # A child's peak is never below what its parent held at its start, so a small one starts it.
    words = [sys.executable, "-c", _PEAK, sys.executable, "-m", "buildtools", "explain", "--json"]
    done = subprocess.run([*words, str(log)], check=True, capture_output=True, text=True)
    answer, peak = done.stdout.rsplit("\n", 1)
    assert json.loads(answer)["cause"] == "missing-library"
    assert int(peak) < 200 * 1024
