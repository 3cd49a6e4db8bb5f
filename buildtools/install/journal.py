"""What an install is about to do, on disk before it does it, and how far it has come.

A journal holds the steps and what was found; how far they are is read off the inodes at the names,
so nothing has to be written between two steps. Paths are relative to the site folder: a copied
environment never touches the one that it was copied from.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from buildtools.errors import CannotLookError
from buildtools.install.exchange import aside, exchange, identity
from buildtools.writing import sync_folder, write_whole

FORMAT = 1
FILENAME = "journal.json"


class Phase(StrEnum):
    """How far an install is.

    ``staging``: nothing outside the staging folder was touched. ``ready``: the staged copy was
    proven, the steps may have begun. ``undoing``: they are being taken back. ``done``: only what is
    left over has to go.
    """

    STAGING = "staging"
    READY = "ready"
    UNDOING = "undoing"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One step: what lies at ``target`` and what lies at ``staged`` change places.

    Paths are relative to the site folder. ``old`` and ``new`` are the inodes that lay at ``target``
    and at ``staged``; None where nothing lay: a move without ``old`` adds, one without ``new``
    takes away.
    """

    target: str
    staged: str
    old: int | None
    new: int | None

    def done(self, site: Path) -> bool:
        """Whether the new state is in force."""
        return identity(site / self.target) == self.new

    def apply(self, site: Path) -> None:
        """Bring the new state about; does nothing where it is already."""
        self._settle(site)
        if self.done(site):
            return
        target, staged = site / self.target, site / self.staged
        if self.new is None:
            target.rename(staged)
        elif self.old is None or identity(target) is None:
            _require(identity(staged) == self.new, staged)
            staged.rename(target)
        else:
            _require(identity(staged) == self.new, staged)
            exchange(target, staged)

    def undo(self, site: Path) -> None:
        """Bring the old state back; does nothing where it is already.

        What lies at neither name under the inodes that the journal knows was put there by somebody
        else since, and stays.
        """
        self._settle(site)
        target, staged = site / self.target, site / self.staged
        now = identity(target)
        if now == self.old or now != self.new:
            return
        if self.old is None:
            target.rename(staged)
        elif identity(staged) != self.old:
            return
        elif now is None:
            staged.rename(target)
        else:
            exchange(target, staged)

    def _settle(self, site: Path) -> None:
        """End an exchange by renames that was cut off between two of them."""
        target, staged = site / self.target, site / self.staged
        waiting = aside(staged)
        if identity(waiting) is None:
            return
        if identity(target) is None:
            waiting.rename(target)
        elif identity(staged) is None:
            waiting.rename(staged)


def _require(holds: bool, path: Path) -> None:  # noqa: FBT001 - one condition
    if not holds:
        raise CannotLookError(
            "a staged file is not the one that the journal names",
            where=str(path),
            why="the environment was copied or changed while an install was under way",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """One install: what, how far, by which moves.

    ``loose`` are staged files outside of the staging folder (beside a script or data file that they
    are to replace), to be removed with it.
    """

    name: str
    version: str
    distribution: str
    phase: Phase
    moves: tuple[Move, ...] = ()
    loose: tuple[str, ...] = ()

    def at(self, phase: Phase) -> Journal:
        """The same install, in another phase."""
        return replace(self, phase=phase)

    def write(self, folder: Path) -> None:
        """Put it on disk in one step, to stay there whatever happens to the machine."""
        body = {
            "format": FORMAT,
            "name": self.name,
            "version": self.version,
            "distribution": self.distribution,
            "phase": self.phase,
            "moves": [[move.target, move.staged, move.old, move.new] for move in self.moves],
            "loose": list(self.loose),
        }
        write_whole(folder / FILENAME, json.dumps(body, indent=1).encode("utf-8"))

    @classmethod
    def read(cls, folder: Path) -> Journal | None:
        """The journal in a staging folder; None where none was begun or none can be read."""
        try:
            body = json.loads((folder / FILENAME).read_bytes())
            if body["format"] != FORMAT:
                return None
            return cls(
                name=str(body["name"]),
                version=str(body["version"]),
                distribution=str(body["distribution"]),
                phase=Phase(body["phase"]),
                moves=tuple(_move(row) for row in body["moves"]),
                loose=tuple(str(path) for path in body["loose"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _move(row: list[object]) -> Move:
    target, staged, old, new = row
    return Move(
        target=str(target),
        staged=str(staged),
        old=old if isinstance(old, int) else None,
        new=new if isinstance(new, int) else None,
    )


def apply_all(moves: Iterable[Move], site: Path) -> None:
    """Bring every move about, in order, and make the names last."""
    _each(moves, site, forward=True)


def undo_all(moves: Iterable[Move], site: Path) -> None:
    """Take every move back, last first, and make the names last."""
    _each(reversed(tuple(moves)), site, forward=False)


def _each(moves: Iterable[Move], site: Path, *, forward: bool) -> None:
    folders: dict[Path, None] = {}
    for move in moves:
        if forward:
            move.apply(site)
        else:
            move.undo(site)
        folders[(site / move.target).parent] = None
    for folder in folders:
        if folder.is_dir():
            sync_folder(folder)
