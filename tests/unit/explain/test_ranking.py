"""The root cause is named, not the last line, and doubt lowers the confidence."""

import pytest

from buildtools.explain import explain
from buildtools.explain.ranking import BRINGS_ABOUT
from buildtools.findings import Cause


def test_no_cause_brings_itself_about() -> None:
    for cause, effects in BRINGS_ABOUT.items():
        assert cause not in effects


def test_a_missing_pkg_config_is_the_root_of_what_pip_says_last() -> None:
    found = explain(
        "      /bin/sh: 1: pkg-config: not found\n"
        "      Command 'pkg-config --exists mysqlclient' returned non-zero exit status 127.\n"
        "      Exception: Can not find valid pkg-config name.\n"
        "  note: This error originates from a subprocess, and is likely not a problem with pip.\n"
        "ERROR: Failed to build installable wheels for some pyproject.toml based projects\n"
    )
    assert found.cause is Cause.MISSING_PKG_CONFIG
    assert found.confidence >= 0.9


def test_pkg_config_that_answers_no_means_that_the_headers_are_missing() -> None:
    found = explain(
        "Trying pkg-config --exists mysqlclient\n"
        "Command 'pkg-config --exists mysqlclient' returned non-zero exit status 1.\n"
        "Exception: Can not find valid pkg-config name.\n"
    )
    assert found.cause is Cause.MISSING_CLIENT_HEADERS


def test_without_a_word_on_why_the_headline_is_not_sure() -> None:
    found = explain("Exception: Can not find valid pkg-config name.")
    assert found.confidence < 0.8


def test_a_network_failure_is_the_root_of_no_matching_distribution() -> None:
    found = explain(
        "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by "
        "'NewConnectionError: Failed to establish a new connection': /simple/mysqlclient/\n"
        "ERROR: Could not find a version that satisfies the requirement mysqlclient\n"
        "ERROR: No matching distribution found for mysqlclient\n"
    )
    assert found.cause is Cause.INDEX_UNREACHABLE
    assert Cause.NO_MATCHING_DISTRIBUTION in found.also


def test_a_network_failure_that_passed_is_no_cause() -> None:
    found = explain(
        "WARNING: Retrying (Retry(total=4, connect=None)) after connection broken by "
        "'ReadTimeoutError: HTTPSConnectionPool': /simple/mysqlclient/\n"
        "Successfully installed mysqlclient-2.3.1\n"
    )
    assert found.cause is Cause.UNKNOWN


def test_one_headline_has_three_causes_told_apart_by_its_last_line() -> None:
    head = (
        "ImportError: no pq wrapper available.\nAttempts made:\n"
        "- couldn't import psycopg 'c' implementation: No module named 'psycopg_c'\n"
    )
    lines = {
        "- couldn't import psycopg 'python' implementation: libpq library not found":
            Cause.MISSING_LIBRARY,
        "- couldn't import psycopg 'binary' implementation: dlopen(/a/pq.so): tried: '/a/pq.so' "
        "(mach-o file, but is an incompatible architecture (have 'x86_64', need 'arm64'))":
            Cause.FOREIGN_ARCH,
        "- couldn't import psycopg 'binary' implementation: /a/pq.so: undefined symbol: PyInt_Type":
            Cause.ABI_MISMATCH,
    }  # fmt: skip
    assert {line: explain(f"{head}{line}\n").cause for line in lines} == lines


def test_musl_words_are_not_always_about_the_libc() -> None:
    line = "Error relocating /usr/bin/kcat: {}: symbol not found"
    assert explain(line.format("fcntl64")).cause is Cause.LIBC_MISMATCH
    assert explain(line.format("rd_kafka_incremental_assign")).cause is Cause.MISSING_SYMBOL
    assert explain(line.format("PyLong_AsLong")).cause is Cause.ABI_MISMATCH


def test_a_plugin_that_is_missing_is_not_a_missing_library() -> None:
    found = explain(
        "Plugin caching_sha2_password could not be loaded: "
        "/usr/lib/plugin/caching_sha2_password.so: cannot open shared object file: No such file"
    )
    assert found.cause is Cause.AUTH_PLUGIN_MISSING


