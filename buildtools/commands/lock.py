"""``buildtools lock``: pip-tools locks with hashes, one per target, gated on wheels."""

from __future__ import annotations

import argparse
import difflib
import tomllib
from pathlib import Path

from buildtools.configuration import Configuration, load_configuration, pinned_python
from buildtools.deploy.lock_gate import gate
from buildtools.deploy.lock_hashes import pinned_hashes
from buildtools.deploy.locks import (
    Lock,
    LockRequest,
    Missing,
    Pin,
    compile_lock,
    full_version,
)
from buildtools.errors import ExitCode, UsageError
from buildtools.host import Interpreter, interpreter_facts, resolve_target
from buildtools.recipes import load_recipes
from buildtools.report import Screen
from buildtools.targets import Target
from buildtools.wheelhouse import Wheelhouse

INPUTS = ("requirements.in", "pyproject.toml", "requirements.txt")
"""Where requirements are looked for when the configuration names no file."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``lock``."""
    parser.add_argument(
        "--target", metavar="T", action="append", default=[], help="a target (default: configured)"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 on drift")
    parser.add_argument("--upgrade", action="store_true", help="take newer versions where allowed")
    parser.add_argument(
        "--input", metavar="FILE", action="append", default=[], type=Path,
        help="a requirements file or pyproject.toml (default: configured)",
    )  # fmt: skip
    parser.add_argument(
        "--folder", metavar="DIR", type=Path, help="where the locks are (default: locks/)"
    )


def run(args: argparse.Namespace, screen: Screen) -> ExitCode:
    """Resolve every target, say what drifted and what is missing, and write unless checking."""
    configuration = load_configuration(Path.cwd())
    interpreter = interpreter_facts(args.python)
    targets = _targets(args.target, configuration, interpreter)
    inputs = tuple(args.input) or found_inputs(configuration)
    folder = (args.folder or configuration.root / "locks").absolute()
    wheelhouse = Wheelhouse(configuration.wheelhouse) if configuration.wheelhouse else None
    recipes = load_recipes()

    def in_wheelhouse(name: str, version: str, target: Target) -> bool:
        return wheelhouse is not None and any(
            stored.version == version for stored in wheelhouse.find(name, target)
        )

    def missing(pin: Pin, target: Target) -> Missing | None:
        return gate(pin, target, recipes, in_wheelhouse)

    hints = _version_hints(configuration, interpreter)
    locks = []
    for target in targets:
        screen.event(target.spec, "resolving")
        request = LockRequest(
            target=target,
            inputs=tuple(path.absolute() for path in inputs),
            folder=folder,
            python_full=full_version(target.python, hints) if target.python else "",
            upgrade=args.upgrade,
        )
        locks.append(compile_lock(request, missing, screen.log))
    if not args.check:
        for lock in locks:
            _write(lock)
    return _report(locks, screen, checking=args.check)


def _targets(
    asked: list[str], configuration: Configuration, interpreter: Interpreter
) -> list[Target]:
    texts = asked or list(configuration.targets) or ["host"]
    return [resolve_target(text, configuration.named, interpreter) for text in texts]


def found_inputs(configuration: Configuration) -> tuple[Path, ...]:
    """The files to lock: what is configured, else the first of :data:`INPUTS` that requires."""
    if configuration.requirements:
        return configuration.requirements
    for name in INPUTS:
        path = configuration.root / name
        if path.is_file() and (path.suffix != ".toml" or _says_what_it_requires(path)):
            return (path,)
    raise UsageError(
        "there is nothing to lock",
        where=str(configuration.root),
        why=f"no {', '.join(INPUTS)} there says what is required",
        next_step="name a file with --input",
    )


def _says_what_it_requires(file: Path) -> bool:
    """Whether a ``pyproject.toml`` describes a project, and not only the settings of tools."""
    with file.open("rb") as stream:
        return not {"project", "build-system"}.isdisjoint(tomllib.load(stream))


def _version_hints(configuration: Configuration, interpreter: Interpreter) -> list[str]:
    """Whole versions of Python that the project names, best first."""
    hints = [str(configuration.render.get("python", "")), interpreter.version]
    pinned = pinned_python(configuration.root)
    if pinned is not None:
        hints.insert(0, pinned.whole)
    return hints


def _write(lock: Lock) -> None:
    if lock.changed:
        lock.path.parent.mkdir(parents=True, exist_ok=True)
        beside = lock.path.with_name(f".{lock.path.name}.new")
        beside.write_text(lock.text, encoding="utf-8")
        beside.replace(lock.path)


def _report(locks: list[Lock], screen: Screen, *, checking: bool) -> ExitCode:
    missing = any(lock.missing for lock in locks)
    drifted = checking and any(lock.changed for lock in locks)
    if screen.as_json:
        screen.document("lock", {"locks": [_as_json(lock) for lock in locks]})
    else:
        rows = [
            (lock.target, str(lock.path), _state(lock, checking=checking), str(len(lock.missing)))
            for lock in locks
        ]
        screen.table(("target", "lock", "state", "missing"), rows)
        for lock in locks:
            for item in lock.missing:
                screen.line(f"{lock.target}: {item.distribution} {item.version}: {item.reason}")
            if checking and lock.changed:
                _show_drift(lock, screen)
    return ExitCode.NO if missing or drifted else ExitCode.OK


def _state(lock: Lock, *, checking: bool) -> str:
    if not lock.changed:
        return "up to date"
    return "drifted" if checking else "written"


def _show_drift(lock: Lock, screen: Screen) -> None:
    for line in drift_lines(lock):
        screen.line(line)


def drift_lines(lock: Lock) -> list[str]:
    """What would change in a lock: requirements as a difference, and whose hashes alone differ."""
    old = lock.path.read_text(encoding="utf-8") if lock.path.exists() else ""
    lines = difflib.unified_diff(
        [line for line in old.splitlines() if "--hash" not in line],
        [line for line in lock.text.splitlines() if "--hash" not in line],
        str(lock.path),
        "resolved now",
        n=0,
        lineterm="",
    )
    before, now = pinned_hashes(old), pinned_hashes(lock.text)
    return [
        *lines,
        *(
            f"{pin}: its hashes are not those of the index"
            for pin in now
            if pin in before and before[pin] != now[pin]
        ),
    ]


def _as_json(lock: Lock) -> dict[str, object]:
    return {
        "target": lock.target,
        "path": str(lock.path),
        "changed": lock.changed,
        "drift": drift_lines(lock) if lock.changed else [],
        "missing": [
            {"distribution": m.distribution, "version": m.version, "reason": m.reason}
            for m in lock.missing
        ],
    }
