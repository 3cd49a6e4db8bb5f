"""An environment held for installing: staged, proven, swapped in, or taken back.

See ``docs/atomicity.md`` for what holds at each moment.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from buildtools.errors import BuildtoolsError, InstallFailedError
from buildtools.install.installed import find_installed, owned_by_others
from buildtools.install.journal import Journal, Phase, apply_all, undo_all
from buildtools.install.lock import EnvironmentLock
from buildtools.install.moves import MovePlanner
from buildtools.install.scheme import HIDDEN, Scheme
from buildtools.install.staging import (
    StagedFiles,
    loose_files,
    placements,
    sync_files,
    write_out,
)
from buildtools.wheels import OpenWheel, WheelFile

PREFIX = "tx-"
"""What the names of staging folders begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """An install that was cut off, and what became of it: ``finished``, ``undone``, ``discarded``.

    ``name`` is the driver's, empty where the journal had not been begun.
    """

    name: str
    version: str
    ending: str


class Installation:
    """Holds the lock of one environment and installs into it; a context manager.

    Raises :class:`buildtools.errors.BusyError` when another process holds it and
    :class:`InstallFailedError` when nothing can be written there.
    """

    def __init__(self, scheme: Scheme) -> None:
        self.scheme = scheme
        self._lock = EnvironmentLock(scheme.hidden / "lock")

    def __enter__(self) -> Self:
        self.scheme.require_writable()
        try:
            self._lock.__enter__()
        except OSError as error:
            raise _failed("the environment's lock", error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.__exit__(kind, error, trace)

    def recover(self, prove: Callable[[Journal], bool] | None = None) -> tuple[Recovered, ...]:
        """Finish or undo what an earlier process was cut off from.

        What was proven before the cut is finished and, with ``prove``, proven again from its real
        place; it is undone where that fails. The rest is thrown away.
        """
        return recover_folders(self.scheme.site, prove)

    def stage(self, wheel: Path, *, name: str) -> Staged:
        """Write a wheel out in the hidden folder, each file proven by RECORD.

        ``name`` is the driver's, for the journal. Raises :class:`InstallFailedError` with nothing
        left behind when it cannot be written, and what :class:`OpenWheel` raises.
        """
        with OpenWheel(wheel) as opened:
            token = secrets.token_hex(6)
            folder = self.scheme.hidden / f"{PREFIX}{token}"
            tree = folder / "tree"
            wanted = tuple(placements(opened, self.scheme, tree, token))
            journal = Journal(
                name=name,
                version=opened.wheel.version,
                distribution=opened.wheel.distribution,
                phase=Phase.STAGING,
                loose=loose_files(wanted, self.scheme),
            )
            try:
                tree.mkdir(parents=True)
                journal.write(folder)
                files = write_out(
                    opened, wanted, self.scheme, tree, requested=self._requested(opened.wheel)
                )
            except OSError as error:
                discard(folder, self.scheme.site, journal)
                raise _failed(name, error) from error
            except BaseException:
                discard(folder, self.scheme.site, journal)
                raise
            return Staged(self.scheme, folder, journal, files, opened.wheel)

    def _requested(self, wheel: WheelFile) -> bool:
        installed = find_installed(self.scheme.site, wheel.distribution, self.scheme.prefix)
        return any(one.requested for one in installed)


class Staged:
    """A wheel that is written out and not yet installed.

    Prove the copy at :attr:`path`, then :meth:`commit`, prove it again, and :meth:`finish`; or
    :meth:`roll_back` at any time before. Leaving it as a context manager unfinished rolls it back.
    """

    def __init__(
        self, scheme: Scheme, folder: Path, journal: Journal, files: StagedFiles, wheel: WheelFile
    ) -> None:
        self.wheel = wheel
        self.path = folder / "tree"
        self._scheme = scheme
        self._folder = folder
        self._journal = journal
        self._files = files
        self._open = True
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="sync")
        self._synced: Future[None] = self._pool.submit(sync_files, tuple(files.written))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._open:
            self.roll_back()

    def commit(self) -> None:
        """Swap it in. Raises :class:`InstallFailedError` with the old one back in its place."""
        try:
            self._synced.result()
            try:
                self._swap(split=False)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                # overlayfs does not rename a folder of a lower layer: file by file, then.
                undo_all(self._journal.moves, self._scheme.site)
                self._swap(split=True)
        except OSError as error:
            self.roll_back()
            raise _failed(self._journal.name, error) from error
        except BaseException:
            self.roll_back()
            raise

    def finish(self) -> None:
        """Let go of the old one."""
        self._journal = self._journal.at(Phase.DONE)
        with contextlib.suppress(OSError):  # a full disk: the moves are made, all the same
            self._journal.write(self._folder)
        self._open = False
        self._pool.shutdown()
        discard(self._folder, self._scheme.site, self._journal)
        _drop_empty_folders(self._journal, self._scheme.site)

    def roll_back(self) -> None:
        """Put the old one back and throw the new one away.

        Raises :class:`InstallFailedError` when even that fails; the journal stays, and the next
        rebuild tries again.
        """
        self._pool.shutdown()
        self._open = False
        try:
            if self._journal.phase is not Phase.STAGING:
                self._journal = self._journal.at(Phase.UNDOING)
                with contextlib.suppress(OSError):  # a full disk must not keep the old one out
                    self._journal.write(self._folder)
                undo_all(self._journal.moves, self._scheme.site)
            discard(self._folder, self._scheme.site, self._journal)
        except (OSError, BuildtoolsError) as error:
            raise InstallFailedError(
                f"{self._journal.name}: taking the install back was cut short",
                where=str(self._folder),
                why=str(error),
                next_step="mend what it says, then run rebuild again: it goes on where this ended",
            ) from error

    def _swap(self, *, split: bool) -> None:
        site = self._scheme.site
        distribution = self.wheel.distribution
        installed = find_installed(site, distribution, self._scheme.prefix)
        owned = {path for one in installed for path in one.owned}
        tops = {path.partition("/")[0] for path in owned | self._files.new if "/" in path}
        planner = MovePlanner(
            site=site,
            tree=self.path,
            new=frozenset(self._files.new),
            outside=self._files.outside,
            installed=installed,
            others=owned_by_others(site, distribution, tops - {".."}),
            trash=self._folder / "old",
            split=split,
        )
        self._journal = Journal(
            name=self._journal.name,
            version=self._journal.version,
            distribution=distribution,
            phase=Phase.READY,
            moves=planner.plan(),
            loose=self._journal.loose,
        )
        _make_parents(self._journal, site)
        self._journal.write(self._folder)
        apply_all(self._journal.moves, site)


