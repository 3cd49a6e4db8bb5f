"""``buildtools verify``: use each driver in a child process."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from buildtools.commands.detect import describe
from buildtools.configuration import Configuration, load_configuration
from buildtools.errors import ExitCode, UsageError
from buildtools.host import Interpreter, interpreter_facts, require_supported, resolve_target
from buildtools.probes import (
    DEFAULT_TIMEOUT,
    Check,
    CheckVerdict,
    Dsn,
    Status,
    Verdict,
    parse_dsn,
    run_check,
    verify,
)
from buildtools.probes.discovery import installed_drivers, recipe_of
from buildtools.recipes import Recipe, load_recipes
from buildtools.report import Screen
from buildtools.targets import OperatingSystem, Target
from buildtools.wheelhouse import Wheelhouse, wheelhouse_root

if TYPE_CHECKING:
    from buildtools.commands.verify_foreign import Foreign

DSN_VARIABLE = "BUILDTOOLS_DSN"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``verify``."""
    parser.add_argument(
        "drivers", nargs="*", metavar="DRIVER", help="default: the configured, else the installed"
    )
    parser.add_argument(
        "--dsn",
        metavar="URL",
        help=f"a live server for the MySQL drivers, mysql://USER:PASSWORD@HOST/DB"
        f" (or in {DSN_VARIABLE}, where no list of processes shows it)",
    )
    parser.add_argument(
        "--target",
        metavar="T",
        help="try the wheelhouse's wheels for another target: on its own Python, unpacked and"
        " emulated, or by reading where nothing here runs it",
    )
    parser.add_argument("--wheelhouse", metavar="DIR", help="with --target: the store's folder")
    parser.add_argument(
        "--emulator",
        metavar="COMMAND",
        help="what runs another machine's --python here, such as 'qemu-aarch64-static -L TREE'",
    )
    parser.add_argument(
        "--timeout", metavar="S", type=float, default=DEFAULT_TIMEOUT, help="seconds a driver has"
    )
    parser.add_argument(
        "--allow-fallback", action="store_true", help="be content when pure Python answers"
    )


def run(args: argparse.Namespace, screen: Screen) -> ExitCode:
    """Try the drivers, then the application's own checks; 1 when one of them is not well."""
    if args.timeout <= 0:
        raise UsageError("--timeout must be more than 0 seconds")
    dsn_text = args.dsn or os.environ.get(DSN_VARIABLE)
    dsn = parse_dsn(dsn_text) if dsn_text else None
    prefix = _prefix(args)
    interpreter = interpreter_facts(args.python, prefix=prefix)
    require_supported(interpreter)
    configuration = load_configuration(Path.cwd())
    recipes = load_recipes()
    target = resolve_target(args.target, configuration.named, interpreter)
    if _is_foreign(target, interpreter):
        if args.python is not None:
            raise _other_machine(target, interpreter)
        from buildtools.commands.verify_foreign import Foreign

        house = Wheelhouse(wheelhouse_root(configuration, args.wheelhouse))
        secure = dsn is not None and dsn.secure
        foreign = Foreign.open(target, interpreter, house, screen, secure=secure)
        return _verify_foreign(args, foreign, configuration, dsn)
    chosen = _chosen(args.drivers or configuration.drivers, recipes, interpreter)
    trial = _Trial(interpreter=interpreter, screen=screen, timeout=args.timeout, prefix=prefix)
    verdicts = [_of_version(trial.driver(one.recipe, dsn), one.versions) for one in chosen]
    checks = [trial.check(check, configuration.root) for check in configuration.checks]
    well = all(_content(v, args.allow_fallback) for v in verdicts) and all(c.ok for c in checks)
    if screen.as_json:
        screen.document(
            "verify",
            {
                "target": describe(interpreter.target),
                "drivers": [
                    {**v.as_json(), "verified": "" if v.status is Status.ABSENT else "executed"}
                    for v in verdicts
                ],
                "application": [check.as_json() for check in checks],
            },
        )
    else:
        _show(screen, verdicts, checks, allow_fallback=args.allow_fallback)
    return ExitCode.OK if well else ExitCode.NO


