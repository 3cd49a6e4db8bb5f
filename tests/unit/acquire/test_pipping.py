"""pip's words become causes."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildtools.acquire.pipping import cause_of, explain_failure, pip_environment
from buildtools.findings import Cause
from buildtools.processes import Completed

SAID = [
    (
        (
            "ERROR: Could not find a version that satisfies the requirement a (none)\n"
            "ERROR: No matching distribution found for a"
        ),
        Cause.NO_MATCHING_DISTRIBUTION,
    ),
    (
        (
            "WARNING: Retrying (Retry(total=4, connect=None)) after connection broken by "
            "'NewConnectionError(...: Failed to establish a new connection: [Errno 111] Connection "
            "refused')': /simple/a/\nERROR: No matching distribution found for a"
        ),
        Cause.INDEX_UNREACHABLE,
    ),
    (
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
        Cause.HASH_MISMATCH,
    ),
    ("OSError: [Errno 28] No space left on device", Cause.NO_SPACE),
    (
        "ERROR: a-1-cp39-cp39-win32.whl is not a supported wheel on this platform.",
        Cause.UNSUPPORTED_WHEEL,
    ),
    ("ERROR: HTTP error 403 Client Error: Forbidden for url: x", Cause.INDEX_UNREACHABLE),
    ("all is well", Cause.UNKNOWN),
]


@pytest.mark.parametrize(("text", "cause"), SAID, ids=[str(cause) for _, cause in SAID])
def test_the_strongest_cause_is_named(text: str, cause: Cause) -> None:
    assert cause_of(text) is cause


def test_the_error_carries_pips_last_error_line() -> None:
    done = Completed(
        argv=("pip",), returncode=1, stdout="", stderr=SAID[0][0], seconds=1.0, timed_out=False
    )
    error = explain_failure(done, what="no wheel", where="a")
    assert error.cause is Cause.NO_MATCHING_DISTRIBUTION
    assert error.why == "No matching distribution found for a"


def test_pip_writes_its_temporary_files_where_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TMPDIR", "/elsewhere")
    monkeypatch.setenv("PIP_INDEX_URL", "file:///the/users/own")
    monkeypatch.setenv("PYTHONPATH", "/secret")
    environment = pip_environment(Path("/scratch"), {"CC": "zig"})
    assert environment["TMPDIR"] == "/scratch"
    assert environment["PIP_INDEX_URL"] == "file:///the/users/own"
    assert environment["CC"] == "zig"
    assert environment["PIP_USE_PEP517"] == "1"
    assert "PYTHONPATH" not in environment
