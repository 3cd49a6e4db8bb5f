"""The options that every command has."""

from __future__ import annotations

import argparse


def add_common(parser: argparse.ArgumentParser, *, inner: bool = False) -> None:
    """Add ``--json``, ``--quiet`` and ``--python``.

    ``inner`` is for the parser of a subcommand: what was said before its name then still counts.
    """
    unset = argparse.SUPPRESS
    parser.add_argument(
        "--json",
        action="store_true",
        default=unset if inner else False,
        help="print one JSON document",
    )
    parser.add_argument(
        "-q", "--quiet", action="store_true", default=unset if inner else False, help="no progress"
    )
    parser.add_argument(
        "--python",
        metavar="PATH",
        default=unset if inner else None,
        help="the interpreter or virtual environment that it is about (default: this one)",
    )
