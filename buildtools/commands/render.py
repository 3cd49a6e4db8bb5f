"""``buildtools render``: the build command, the Blueprint, and its linter."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from buildtools import __version__
from buildtools.commands.options import add_common
from buildtools.configuration import Configuration, load_configuration
from buildtools.deploy.blueprint import drift, new_blueprint, updated_blueprint
from buildtools.deploy.blueprint_check import check_blueprint, unreadable_finding
from buildtools.deploy.blueprint_findings import BlueprintFinding, Rule
from buildtools.deploy.blueprint_reading import LARGEST, BlueprintUnreadable, decoded
from buildtools.deploy.service import RenderService, deployed_service, render_service
from buildtools.errors import CannotLookError, ExitCode
from buildtools.findings import Severity
from buildtools.report import Screen
from buildtools.writing import write_whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommands of ``render``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("command", help="print the buildCommand of the service")
    blueprint = actions.add_parser("blueprint", help="print, write or compare the Blueprint")
    where = blueprint.add_mutually_exclusive_group()
    where.add_argument("--write", metavar="FILE", type=Path, help="bring this file up to date")
    where.add_argument("--check", metavar="FILE", type=Path, help="say whether it is up to date")
    build = actions.add_parser("build", help="what the build command runs on Render")
    build.add_argument(
        "--install", metavar="WHAT", action="append", default=[], help="installed after the drivers"
    )
    build.add_argument("--wheelhouse", metavar="DIR", help="the store of wheels")
    check = actions.add_parser("check", help="lint a Blueprint")
    check.add_argument("file", metavar="FILE", type=Path)
    for action in actions.choices.values():
        add_common(action, inner=True)


def run(args: argparse.Namespace, screen: Screen) -> ExitCode:
    """Carry out one of the subcommands."""
    if args.action == "check":
        return _report(_checked(args.file), screen, str(args.file))
    if args.action == "build":
        return _build(args, screen)
    configuration = load_configuration(Path.cwd())
    if args.action == "command":
        return _command(render_service(configuration, __version__), screen)
    service = deployed_service(configuration, __version__)
    if args.check is not None:
        return _check(args.check, service, screen)
    if args.write is not None:
        return _write(args.write, service, screen)
    text = new_blueprint(service)
    if screen.as_json:
        screen.document("render", {"blueprint": text, "findings": []})
    else:
        screen.line(text.rstrip("\n"))
    return ExitCode.OK


def _build(args: argparse.Namespace, screen: Screen) -> ExitCode:
    from buildtools.deploy.render_build import RenderBuild, build_on_render
    from buildtools.host import interpreter_facts
    from buildtools.wheelhouse import wheelhouse_root

    configuration = load_configuration(Path.cwd())
    build = RenderBuild(
        interpreter=interpreter_facts(args.python),
        configuration=configuration,
        wheelhouse=wheelhouse_root(configuration, args.wheelhouse),
        variables=dict(os.environ),
        requirements=_requirements(configuration),
        install=tuple(args.install),
    )
    if not screen.as_json:
        return build_on_render(build, screen.line).code
    lines: list[str] = []

    def told(line: str) -> None:
        lines.append(line)
        screen.log(line)

    result = build_on_render(build, told)
    screen.document("render", {"build": {**result.as_json(), "log": lines}, "findings": []})
    return result.code


def _requirements(configuration: Configuration) -> tuple[Path, ...]:
    """What is installed after the drivers: what is named, else what Render's own default takes."""
    listed = render_service(configuration, __version__).requirements
    usual = configuration.root / "requirements.txt"
    if "requirements" not in configuration.render and usual.is_file():
        return (usual,)
    return tuple(configuration.root / name for name in listed)


def _command(service: RenderService, screen: Screen) -> ExitCode:
    if screen.as_json:
        screen.document("render", {"command": service.build, "findings": []})
    else:
        screen.line(service.build)
    return ExitCode.OK


def _write(file: Path, service: RenderService, screen: Screen) -> ExitCode:
    try:
        old = decoded(_read(file)) if file.exists() else ""
    except BlueprintUnreadable as unreadable:
        return _report((unreadable_finding(unreadable, str(file)),), screen, str(file))
    new = updated_blueprint(old, service, str(file)) if old else new_blueprint(service)
    if new != old:
        write_whole(file, new.encode())
    said = f"{file}: {'written' if new != old else 'up to date already'}"
    if not screen.as_json:
        screen.line(said)
    findings = check_blueprint(new, str(file))
    return _report(findings, screen, str(file)) if findings or screen.as_json else ExitCode.OK


def _check(file: Path, service: RenderService, screen: Screen) -> ExitCode:
    findings = list(_checked(file))
    broken = any(found.rule is Rule.NOT_YAML for found in findings)
    difference = "" if broken else drift(decoded(_read(file)), service, str(file))
    if difference:
        findings.append(
            BlueprintFinding(
                rule=Rule.DRIFT,
                severity=Severity.ERROR,
                path=str(file),
                evidence=difference,
                remedy=Rule.DRIFT.remedy,
                line=1,
                column=1,
            )
        )
    return _report(tuple(findings), screen, str(file))


def _checked(file: Path) -> tuple[BlueprintFinding, ...]:
    """The linter's findings of a file; one where it is no text."""
    try:
        return check_blueprint(decoded(_read(file)), str(file))
    except BlueprintUnreadable as unreadable:
        return (unreadable_finding(unreadable, str(file)),)


def _read(file: Path) -> bytes:
    """What the file holds, up to more than a Blueprint may."""
    try:
        with file.open("rb") as stream:
            return stream.read(LARGEST + 1)
    except OSError as error:
        raise CannotLookError(
            "the Blueprint cannot be read",
            where=str(file),
            why=error.strerror or str(error),
            next_step="buildtools render blueprint --write FILE makes one",
        ) from error


def _report(findings: tuple[BlueprintFinding, ...], screen: Screen, file: str) -> ExitCode:
    if screen.as_json:
        screen.document("render", {"findings": [_as_json(found) for found in findings]})
    elif not findings:
        screen.line(f"{file}: nothing wrong was found")
    else:
        for found in findings:
            severity = screen.verdict(found.severity)
            place = f"{found.path}:{found.line or 1}:{found.column or 1}"
            screen.line(f"{place}: {severity}: {found.evidence} [{found.rule}]")
            screen.line(f"    {found.remedy}")
    errors = any(found.severity is Severity.ERROR for found in findings)
    return ExitCode.NO if errors else ExitCode.OK


def _as_json(found: BlueprintFinding) -> dict[str, object]:
    return {
        "cause": found.rule,
        "severity": found.severity,
        "path": found.path,
        "distribution": "",
        "evidence": found.evidence,
        "remedy": found.remedy,
        "command": "",
        "line": found.line,
        "column": found.column,
    }
