"""What the build command runs on Render: look, clear away, rebuild, install, verify, say so.

Nothing is assumed about the machine: no root, no apt, no compiler, no certain OS. Every step is
told in plain lines, and the last line is one that a search of the log finds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from buildtools.configuration import Configuration
from buildtools.deploy.committed_venvs import WRONG_KIND, disarm_strays, remake
from buildtools.deploy.local_projects import LocalProjects
from buildtools.doctor import Report, examine
from buildtools.environment import scan
from buildtools.errors import BuildtoolsError, ExitCode, UsageError
from buildtools.findings import Finding, Severity
from buildtools.host import Interpreter, interpreter_facts
from buildtools.planning import Choices
from buildtools.processes import clean_environment, run
from buildtools.rebuild import Outcome, RebuildRequest, rebuild
from buildtools.recipes import load_recipes

LAST_LINE = "native-buildtools: render build"
"""What the last line begins with; ``ok`` or ``failed`` and the particulars follow."""

FORCE = "NATIVE_FORCE_REBUILD"
FROM_SOURCE = "NATIVE_BUILD_FROM_SOURCE"

_PIP_SECONDS = 1800.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderBuild:
    """One build: for which interpreter and project, and what the environment variables said.

    ``install`` are paths or requirements that pip installs after the drivers; ``requirements``
    files for ``pip install -r``.
    """

    interpreter: Interpreter
    configuration: Configuration
    wheelhouse: Path
    variables: Mapping[str, str]
    requirements: tuple[Path, ...] = ()
    install: tuple[str, ...] = ()


def where_it_runs(build: RenderBuild) -> str:
    """One line: Render or not, production or not, machine, libc, Python, environment."""
    variables = build.variables
    place = "Render" if is_on(variables, "RENDER") else "not on Render"
    preview = is_on(variables, "IS_PULL_REQUEST")
    stage = next(
        (variables[key] for key in ("APP_ENV", "ENVIRONMENT", "NODE_ENV") if variables.get(key)),
        "preview" if preview else ("production" if is_on(variables, "RENDER") else "development"),
    )
    interpreter = build.interpreter
    kind = "environment" if interpreter.is_venv else "Python"
    return (
        f"{place}, {stage}; {interpreter.target.spec}; Python {interpreter.version};"
        f" {kind} {interpreter.prefix}"
    )


def is_on(variables: Mapping[str, str], name: str) -> bool:
    """Whether a switch is set; :class:`UsageError` for a value that is neither on nor off."""
    value = variables.get(name, "").strip().lower()
    if value in {"", "0", "false", "no", "off"}:
        return False
    if value in {"1", "true", "yes", "on"}:
        return True
    raise UsageError(f"{name} is {value!r}", next_step=f"set {name}=1 or leave it out")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """What became of a build: the gravest step's code, the drivers, and what would not load.

    ``where`` is the line that says where it ran; ``seconds`` of the whole.
    """

    code: ExitCode
    where: str
    outcome: Outcome
    wrong: tuple[Finding, ...]
    seconds: float

    def as_json(self) -> dict[str, object]:
        """``build`` of ``render build --json``."""
        return {
            "outcome": "ok" if self.code is ExitCode.OK else "failed",
            "code": int(self.code),
            "where": self.where,
            "seconds": round(self.seconds, 3),
            "steps": [one.as_json() for one in self.outcome.steps],
            "wrong": [
                {"path": one.path, "cause": one.cause, "evidence": one.evidence}
                for one in self.wrong
            ],
        }


def build_on_render(build: RenderBuild, say: Say) -> BuildResult:
    """Carry the whole build out, and tell each step.

    What could not be looked at or done is raised, after the line that a search of the log finds.
    """
    try:
        return _build(build, say)
    except BuildtoolsError as error:
        say(f"{LAST_LINE} failed ({error.exit_code.value}): {error.what}")
        raise


def _build(build: RenderBuild, say: Say) -> BuildResult:
    started = time.monotonic()
    if is_on(build.variables, "RENDER"):
        build = replace(build, interpreter=remake(build.configuration.root, build.interpreter, say))
        disarm_strays(build.configuration.root, build.interpreter, say)
    where = where_it_runs(build)
    say(where)
    force, from_source = is_on(build.variables, FORCE), is_on(build.variables, FROM_SOURCE)
    for name, on in ((FORCE, force), (FROM_SOURCE, from_source)):
        if on:
            say(f"{name} is set")
    report = _examine(build)
    say(f"{report.scanned.modules} native modules, {_summary(report.findings)}")
    broken = clear_away(build, report, say)
    choices = Choices(force=force, from_source=from_source)
    outcome = _rebuild(build, choices, broken, say)
    code = outcome.exit_code
    if code is ExitCode.OK:
        code = _install(build, say)
    wrong: list[Finding] = []
    if code is ExitCode.OK:
        # What pip has just brought may hold native modules too.
        late = _examine(build)
        wrong = [one for one in late.findings if one.severity is Severity.ERROR]
        for finding in wrong:
            say(f"{finding.path}: {finding.cause}: {finding.evidence}")
        code = ExitCode.NO if wrong else ExitCode.OK
    drivers = ", ".join(
        f"{one.step.driver} {one.step.version or ''} {one.ending}".replace("  ", " ")
        for one in outcome.steps
    )
    word = "ok" if code is ExitCode.OK else f"failed ({code.value})"
    seconds = time.monotonic() - started
    say(f"{LAST_LINE} {word}: {drivers or 'no drivers'}; {seconds:.1f} s")
    return BuildResult(code=code, where=where, outcome=outcome, wrong=tuple(wrong), seconds=seconds)


def clear_away(build: RenderBuild, report: Report, say: Say) -> tuple[str, ...]:
    """Remove stray modules of the wrong kind; gives the distributions that have to be fetched anew.

    A distribution's own files are left for the rebuild, which replaces them atomically; a module
    that belongs to nothing can only be removed.
    """
    broken: dict[str, None] = {}
    prefix = build.interpreter.prefix.resolve()
    for finding in report.findings:
        if finding.cause not in WRONG_KIND:
            continue
        if finding.distribution:
            if finding.severity is not Severity.ERROR:
                continue
            broken[finding.distribution] = None
            say(f"wrong kind: {finding.path} ({finding.distribution}): {finding.evidence}")
            continue
        path = (prefix / finding.path).resolve()
        if path.is_relative_to(prefix) and path.is_file():
            path.unlink()
            say(f"removed: {finding.path} belongs to nothing; {finding.evidence}")
    return tuple(broken)


def _examine(build: RenderBuild) -> Report:
    interpreter = interpreter_facts(build.interpreter.executable)
    return examine(scan(interpreter), interpreter.target, load_recipes(), host=interpreter)


def _rebuild(build: RenderBuild, choices: Choices, broken: Sequence[str], say: Say) -> Outcome:
    def on_event(driver: str, stage: str, detail: str, _fraction: float | None) -> None:
        say(f"{driver}: {stage}{': ' if detail else ''}{detail}")

    request = RebuildRequest(
        interpreter=build.interpreter,
        configuration=build.configuration,
        wheelhouse=build.wheelhouse,
        choices=choices,
        on_event=on_event,
    )
    if broken:
        others = rebuild(replace(request, drivers=tuple(broken)))
        if others.exit_code is not ExitCode.OK:
            _tell(others, say)
            return others
    outcome = rebuild(request)
    _tell(outcome, say)
    return outcome


def _tell(outcome: Outcome, say: Say) -> None:
    for one in outcome.steps:
        say(f"{one.step.driver}: {one.step.action} {one.ending}: {one.error or one.step.reason}")
    for verdict in outcome.verdicts:
        say(f"{verdict.driver}: verified {verdict.status}")


def _install(build: RenderBuild, say: Say) -> ExitCode:
    """Let pip bring the rest: the drivers are there already, so it leaves them alone."""
    local = LocalProjects.of(build.interpreter, build.configuration.root)
    due = local.due(build.install)
    for project in build.install:
        if project not in due:
            say(f"{project} is as it was installed")
    words = [word for file in build.requirements for word in ("-r", str(file))] + list(due)
    if not words:
        return ExitCode.OK
    say(f"pip install {' '.join(words)}")
    done = run(
        [
            build.interpreter.executable,
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            *words,
        ],
        timeout=_PIP_SECONDS,
        env=clean_environment(),
        cwd=build.configuration.root,
        merge=True,
        on_line=lambda line: say(f"pip: {line}") if _worth_telling(line) else None,
    )
    if done.ok:
        local.keep(due)
        return ExitCode.OK
    say(f"pip ended with {done.returncode}; buildtools explain reads its words")
    say(done.tail(20))
    return ExitCode.NO_WHEEL


def _worth_telling(line: str) -> bool:
    return not line.startswith(("Requirement already satisfied", "Looking in", "  Downloading"))


def _summary(findings: Sequence[Finding]) -> str:
    errors = sum(one.severity is Severity.ERROR for one in findings)
    warnings = sum(one.severity is Severity.WARNING for one in findings)
    if not errors and not warnings:
        return "all would load"
    return f"{errors} would not load, {warnings} might not"
