"""Where an environment keeps its packages, commands and data."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from buildtools.errors import InstallFailedError
from buildtools.host import Interpreter

HIDDEN = ".buildtools"
"""The folder in a site folder that holds the lock, the stamps, and what is being staged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """The folders of one interpreter that an install writes to.

    ``site`` (its platlib) holds the hidden folder too; ``executable`` is what the commands that are
    written there start with; ``headers`` is the folder above each distribution's own.
    """

    executable: Path
    prefix: Path
    site: Path
    purelib: Path
    scripts: Path
    headers: Path

    @classmethod
    def of(cls, interpreter: Interpreter) -> Scheme:
        """The folders of an interpreter.

        Raises :class:`InstallFailedError` for one that belongs to the operating system (PEP 668).
        """
        if interpreter.externally_managed:
            raise InstallFailedError(
                "externally-managed: this Python belongs to the operating system",
                where=str(interpreter.executable),
                why=f"{interpreter.stdlib}/EXTERNALLY-MANAGED says so (PEP 668)",
                next_step=f"{interpreter.executable} -m venv .venv, then the same command with "
                "--python .venv",
            )
        python = interpreter.abi.version
        prefix = _real(interpreter.prefix)
        return cls(
            executable=interpreter.executable,
            prefix=prefix,
            site=_real(interpreter.platlib),
            purelib=_real(interpreter.purelib),
            scripts=_real(interpreter.scripts),
            headers=prefix / "include" / "site" / f"python{python}",
        )

    @property
    def hidden(self) -> Path:
        """The folder of this tool's own in the site folder."""
        return self.site / HIDDEN

    def place(self, scheme: str, path: str, distribution: str) -> Path:
        """Where a file of a wheel goes: ``scheme`` as the wheel's ``.data`` names it, or ``site``.

        Both libs are one folder wherever this tool installs; where they are two (Fedora's system
        Python), everything goes to ``site``, which is searched alike.
        """
        base = {
            "site": self.site,
            "purelib": self.site,
            "platlib": self.site,
            "scripts": self.scripts,
            "data": self.prefix,
            "headers": self.headers / distribution,
        }[scheme]
        return base / path

    def relative(self, path: Path) -> str:
        """A path as RECORD and the journal write it: from the site folder, ``/``-separated."""
        return os.path.relpath(path, self.site).replace(os.sep, "/")

    def require_writable(self) -> None:
        """Make the hidden folder; :class:`InstallFailedError` when nothing can be written."""
        try:
            self.hidden.mkdir(parents=True, exist_ok=True)
            writable = os.access(self.site, os.W_OK | os.X_OK) and os.access(self.hidden, os.W_OK)
            why = f"{self.site} is not writable for user {os.geteuid()}"
        except OSError as error:
            writable, why = False, f"{self.hidden}: {error.strerror or error}"
        if not writable:
            raise InstallFailedError(
                "nothing can be installed into this environment; nothing was changed",
                where=str(self.prefix),
                why=why,
                next_step="run this as the user who owns the environment, or make one of your own "
                f"with {self.executable} -m venv .venv and name it with --python .venv",
            )


def _real(path: Path) -> Path:
    """The folder behind links: the journal's paths go up from it, and the kernel follows links."""
    return Path(os.path.realpath(path))
