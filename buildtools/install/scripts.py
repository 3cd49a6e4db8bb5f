"""The commands that a distribution brings, written for the environment's interpreter."""

from __future__ import annotations

from pathlib import Path

from buildtools.errors import InstallFailedError
from buildtools.wheels import ConsoleScript

_LONGEST_SHEBANG = 127
"""Bytes of a first line that every Linux kernel takes whole (``BINPRM_BUF_SIZE`` before 5.1)."""


def command_text(script: ConsoleScript, python: Path) -> bytes:
    """A console script as an executable text."""
    return (
        first_line(python)
        + (
            "# -*- coding: utf-8 -*-\n"
            "import sys\n"
            f"from {script.module} import {script.attribute.partition('.')[0]}\n"
            "if __name__ == '__main__':\n"
            f"    sys.exit({script.attribute}())\n"
        ).encode()
    )


def rewritten(content: bytes, python: Path) -> bytes:
    """A script of a wheel's ``.data/scripts``: ``#!python`` becomes the environment's Python."""
    head, newline, rest = content.partition(b"\n")
    if not head.startswith(b"#!python"):
        return content
    return first_line(python) + (rest if newline else b"")


def first_line(python: Path) -> bytes:
    """The line, or two, that start a script with this interpreter, however long its path.

    A path with blanks, or one too long for the kernel, goes through ``/bin/sh``: to the shell the
    second line is a command, to Python a string.
    """
    path = str(python)
    if any(sign in path for sign in "\n\r'\"\\$`\0"):
        raise InstallFailedError(
            "commands cannot be written for an interpreter with such a path",
            where=repr(path),
            next_step="make the environment in a folder without quotes, $, ` and \\ in its name",
        )
    plain = f"#!{path}\n".encode()
    if " " not in path and len(plain) <= _LONGEST_SHEBANG:
        return plain
    return f"#!/bin/sh\n'''exec' \"{path}\" \"$0\" \"$@\"\n' '''\n".encode()
