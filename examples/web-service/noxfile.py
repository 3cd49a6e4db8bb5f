"""``nox -s rebuild-native``: healthy, verified drivers in ``.venv``; words after ``--`` pass on."""

from __future__ import annotations

from pathlib import Path

import nox

nox.options.sessions = ["rebuild-native"]
nox.options.reuse_venv = "yes"

VENV = Path(__file__).parent / ".venv"


@nox.session(name="rebuild-native")
def rebuild_native(session: nox.Session) -> None:
    """Keep, fetch or build the drivers that ``pyproject.toml`` names, and verify them."""
    session.install("native-buildtools")
    if not (VENV / "pyvenv.cfg").exists():
        session.run("python", "-m", "venv", "--without-pip", str(VENV))
    session.run("buildtools", "rebuild", "--python", str(VENV), *session.posargs)


@nox.session(name="preflight")
def preflight(session: nox.Session) -> None:
    """Say before a push whether this tree would import on Render."""
    session.install("native-buildtools")
    session.run("buildtools", "doctor", ".", "--target", "render", *session.posargs)
