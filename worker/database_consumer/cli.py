"""The command line: words to a command, a command's answer to an exit code.

Exit codes: 0 as asked; 1 looked, and the answer is no; 2 usage or configuration; 3 could not look;
130 interrupted. Results go to standard output, logs and progress to standard error.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from types import ModuleType

from database_consumer import __version__
from database_consumer.settings import SettingsError

COMMANDS = {
    "run": "the worker; configuration from the environment and .env",
    "demo": "the whole path on this machine with no server",
    "wait": "returns when Kafka, database and cache are truly ready",
    "submit": "validates operations (JSON lines) and publishes them",
    "apply": "applies operations (JSON lines) from a file, without Kafka",
    "dead-letters": "lists, shows, replays and purges dead letters",
    "status": "asks a running worker",
    "config": "the configuration in force, secrets masked",
    "migrate-fallback": "moves a JSON fallback store into the database",
}
OK, NO, USAGE, CANNOT, INTERRUPTED = 0, 1, 2, 3, 130


def parser(wanted: str | None = None) -> argparse.ArgumentParser:
    """The parser; only ``wanted``'s own options are loaded, None: every command's."""
    out = argparse.ArgumentParser(prog="database-consumer", description=__doc__.splitlines()[0])
    out.add_argument("--version", action="version", version=f"database-consumer {__version__}")
    commands = out.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        if wanted in {None, name}:
            _module(name).add_arguments(command)
    return out


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    wanted = next((word for word in words if word in COMMANDS), None)
    options = parser(wanted).parse_args(words)
    try:
        code: int = _module(options.command).run(options)
    except SettingsError as error:
        for problem in error.problems:
            print(f"configuration: {problem}", file=sys.stderr)  # noqa: T201 -- this is the edge
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return OK
    return code


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"database_consumer.commands.{name.replace('-', '_')}")
