"""The sessions of nox; a bare ``nox`` runs lint and tests. Words after ``--`` pass through."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nox

nox.options.sessions = ["lint", "tests"]
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = True
nox.needs_version = ">=2025.2"

ROOT = Path(__file__).parent
GROUPS = nox.project.load_toml("pyproject.toml")["dependency-groups"]
WORKER = ROOT / "worker"
WORKER_LINES = ("worker", "kafkajs", "connect", "bare", "mixed", "sqlite", "flat")
"""What the worker's bench measures, and all of it."""
WORKER_GROUPS = nox.project.load_toml("worker/pyproject.toml")["dependency-groups"]


@nox.session(name="rebuild-native")
def rebuild_native(session: nox.Session) -> None:
    """The main job: healthy, verified native drivers in the project's ``.venv``.

    ``-- --python PATH`` mends another environment; every option of ``buildtools rebuild`` passes.
    """
    session.install(".")
    session.run("buildtools", "rebuild", *_environment(session), *session.posargs)


@nox.session(name="verify-native")
def verify_native(session: nox.Session) -> None:
    """Use each driver of the project's ``.venv`` in a child process."""
    session.install(".")
    session.run("buildtools", "verify", *_environment(session), *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Unit and contract tests of the toolchain and the worker; needs no server."""
    session.install("-e", ".", *GROUPS["test"])
    session.run("pytest", *(session.posargs or ["-n", "2"]))
    session.install("-e", "worker", *WORKER_GROUPS["test"])
    session.chdir(WORKER)
    session.run("pytest", "tests/unit", "tests/contract", "-n", "2")


@nox.session
def integration(session: nox.Session) -> None:
    """Real servers, real builds, commands from built wheels; under CI=true nothing is skipped."""
    session.install("-e", ".", *GROUPS["test"], *GROUPS["oracles"], "docker>=7.1")
    session.install("-e", "worker", *WORKER_GROUPS["test"])
    both = ["tests/integration", "tests/acceptance", "-n", "2", "--dist", "loadfile"]
    session.run("pytest", *(session.posargs or both))
    if not session.posargs:
        session.chdir(WORKER)
        session.run("pytest", "tests/integration", "tests/acceptance")


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff and mypy strict, over code and tests of both packages."""
    session.install("-e", ".", *GROUPS["lint"], *GROUPS["test"], "nox", "docker")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.install("-e", "worker", *WORKER_GROUPS["lint"], *WORKER_GROUPS["test"])
    session.chdir(WORKER)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy", "database_consumer", "tests", "benchmarks")


@nox.session
def lock(session: nox.Session) -> None:
    """Locks with hashes of the worker for the targets that it is deployed to; ``-- --check``."""
    session.install(".[lock]")
    targets = ("linux/x86_64/cp313", "linux/aarch64/cp313", "darwin/arm64/macos14/cp313")
    words = [word for target in targets for word in ("--target", target)]
    session.run("buildtools", "lock", *words, *session.posargs)


@nox.session
def wheels(session: nox.Session) -> None:
    """Self-contained wheels of the configured drivers into ``wheelhouse/``, with its index."""
    session.install(".")
    session.run("buildtools", "wheel", *(session.posargs or ["mysqlclient", "mariadb"]))
    session.run("buildtools", "wheelhouse", "index")


@nox.session
def worker(session: nox.Session) -> None:
    """Build the worker's wheel, install it into an empty environment and run its demo."""
    session.install("build", *GROUPS["test"])
    out = session.create_tmp()
    session.run("python", "-m", "build", "--wheel", "--outdir", out, str(WORKER))
    wheel = max(Path(out).glob("database_consumer-*.whl"), key=lambda path: path.stat().st_mtime)
    session.install("--force-reinstall", "--no-deps", str(wheel))
    session.install(str(wheel))
    session.chdir(out)
    session.run("database-consumer", "demo", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Print each speed as a ratio against its peer, measured in the same run.

    ``-- doctor`` or ``-- worker`` or ``-- connect``: only these; see both ``benchmarks/run.py``.
    """
    mine = [word for word in session.posargs if word in WORKER_LINES]
    others = [word for word in session.posargs if word not in WORKER_LINES]
    if others or not mine:
        session.install("-e", ".", *GROUPS["test"], *GROUPS["oracles"])
        if "stack" in others:
            session.install("-e", "worker", "docker>=7.1")
        session.run("python", "-m", "benchmarks.run", *others)
    if mine or not others:
        session.install("-e", "worker", *WORKER_GROUPS["test"])
        lines = [] if "worker" in mine else mine
        session.run("python", str(WORKER / "benchmarks" / "run.py"), *lines)


def _environment(session: nox.Session) -> list[str]:
    """``--python`` for the project's ``.venv``, made when missing, unless one was named."""
    if any(word.split("=")[0] == "--python" for word in session.posargs):
        return []
    venv = ROOT / ".venv"
    if not (venv / "bin" / "python").exists():
        session.log(f"making {venv}")
        # virtualenv comes with nox and needs no ensurepip, which Debian keeps in another package.
        words = [sys.executable, "-m", "virtualenv", "--quiet", "--no-download", str(venv)]
        subprocess.run(words, check=True, env=dict(os.environ))
    return ["--python", str(venv)]
