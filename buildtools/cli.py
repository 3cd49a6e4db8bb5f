"""The command line: finds the command, imports that one alone, and turns errors into exit codes."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from buildtools.commands import COMMANDS
from buildtools.commands.options import add_common
from buildtools.errors import BuildtoolsError, CannotLookError, ExitCode, UsageError
from buildtools.report import Screen

_FOOT = """
exit codes: 0 as asked · 1 looked, and the answer is no · 2 usage · 3 could not look ·
4 no wheel could be had or built · 5 install failed and was rolled back ·
6 another rebuild holds this environment · 130 interrupted
"""


class _Parser(argparse.ArgumentParser):
    """One that raises what it refuses: an error with ``--json`` is a document too."""

    def error(self, message: str) -> NoReturn:
        """Refuse the words of the command line."""
        raise UsageError(message, next_step=f"{self.prog} --help lists every option")


def run_command_line(words: Sequence[str]) -> int:
    """Run one command and give its exit code; nothing below this exits by itself."""
    parser = _parser(words)
    try:
        args = parser.parse_args(words)
    except UsageError as error:
        asked = next((word for word in words if word in COMMANDS), None)
        return _refused(Screen(as_json="--json" in words), asked, error)
    if args.command is None:
        parser.print_help()
        return ExitCode.USAGE
    signal.signal(signal.SIGTERM, _interrupt)
    with Screen(as_json=args.json, quiet=args.quiet) as screen:
        refusal: BuildtoolsError
        try:
            module = importlib.import_module(f"buildtools.commands.{args.command}")
            code = int(module.run(args, screen))
            sys.stdout.flush()
        except BuildtoolsError as error:
            refusal = error
        except KeyboardInterrupt:
            refusal = _InterruptedError("interrupted")
        except BrokenPipeError:
            return _unread()
        except OSError as error:
            refusal = _unforeseen(error)
        else:
            return code
        return _refused(screen, args.command, refusal)


class _InterruptedError(BuildtoolsError):
    """Ended by the user."""

    exit_code = ExitCode.INTERRUPTED


def _refused(screen: Screen, command: str | None, error: BuildtoolsError) -> int:
    """Say why there is no result: in words, and with ``--json`` as the one document."""
    screen.error(str(error))
    if screen.as_json and command is not None and not screen.documented:
        try:
            screen.document(command, {"error": error.as_json()})
        except BrokenPipeError:
            _unread()
    return error.exit_code


def _unforeseen(error: OSError) -> CannotLookError:
    """What no command foresaw: a disk, a permission, a folder that is gone."""
    return CannotLookError(
        "the system refused a file or a folder",
        where=str(error.filename or ""),
        why=error.strerror or str(error),
        next_step="see that this is there, that it may be read and written, and that space is left",
    )


def _unread() -> int:
    """The reader of our output is gone (``| head``): nothing is left to say, and to whom."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.OK


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser, with the arguments of the command that was asked for only."""
    parser = _Parser(
        prog="buildtools",
        description="Native database drivers for Python that load where you deploy.",
        epilog=_FOOT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-V", "--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    asked = next((word for word in words if word in COMMANDS), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            conflict_handler="resolve",  # wheel takes several --python
        )
        add_common(command)
        if name == asked:
            importlib.import_module(f"buildtools.commands.{name}").add_arguments(command)
    return parser
