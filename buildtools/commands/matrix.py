"""``buildtools matrix``: the jobs of the GitHub Actions matrix, from the project's targets."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from pathlib import Path

from buildtools.configuration import load_configuration
from buildtools.deploy.matrix import build_matrix
from buildtools.errors import ExitCode, UsageError
from buildtools.report import Screen
from buildtools.targets import parse_python_tag, parse_target

DEFAULT_PYTHONS = ("cp311", "cp312", "cp313", "cp314")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``matrix``."""
    parser.add_argument(
        "--target", metavar="T", action="append", default=[], help="a target (default: configured)"
    )
    parser.add_argument(
        "--abi",
        metavar="CPXY",
        action="append",
        default=[],
        help=f"a Python for targets that name none (default: {', '.join(DEFAULT_PYTHONS)})",
    )
    parser.add_argument(
        "--runner",
        metavar="OS/ARCH=LABEL",
        action="append",
        default=[],
        help="a runner's label instead of the default one",
    )
    parser.add_argument(
        "--github-output", action="store_true", help="write matrix=… to $GITHUB_OUTPUT"
    )


def run(args: argparse.Namespace, screen: Screen) -> ExitCode:
    """Print the matrix, or hand it to the workflow."""
    configuration = load_configuration(Path.cwd())
    asked = args.target or configuration.targets
    if not asked:
        raise UsageError(
            "no target is named",
            where=str(configuration.file or configuration.root),
            next_step='name one with --target, or list targets = ["linux/x86_64"] in'
            " [tool.buildtools]",
        )
    targets = [parse_target(text, configuration.named) for text in asked]
    pythons = [parse_python_tag(text) for text in args.abi or DEFAULT_PYTHONS]
    entries = build_matrix(targets, pythons, dict(_choice(text) for text in args.runner))
    include = [dataclasses.asdict(entry) for entry in entries]
    if args.github_output:
        _hand_over(json.dumps({"include": include}, separators=(",", ":")))
    if screen.as_json:
        screen.document("matrix", {"include": include})
    else:
        columns = ("target", "runner", "python", "cibw_build")
        screen.table(columns, [[entry[name] for name in columns] for entry in include])
    return ExitCode.OK


def _choice(text: str) -> tuple[str, str]:
    machine, equals, label = text.partition("=")
    if not equals or machine.count("/") != 1 or not label:
        raise UsageError(f"--runner {text!r} is not OS/ARCH=LABEL")
    return machine, label


def _hand_over(matrix: str) -> None:
    output = os.environ.get("GITHUB_OUTPUT")
    if not output:
        raise UsageError(
            "--github-output needs the variable GITHUB_OUTPUT",
            why="it is set inside a GitHub Actions job only",
            next_step="use --json elsewhere",
        )
    with Path(output).open("a", encoding="utf-8") as stream:
        stream.write(f"matrix={matrix}\n")
