"""Servers end with the process that started them, however it ended.

A process of its own reads what was started from a pipe. The pipe ends when its writer does, also by
SIGKILL or when an interrupted run's workers are left to themselves: then whatever is still alive is
killed and its folder removed. A number that another process has got meanwhile is known by its age.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path


def _born(pid: int) -> str:
    """When a process began, as text that no later process with its number has; empty: gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    words = ("ps", "-o", "lstart=", "-p", str(pid))
    with contextlib.suppress(OSError):
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    return ""


class _Watcher:
    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None
        self._owner = 0

    def tell(self, **what: object) -> None:
        if self._child is None or self._owner != os.getpid():
            self._owner = os.getpid()
            self._child = subprocess.Popen(
                (sys.executable, "-I", "-S", __file__),
                stdin=subprocess.PIPE,
                text=True,
                start_new_session=True,  # a Ctrl-C in the terminal is not for it
            )
        if self._child.stdin is not None:
            self._child.stdin.write(json.dumps(what) + "\n")
            self._child.stdin.flush()


_watcher = _Watcher()


def ends_with_us(pid: int, folder: Path | None = None) -> None:
    """Kill this process, and remove the folder, when this process has ended without doing so."""
    _watcher.tell(pid=pid, born=_born(pid), folder=None if folder is None else str(folder))


def main() -> None:
    """The watcher."""
    told = [json.loads(line) for line in sys.stdin]
    left = [one for one in told if one["born"] and _born(one["pid"]) == one["born"]]
    for one in left:
        with contextlib.suppress(OSError):
            os.kill(one["pid"], signal.SIGKILL)
    for one in left:
        if one["folder"] is not None:
            shutil.rmtree(one["folder"], ignore_errors=True)


if __name__ == "__main__":
    main()
