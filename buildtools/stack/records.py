"""What is known of each running service: one small file each under ``.stack/run``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from buildtools.processes import birth_of
from buildtools.writing import write_whole


class Phase(StrEnum):
    """How far a service is, by its keeper's word."""

    WAITING = "waiting"
    RUNNING = "running"
    EXITED = "exited"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process by its number and birth (:func:`buildtools.processes.birth_of`)."""

    pid: int
    birth: str

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return birth_of(self.pid) == self.birth


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """``starts`` counts the service's starts; ``log_from`` is the log's size at the last one.

    ``code`` is the last exit code, minus the number where a signal ended it.
    """

    service: str
    phase: Phase
    keeper: Process
    child: Process | None = None
    starts: int = 0
    log_from: int = 0
    code: int | None = None
    cause: str = ""
    why: str = ""
    mend: str = ""

    @property
    def alive(self) -> bool:
        """Whether the service itself runs."""
        return self.child is not None and self.child.alive

    def with_child(self, child: Process, log_from: int) -> Record:
        """The record after one more start."""
        return replace(
            self,
            phase=Phase.RUNNING,
            child=child,
            starts=self.starts + 1,
            log_from=log_from,
            cause="",
            why="",
            mend="",
        )


def this_process(pid: int) -> Process:
    """A living process as it is recorded."""
    return Process(pid=pid, birth=birth_of(pid) or "")


def record_file(folder: Path, service: str) -> Path:
    """Where the record of a service is, in the stack's folder."""
    return folder / "run" / f"{service}.json"


def write_record(folder: Path, record: Record) -> None:
    """Put the record in place, whole."""
    write_whole(record_file(folder, record.service), json.dumps(asdict(record)).encode(), 0o600)


def read_record(folder: Path, service: str) -> Record | None:
    """The record of a service; None when it was never started, or the file is damaged."""
    try:
        found = json.loads(record_file(folder, service).read_text(encoding="utf-8"))
        child = found.pop("child")
        return Record(
            **{
                **found,
                "phase": Phase(found["phase"]),
                "keeper": Process(**found["keeper"]),
                "child": None if child is None else Process(**child),
            }
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None
