"""What is remembered of the last start, and the lock that lets one command at a time change it."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator

from buildtools.errors import BusyError
from buildtools.stack.settings import Mode, Settings
from buildtools.stack.states import EngineName
from buildtools.writing import write_whole

_FILE = "state.json"


@contextlib.contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """One command at a time changes the stack; :class:`BusyError` for a second one."""
    with (settings.folder / "lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BusyError(
                "another command is changing this stack", where=str(settings.folder)
            ) from error
        yield


def remember(settings: Settings, mode: Mode, engine: EngineName) -> None:
    """Keep the mode and the engine of a start."""
    text = json.dumps({"mode": mode, "engine": engine})
    write_whole(settings.folder / _FILE, text.encode())


def remembered_mode(settings: Settings) -> Mode | None:
    """The mode of the last start, or None."""
    try:
        return Mode(_read(settings)["mode"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remembered_engine(settings: Settings) -> EngineName | None:
    """The engine of the last start, or None."""
    try:
        return EngineName(_read(settings)["engine"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read(settings: Settings) -> dict[str, str]:
    found: dict[str, str] = json.loads((settings.folder / _FILE).read_text(encoding="utf-8"))
    return found
