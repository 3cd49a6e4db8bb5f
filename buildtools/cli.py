"""The command line: finds the command, imports that one alone, and turns errors into exit codes."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from buildtools.commands import COMMANDS
from buildtools.commands.options import add_common
from buildtools.errors import BuildtoolsError, ExitCode
from buildtools.report import Screen

_FOOT = """
exit codes: 0 as asked · 1 looked, and the answer is no · 2 usage · 3 could not look ·
4 no wheel could be had or built · 5 install failed and was rolled back ·
6 another rebuild holds this environment · 130 interrupted
"""


def run_command_line(words: Sequence[str]) -> int:
    """Run one command and give its exit code; nothing below this exits by itself."""
    parser = _parser(words)
    args = parser.parse_args(words)
    if args.command is None:
        parser.print_help()
        return ExitCode.USAGE
    signal.signal(signal.SIGTERM, _interrupt)
    with Screen(as_json=args.json, quiet=args.quiet) as screen:
        try:
            module = importlib.import_module(f"buildtools.commands.{args.command}")
            return int(module.run(args, screen))
        except BuildtoolsError as error:
            screen.error(str(error))
            return error.exit_code
        except KeyboardInterrupt:
            screen.error("interrupted")
            return ExitCode.INTERRUPTED
        except BrokenPipeError:
            # The reader of our output is gone (`| head`): nothing is left to say, and to whom.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ExitCode.OK


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser, with the arguments of the command that was asked for only."""
    parser = argparse.ArgumentParser(
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