def test_a_full_disk_is_the_root_of_whatever_follows() -> None:
    found = explain(
        "/tmp/a.s: fatal error: error writing to /tmp/a.s: No space left on device\n"
        "error: command 'gcc' failed with exit status 1\n"
        "ModuleNotFoundError: No module named 'MySQLdb'\n"
    )
    assert found.cause is Cause.NO_SPACE


def test_two_unrelated_causes_are_not_told_with_confidence() -> None:
    found = explain(
        "OSError: [Errno 28] No space left on device\nredis: NOAUTH Authentication required.\n"
    )
    assert found.confidence < 0.8
    assert found.also


FAILED = {
    "hash-mismatch": "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
    "no-matching-distribution": "ERROR: No matching distribution found for psycopg2==2.9",
    "missing-link-library": "/usr/bin/ld: cannot find -lpq",
    "unsupported-wheel": "ERROR: x-1-cp311-none-any.whl is not a supported wheel on this platform",
    "missing-distutils": "ModuleNotFoundError: No module named 'distutils'",
    "externally-managed": "error: externally-managed-environment",
    "missing-compiler": "error: command 'gcc' failed: No such file or directory",
}
WELL = (
    "Successfully installed psycopg2-2.9\n[notice] A new release of pip is available: 24.0 -> 25.0",
    "Installed 2 packages in 14ms\n + psycopg2==2.9",
    "added 12 packages in 3s\n\nfound 0 vulnerabilities",
    "#15 exporting to image\n#15 naming to registry.invalid/app done\n#15 DONE 0.3s",
    "==> Build successful",
    "Done in 12.30s.",
    "Done in 5.2s using pnpm v10.1.0",
    "All dependencies are now up-to-date!",
    "Executing transaction: ...working... done",
    "No dependencies to install or update",
    "    Finished `release` profile [optimized] target(s) in 20.11s",
)


@pytest.mark.parametrize("end", WELL)
@pytest.mark.parametrize(("cause", "failed"), FAILED.items())
def test_what_was_got_over_is_no_cause(cause: str, failed: str, end: str) -> None:
    assert explain(f"{failed}\n").cause == cause
    found = explain(f"{failed}\ntrying another way\n{end}\n")
    assert found.cause is Cause.UNKNOWN
    assert found.confidence < 0.8


@pytest.mark.parametrize(("cause", "failed"), FAILED.items())
def test_a_step_that_a_docker_build_was_done_with_did_not_fail(cause: str, failed: str) -> None:
    text = f"#7 RUN pip install x\n#7 4.32 {failed}\n#7 9.10 took the other one\n#7 {{}}\n#8 COPY"
    assert explain(text.format("DONE 9.2s")).cause is Cause.UNKNOWN
    assert explain(text.format("ERROR: exit code: 1")).cause == cause


def test_installing_newer_tools_gets_over_nothing() -> None:
    found = explain(
        f"{FAILED['missing-link-library']}\nSuccessfully installed pip-25.0 wheel-0.45\n"
    )
    assert found.cause is Cause.MISSING_LINK_LIBRARY
    assert found.confidence >= 0.8


@pytest.mark.parametrize(
    "end",
    [
        "Successfully installed flask-3.0.0",
        "$ sudo apt-get install libpq-dev\nSuccessfully installed psycopg2-2.9",
        "root@a1b2:/app# apt-get install libpq-dev\nSuccessfully installed psycopg2-2.9",
        "C:\\proj>pip install psycopg2\nSuccessfully installed psycopg2-2.9",
    ],
    ids=["another package", "something was done", "by root", "on Windows"],
)
def test_what_somebody_had_to_get_over_is_named_with_doubt(end: str) -> None:
    found = explain(f"{FAILED['no-matching-distribution']}\n{end}\n")
    assert found.cause is Cause.NO_MATCHING_DISTRIBUTION
    assert found.confidence < 0.8
