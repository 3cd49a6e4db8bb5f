"""``buildtools explain``: a text in, its cause and the way out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from buildtools.errors import CannotLookError, ExitCode
from buildtools.explain import Explanation, explain
from buildtools.report import Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The one argument of ``explain``."""
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        default="-",
        help="the text: a traceback, a log; - or nothing reads standard input",
    )


def run(args: argparse.Namespace, screen: Screen) -> ExitCode:
    """Explain the text; 0 when its cause is known, 1 when it is not."""
    found = _explain(args.file)
    if screen.as_json:
        screen.document("explain", describe(found))
    else:
        _show(screen, found)
    return ExitCode.OK if found.known else ExitCode.NO


def _explain(file: str) -> Explanation:
    if file == "-":
        return explain(sys.stdin.buffer)
    try:
        with Path(file).open("rb") as stream:
            return explain(stream)
    except OSError as error:
        raise CannotLookError(
            "the text cannot be read", where=file, why=error.strerror or str(error)
        ) from error


def describe(found: Explanation) -> dict[str, object]:
    """An explanation as the contract's JSON has it."""
    return {
        "cause": found.cause,
        "confidence": found.confidence,
        "evidence": [{"line": line.line, "text": line.text} for line in found.evidence],
        "explanation": found.explanation,
        "remedy": found.remedy,
        "commands": list(found.commands),
        "also": list(found.also),
    }


def _show(screen: Screen, found: Explanation) -> None:
    screen.line(f"{screen.emphasis(found.cause)}  (confidence {found.confidence:.2f})")
    if found.explanation:
        screen.line(found.explanation)
    if found.evidence:
        screen.line()
        width = max(len(str(line.line)) for line in found.evidence)
        for line in found.evidence:
            screen.line(f"  {line.line:>{width}} | {line.text}")
    if found.remedy:
        screen.line()
        screen.line(found.remedy)
    for command in found.commands:
        screen.line(f"  {command}")
    if found.also:
        screen.line()
        screen.line(f"also seen: {', '.join(found.also)}")