def _prefix(args: argparse.Namespace) -> tuple[str, ...]:
    if args.emulator is None:
        return ()
    if args.python is None:
        raise UsageError(
            "--emulator needs --python",
            why="it runs an interpreter of the other machine, which must be named",
        )
    try:
        words = tuple(shlex.split(args.emulator))
    except ValueError as error:
        raise UsageError("--emulator cannot be read", why=str(error)) from error
    if not words:
        raise UsageError("--emulator names no program")
    return words


def _is_foreign(target: Target, interpreter: Interpreter) -> bool:
    """Whether this interpreter is not one that the target's drivers are loaded by."""
    python = target.python or interpreter.abi
    return (
        target.same_machine != interpreter.target.same_machine or python.abi != interpreter.abi.abi
    )


def _other_machine(target: Target, interpreter: Interpreter) -> UsageError:
    emulated = (
        "leave --python out to have the target's own Python unpacked and emulated, or "
        "name an interpreter of that machine and what runs it here with --emulator"
    )
    read = f"nothing here runs macOS: buildtools doctor --target {target.spec} reads the files"
    return UsageError(
        f"drivers cannot be tried for {target.spec} with this interpreter",
        where=str(interpreter.executable),
        why=f"it runs on {interpreter.target.spec}, and a driver is tried by loading it",
        next_step=read if target.os is OperatingSystem.DARWIN else emulated,
    )


def _verify_foreign(
    args: argparse.Namespace, foreign: Foreign, configuration: Configuration, dsn: Dsn | None
) -> ExitCode:
    """Wheels of the wheelhouse, tried on the target's own Python or read against the target."""
    screen = foreign.screen
    asked = dict(_name_and_versions(text) for text in args.drivers)
    chosen = foreign.chosen(tuple(asked), load_recipes(), configuration)
    told = [foreign.told(one, dsn, asked.get(one.driver, "")) for one in chosen]
    verdicts = [one.verdict for one in told]
    if screen.as_json:
        place = foreign.place.interpreter.target if foreign.place else foreign.target
        screen.document(
            "verify",
            {
                "target": describe(place),
                "drivers": [one.as_json() for one in told],
                "application": [],
            },
        )
    else:
        screen.table(
            ("driver", "version", "status", "verified", "library", "how"),
            [
                (
                    one.verdict.driver,
                    one.verdict.version or "-",
                    one.verdict.status.value,
                    one.verified or "-",
                    one.verdict.library or "-",
                    one.how or one.verdict.reason,
                )
                for one in told
            ],
        )
        for verdict in verdicts:
            if verdict.status is not Status.ABSENT:
                _show_verdict(screen, verdict)
    return ExitCode.OK if all(_content(v, args.allow_fallback) for v in verdicts) else ExitCode.NO


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A driver to try, and the versions (PEP 440) that were asked for; empty for any."""

    recipe: Recipe
    versions: str = ""


def _chosen(
    names: Sequence[str], recipes: Mapping[str, Recipe], interpreter: Interpreter
) -> tuple[_Asked, ...]:
    if not names:
        return tuple(_Asked(recipe=found) for found in installed_drivers(recipes, interpreter))
    chosen: dict[str, _Asked] = {}
    for text in names:
        name, versions = _name_and_versions(text)
        one = _Asked(recipe=recipe_of(name, recipes, interpreter), versions=versions)
        chosen.setdefault(one.recipe.driver, one)
    return tuple(chosen.values())


def _name_and_versions(text: str) -> tuple[str, str]:
    """``mysqlclient==2.2.*`` in two; raises :class:`UsageError` for what is no specifier."""
    match = re.fullmatch(r"([^<>=!~]*?)\s*([<>=!~].*)?", text.strip(), re.DOTALL)
    name, versions = (match[1], match[2] or "") if match else (text, "")
    if versions:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        try:
            SpecifierSet(versions)
        except InvalidSpecifier as error:
            raise UsageError(f"{text!r} is no driver with a version", why=str(error)) from error
    return name, versions


def _of_version(verdict: Verdict, versions: str) -> Verdict:
    """The verdict, failed where the driver is well but of another version than was asked for."""
    if not versions or verdict.version is None:
        return verdict
    from packaging.specifiers import SpecifierSet

    right = SpecifierSet(versions).contains(verdict.version, prereleases=True)
    detail = f"{verdict.version} is installed, {versions} was asked for"
    checks = (*verdict.checks, Check(name="asked version", ok=right, detail=detail))
    if right or not verdict.ok:
        return replace(verdict, checks=checks)
    return replace(verdict, checks=checks, status=Status.FAILED, reason=detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """What is the same for everything that is tried in one run."""

    interpreter: Interpreter
    screen: Screen
    timeout: float
    prefix: tuple[str, ...]

    def driver(self, recipe: Recipe, dsn: Dsn | None) -> Verdict:
        """Try one driver, saying so."""
        self.screen.event(recipe.driver, "trying")
        verdict = verify(
            recipe, self.interpreter, dsn=dsn, timeout=self.timeout, prefix=self.prefix
        )
        self._ended(recipe.driver, verdict)
        return verdict

    def check(self, check: str, root: Path) -> CheckVerdict:
        """Run one of the application's own checks, saying so."""
        self.screen.event(check, "trying")
        verdict = run_check(
            check, self.interpreter, root=root, timeout=self.timeout, prefix=self.prefix
        )
        self._ended(check, verdict)
        return verdict

    def _ended(self, name: str, verdict: Verdict | CheckVerdict) -> None:
        self.screen.event(name, verdict.status.value, f"{verdict.seconds:.2f} s", 1.0)


