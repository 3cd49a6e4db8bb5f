"""A copy that hides another, moved out of the way and kept."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from buildtools.errors import InstallFailedError
from buildtools.install.exchange import identity
from buildtools.install.installation import PREFIX, discard, recover_folders
from buildtools.install.journal import Journal, Move, Phase, apply_all, undo_all
from buildtools.install.lock import EnvironmentLock
from buildtools.install.scheme import HIDDEN


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """What was moved: ``backup`` is the folder that holds it now."""

    site: Path
    backup: Path
    journal: Journal

    def put_back(self) -> None:
        """Move everything back to where it stood."""
        with EnvironmentLock(self.site / HIDDEN / "lock"):
            undo_all(self.journal.moves, self.site)
            self.backup.rmdir()


def set_aside(site: Path, entries: Sequence[str], name: str) -> SetAside:
    """Move entries of a folder into a backup folder inside it, all or none, by a journal.

    Raises :class:`InstallFailedError` when that cannot be done; nothing has moved then.
    """
    token = secrets.token_hex(4)
    hidden = site / HIDDEN
    backup = hidden / "set-aside" / f"{name}-{token}"
    folder = hidden / f"{PREFIX}{token}"
    try:
        folder.mkdir(parents=True)
        backup.mkdir(parents=True)
        with EnvironmentLock(hidden / "lock"):
            moves = tuple(
                Move(
                    target=entry,
                    staged=os.path.relpath(backup / entry, site),
                    old=identity(site / entry),
                    new=None,
                )
                for entry in entries
            )
            journal = Journal(
                name=name, version="", distribution="", phase=Phase.READY, moves=moves
            )
            journal.write(folder)
            try:
                apply_all(moves, site)
            except BaseException:
                undo_all(moves, site)
                discard(folder, site, journal)
                raise
            discard(folder, site, journal)
    except OSError as error:
        raise InstallFailedError(
            f"the copy of {name} that hides the good one could not be moved away",
            where=str(site),
            why=error.strerror or str(error),
            next_step=f"remove {site / entries[0]} yourself",
        ) from error
    return SetAside(site=site, backup=backup, journal=journal)


def recover_aside(site: Path) -> None:
    """Finish what an earlier process was cut off from in this folder."""
    hidden = site / HIDDEN
    if any(hidden.glob(f"{PREFIX}*")):
        with EnvironmentLock(hidden / "lock"):
            recover_folders(site, None)
