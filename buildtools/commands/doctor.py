"""``buildtools doctor``: a static audit of environments and artefacts."""

from __future__ import annotations

import argparse
import os
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from buildtools.commands.detect import describe
from buildtools.commands.doctor_sources import (
    Source,
    installed_together,
    sources_of,
    unread,
)
from buildtools.commands.doctor_text import show, written
from buildtools.configuration import load_configuration
from buildtools.doctor import Beside, Provider, Report, examine
from buildtools.environment import Tree, TreeKind, scan
from buildtools.errors import CannotLookError, ExitCode
from buildtools.findings import Finding, Severity
from buildtools.host import Interpreter, interpreter_facts
from buildtools.recipes import Recipe, load_recipes
from buildtools.report import Screen
from buildtools.targets import Target, parse_target


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``doctor``."""
    parser.add_argument(
        "path",
        nargs="*",
        metavar="PATH",
        help="a folder, virtual environment, wheel, zip or tar (default: this interpreter's "
        "environment)",
    )
    parser.add_argument("--target", metavar="T", help="a target instead of this machine")
    parser.add_argument(
        "--imports", action="store_true", help="say where each native import comes from"
    )
    parser.add_argument(
        "--strict", action="store_true", help="warnings count as errors for the exit code"
    )


def run(args: argparse.Namespace, screen: Screen) -> ExitCode:
    """Examine, and say what was found; 1 when something would not load."""
    started = time.perf_counter()
    sources = sources_of(args.path)
    audit = _Audit(
        interpreter=interpreter_facts(args.python),
        recipes=load_recipes(),
        asked=_asked_target(args.target),
        written=args.target or "",
        again=f" --python {shlex.quote(str(args.python))}" if args.python else "",
        beside=installed_together(sources),
    )
    reports: list[tuple[Tree, Report]] = []
    refused: list[CannotLookError] = []
    for source in sources:
        try:
            reports += audit.reports(source, started)
        except CannotLookError as error:
            if source.path is None or not source.of_several or not source.path.is_file():
                raise
            refused.append(error)
            target = audit.asked or audit.interpreter.target
            reports.append(unread(source.path, error, target))
        started = time.perf_counter()
    if len(refused) == len(sources):
        raise refused[0]
    findings = [finding for _, report in reports for finding in report.findings]
    if screen.as_json:
        screen.document("doctor", _document(reports))
    else:
        for tree, report in reports:
            show(screen, tree, report, providers=args.imports)
    failing = {Severity.ERROR, Severity.WARNING} if args.strict else {Severity.ERROR}
    return ExitCode.NO if any(one.severity in failing for one in findings) else ExitCode.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class _Audit:
    """What is the same for everything that one call looks at.

    ``asked`` is the target of ``--target``, as it is ``written``; None for this machine.
    """

    interpreter: Interpreter
    recipes: Mapping[str, Recipe]
    asked: Target | None
    written: str
    again: str
    beside: Beside

    def reports(self, source: Source, started: float) -> list[tuple[Tree, Report]]:
        """The report of a source, or those of the parts that are deployed from it."""
        asked = self.asked
        tree = scan(source.path or self.interpreter, outside=asked is None)
        try:
            if asked is None:
                target = _host_target(self.interpreter, tree)
                return [(tree, self._examined(tree, target, started))]
            from buildtools.deploy.preflight import parts, preflight, target_for

            found = []
            for one, part in parts(tree, asked):
                target = target_for(asked, self.written, one, part)
                found.append((one, preflight(one, self._examined(one, target, started), part)))
                started = time.perf_counter()
            return found
        finally:
            tree.files.close()

    def _examined(self, tree: Tree, target: Target, started: float) -> Report:
        return examine(
            tree,
            target,
            self.recipes,
            host=self.interpreter,
            library_path=os.environ.get("LD_LIBRARY_PATH", ""),
            again=self.again,
            started=started,
            beside=self.beside if tree.kind is TreeKind.WHEEL else Beside(),
        )


def _asked_target(text: str | None) -> Target | None:
    if text is None or text == "host":
        return None
    return parse_target(text, load_configuration(Path.cwd()).named)


def _host_target(interpreter: Interpreter, tree: Tree) -> Target:
    """This machine, with the Python that the tree is for, else the interpreter's."""
    if tree.interpreter is not None or tree.python is None:
        return interpreter.target
    if tree.kind is TreeKind.VENV:
        return interpreter.target.with_python(tree.python)
    return interpreter.target


Reports = Sequence[tuple[Tree, Report]]


def _document(reports: Reports) -> dict[str, object]:
    """The document of the contract; with several paths, each finding's begins with its own."""
    several = len(reports) > 1
    return {
        "target": describe(reports[0][1].target),
        "scanned": {
            "modules": sum(report.scanned.modules for _, report in reports),
            "bytes": sum(report.scanned.bytes for _, report in reports),
            "seconds": round(sum(report.scanned.seconds for _, report in reports), 6),
        },
        "findings": [
            _finding(one, f"{tree.root}: " if several and one.path != tree.root else "")
            for tree, report in reports
            for one in report.findings
        ],
        "providers": [
            _provider(one, f"{tree.root}: " if several else "")
            for tree, report in reports
            for one in report.providers
        ],
    }


def _finding(finding: Finding, prefix: str) -> dict[str, object]:
    return {
        "cause": finding.cause,
        "severity": finding.severity,
        "path": written(prefix + finding.path),
        "distribution": written(finding.distribution),
        "evidence": written(finding.evidence),
        "remedy": finding.remedy,
        "command": finding.command,
    }


def _provider(provider: Provider, prefix: str) -> dict[str, object]:
    return {
        "import": written(provider.name),
        "path": written(prefix + provider.path),
        "origin": provider.origin,
        "version": provider.version,
        "hidden": [written(prefix + path) for path in provider.hidden],
    }