def _content(verdict: Verdict, allow_fallback: bool) -> bool:  # noqa: FBT001 - passed on as given
    return verdict.ok or (allow_fallback and verdict.status is Status.FALLBACK)


def _show(
    screen: Screen,
    verdicts: Sequence[Verdict],
    checks: Sequence[CheckVerdict],
    *,
    allow_fallback: bool,
) -> None:
    rows = [
        (v.driver, v.version or "-", v.status.value, v.library or "-", v.path or "-")
        for v in verdicts
    ]
    if rows:
        screen.table(("driver", "version", "status", "library", "loaded from"), rows)
    else:
        screen.line("no driver is installed, and none was named")
    if checks:
        screen.line()
        screen.table(("application's check", "status"), [(c.check, c.status.value) for c in checks])
    for verdict in verdicts:
        _show_verdict(screen, verdict)
    for check in checks:
        if not check.ok:
            _show_trouble(screen, check.check, check.status, check.reason, check.trace)
    ill = [v.driver for v in verdicts if not _content(v, allow_fallback)]
    if ill:
        screen.line()
        screen.line(f"next: buildtools rebuild {' '.join(ill)}")


def _show_verdict(screen: Screen, verdict: Verdict) -> None:
    if not verdict.ok:
        _show_trouble(screen, verdict.driver, verdict.status, verdict.reason, verdict.trace)
    for check in verdict.checks:
        if not check.ok and check.detail not in verdict.reason:
            mark = "fails" if check.required else "note"
            screen.line(f"  {verdict.driver}: {mark}: {check.name}: {check.detail}")


def _show_trouble(screen: Screen, name: str, status: Status, reason: str, trace: str) -> None:
    screen.line()
    screen.line(f"{screen.emphasis(name)}: {screen.verdict(status.value)}: {reason}")
    for line in trace.splitlines():
        screen.line(f"  | {line}")
