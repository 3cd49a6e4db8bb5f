"""``buildtools matrix``: the jobs of the GitHub Actions matrix, from the project's targets."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from pathlib import Path

from buildtools.configuration import load_configuration
from buildtools.deploy.matrix import DEFAULT_PYTHONS, build_matrix
from buildtools.deploy.runner_labels import FOLDER, label_findings
from buildtools.errors import CannotLookError, ExitCode, UsageError
from buildtools.findings import Severity
from buildtools.report import Screen
from buildtools.targets import parse_python_tag, parse_target


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
    parser.add_argument(
        "--check",
        metavar="PATH",
        nargs="?",
        const=FOLDER,
        help=f"read workflows for runner labels that are gone (default: {FOLDER})",
    )


def run(args: argparse.Namespace, screen: Screen) -> ExitCode:
    """Print the matrix, hand it to the workflow, or look through workflows for dead labels."""
    if args.check is not None:
        return _check(Path(args.check), screen)
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


def _check(path: Path, screen: Screen) -> ExitCode:
    """Every retired and deprecated label of a workflow, or of a folder's; 1 for retired ones."""
    findings = [
        finding for file in _workflows(path) for finding in label_findings(_text(file), str(file))
    ]
    if screen.as_json:
        told = [{**dataclasses.asdict(one), "distribution": "", "command": ""} for one in findings]
        screen.document("matrix", {"include": [], "findings": told})
    else:
        for one in findings:
            severity = screen.verdict(one.severity)
            screen.line(
                f"{one.path}:{one.line}:{one.column}: {severity}: {one.evidence} [{one.cause}]"
            )
            screen.line(f"    {one.remedy}")
        if not findings:
            screen.line(f"{path}: every runner's label is current")
    errors = any(one.severity is Severity.ERROR for one in findings)
    return ExitCode.NO if errors else ExitCode.OK


def _workflows(path: Path) -> list[Path]:
    """The file itself, or the workflows of a folder or of the repository that it is."""
    if path.is_file():
        return [path]
    folder = path / FOLDER if (path / FOLDER).is_dir() else path
    found = sorted(one for one in folder.glob("*") if one.suffix in {".yml", ".yaml"})
    if not found:
        raise CannotLookError(
            "there are no workflows here",
            where=str(path),
            next_step=f"name a workflow, or a folder such as {FOLDER}",
        )
    return found


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig", "replace")
    except OSError as error:
        raise CannotLookError(
            "a workflow cannot be read", where=str(file), why=error.strerror or str(error)
        ) from error


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
