"""Who listens at a port of this machine, where the kernel says it (Linux)."""

from __future__ import annotations

from pathlib import Path

PROXY = "docker-proxy"
"""What Docker's engine listens with at a port that a container publishes."""
_LISTENS = "0A"
_STATE, _INODE = 3, 9
"""Columns of ``/proc/net/tcp``, proc(5)."""


def listener(port: int, proc: Path = Path("/proc")) -> str:
    """A program and its process id, such as ``redis-server (process 71)``; empty when unknown.

    Other users' processes can be looked into by root alone.
    """
    sockets = {f"socket:[{inode}]" for inode in _inodes(port, proc)}
    if not sockets:
        return ""
    for folder in proc.glob("[0-9]*"):
        try:
            if any(str(one.readlink()) in sockets for one in (folder / "fd").iterdir()):
                return f"{_program(folder)} (process {folder.name})"
        except OSError:
            continue  # it has ended, or is another user's
    return ""


def _inodes(port: int, proc: Path) -> list[str]:
    found = []
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / name).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        rows = [line.split() for line in lines]
        found += [
            row[_INODE]
            for row in rows
            if row[_STATE] == _LISTENS and row[1].endswith(f":{port:04X}")
        ]
    return found


def _program(folder: Path) -> str:
    words = (folder / "cmdline").read_bytes().split(b"\0")
    return Path(words[0].decode(errors="replace").split(" ")[0]).name or "a program"