def discard(folder: Path, site: Path, journal: Journal | None) -> None:
    """Remove a staging folder and the loose files that its journal names; never follows a link."""
    for path in journal.loose if journal else ():
        (site / path).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        for root, folders, _files in os.walk(folder):
            for name in folders:
                (Path(root) / name).chmod(0o700)  # a wheel's folder without the owner's bits
        shutil.rmtree(folder)


def recover_folders(site: Path, prove: Callable[[Journal], bool] | None) -> tuple[Recovered, ...]:
    """:meth:`Installation.recover` for any folder that holds a hidden one; the lock is held."""
    return tuple(
        _recover(folder, site, prove) for folder in sorted((site / HIDDEN).glob(f"{PREFIX}*"))
    )


def _recover(folder: Path, site: Path, prove: Callable[[Journal], bool] | None) -> Recovered:
    journal = Journal.read(folder)
    if journal is None or journal.phase in {Phase.STAGING, Phase.DONE}:
        discard(folder, site, journal)
        ending = "finished" if journal and journal.phase is Phase.DONE else "discarded"
    elif journal.phase is Phase.READY and _finish(folder, site, journal, prove):
        ending = "finished"
    else:
        journal.at(Phase.UNDOING).write(folder)
        undo_all(journal.moves, site)
        discard(folder, site, journal)
        ending = "undone"
    return Recovered(
        name=journal.name if journal else "",
        version=journal.version if journal else "",
        ending=ending,
    )


def _finish(
    folder: Path, site: Path, journal: Journal, prove: Callable[[Journal], bool] | None
) -> bool:
    """Carry the moves of a cut-off install out; False when it has to be undone."""
    try:
        apply_all(journal.moves, site)
    except (OSError, BuildtoolsError):
        return False
    if prove is not None and not prove(journal):
        return False
    journal.at(Phase.DONE).write(folder)
    discard(folder, site, journal)
    _drop_empty_folders(journal, site)
    return True


def _make_parents(journal: Journal, site: Path) -> None:
    """Folders outside of the site folder that a new command or data file needs."""
    for move in journal.moves:
        (site / move.target).parent.mkdir(parents=True, exist_ok=True)


def _drop_empty_folders(journal: Journal, site: Path) -> None:
    """Remove the folders that a removal left empty, but for bytecode of what is gone."""
    for move in journal.moves:
        folder = (site / move.target).parent
        while folder != site and site in folder.parents and folder.is_dir():
            names = {entry.name for entry in os.scandir(folder)}
            if names - {"__pycache__"}:
                break
            shutil.rmtree(folder, ignore_errors=True)
            folder = folder.parent


def _failed(name: str, error: OSError) -> InstallFailedError:
    full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    cause = "no-space: the disk is full" if full else error.strerror or str(error)
    return InstallFailedError(
        f"{name} could not be installed; what stood there before stands there still",
        where=str(error.filename or ""),
        why=cause,
        next_step="free some space, then run rebuild again"
        if full
        else "mend what it says, then run rebuild again",
    )
