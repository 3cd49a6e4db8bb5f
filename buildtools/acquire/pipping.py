"""pip, as the user has set it up: which one to run, how to run it, and what its words mean."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from buildtools.acquire.request import AcquireError
from buildtools.findings import Cause
from buildtools.host import Interpreter
from buildtools.processes import Completed, clean_environment, run

_MINUTES = 60.0
DOWNLOAD_SECONDS = 15 * _MINUTES

_SETTINGS: Mapping[str, str] = {
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PIP_NO_COLOR": "1",
    "PIP_USER": "0",
    "PIP_REQUIRE_VIRTUALENV": "0",
    "PYTHONNOUSERSITE": "1",
    # An older pip runs setup.py in the user's environment, which need not have setuptools.
    "PIP_USE_PEP517": "1",
}
"""What pip must not ask or draw here; everything else is as the user has configured it."""

_CAUSES: tuple[tuple[Cause, re.Pattern[str]], ...] = (
    (Cause.NO_SPACE, re.compile(r"No space left on device|\[Errno 28\]|Disk quota exceeded")),
    (
        Cause.HASH_MISMATCH,
        re.compile(r"DO NOT MATCH THE HASHES|HashMismatch|Hashes are required|bad hash"),
    ),
    (
        Cause.INDEX_UNREACHABLE,
        re.compile(
            r"Failed to establish a new connection|Temporary failure in name resolution"
            r"|Name or service not known|Connection refused|Network is unreachable"
            r"|Max retries exceeded|Retrying \(Retry\(|Cannot connect to proxy|ProxyError"
            r"|SSLError|CERTIFICATE_VERIFY_FAILED|Read timed out|ConnectTimeoutError"
            r"|NewConnectionError|nodename nor servname"
            r"|\b(?:401|403|407|5\d\d) (?:Client|Server) Error"
            r"|Could not fetch URL \S+ (?:connection error|There was a problem confirming)"
        ),
    ),
    (Cause.MISSING_DISTUTILS, re.compile(r"No module named '?distutils")),
    (
        Cause.NO_MATCHING_DISTRIBUTION,
        re.compile(
            r"No matching distribution found|Could not find a version that satisfies"
            r"|ResolutionImpossible|has a different version in metadata"
        ),
    ),
    (Cause.UNSUPPORTED_WHEEL, re.compile(r"is not a supported wheel on this platform")),
)
"""pip's own words (its ``exceptions.py`` and urllib3's), strongest cause first."""

NEXT_STEPS: Mapping[Cause, str] = {
    Cause.INDEX_UNREACHABLE: "see `pip config list` for the index in force, then try again; "
    "or fill a wheelhouse elsewhere and use --offline",
    Cause.NO_SPACE: "free some space, or point XDG_CACHE_HOME at a larger disk, then try again",
    Cause.HASH_MISMATCH: "the index or a proxy hands out another file than it announces: "
    "run `pip cache purge` and try again; do not trust that file",
}


def cause_of(text: str) -> Cause:
    """The cause that pip's output names; ``unknown`` where it names none of these."""
    for cause, pattern in _CAUSES:
        if pattern.search(text):
            return cause
    return Cause.UNKNOWN


def explain_failure(
    done: Completed, *, what: str, where: str, log: Path | None = None
) -> AcquireError:
    """The error for a pip that did not end with 0."""
    text = f"{done.stdout}\n{done.stderr}"
    cause = cause_of(text)
    errors = [line for line in text.splitlines() if line.startswith("ERROR:")]
    why = errors[-1].removeprefix("ERROR:").strip() if errors else done.tail(8)
    if why == "Exception:":
        # pip's own traceback follows; its last line names the exception.
        why = text.strip().splitlines()[-1].strip()
    if done.timed_out:
        why = f"it was ended after {done.seconds:.0f} s"
    return AcquireError(
        what, cause=cause, where=where, why=why, next_step=NEXT_STEPS.get(cause, ""), log=log
    )


def pip_command(python: Interpreter) -> tuple[str, ...]:
    """The words that start pip in this interpreter: its own, else this tool's, else ensurepip's.

    pip is pure Python and runs from wherever it lies. Raises :class:`AcquireError` when there is
    none at all.
    """
    executable = str(python.executable)
    if python.has_pip:
        return (executable, "-m", "pip")
    own = importlib.util.find_spec("pip")
    if own is not None and own.origin is not None:
        return (executable, str(Path(own.origin).parent))
    for stdlib in (python.stdlib, Path(importlib.util.__file__).parent.parent):
        for folder in (stdlib / "ensurepip" / "_bundled", Path("/usr/share/python-wheels")):
            bundled = sorted(folder.glob("pip-*.whl"))
            if bundled:
                return (executable, f"{bundled[-1]}/pip")
    raise AcquireError(
        "there is no pip to fetch with",
        cause=Cause.UNKNOWN,
        where=executable,
        why=f"neither this Python nor {sys.executable} has pip or ensurepip",
        next_step="make a virtual environment with pip in it and name it with --python",
    )


def pip_environment(scratch: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a pip child sees: the user's settings, our few, and a scratch folder of our own."""
    return clean_environment({**_SETTINGS, "TMPDIR": str(scratch), **(extra or {})})


def run_pip(
    python: Interpreter,
    arguments: Sequence[str],
    *,
    scratch: Path,
    timeout: float = DOWNLOAD_SECONDS,
    extra: Mapping[str, str] | None = None,
) -> Completed:
    """Run pip to its end; its exit code is the caller's to judge."""
    scratch.mkdir(parents=True, exist_ok=True)
    return run(
        (*pip_command(python), *arguments),
        timeout=timeout,
        env=pip_environment(scratch, extra),
        cwd=scratch,
    )
