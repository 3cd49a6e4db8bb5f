"""``buildtools detect``: what this interpreter or target is."""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

from buildtools.configuration import load_configuration, target_notes
from buildtools.errors import ExitCode
from buildtools.host import Interpreter, interpreter_facts, resolve_target
from buildtools.report import Screen
from buildtools.targets import Target, wheel_tags

TAGS_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``detect``."""
    parser.add_argument("--target", metavar="T", help="a target instead of this machine")


def run(args: argparse.Namespace, screen: Screen) -> ExitCode:
    """Print the target's facts and its wheel tags, best first."""
    interpreter = interpreter_facts(args.python)
    named = load_configuration(Path.cwd()).named
    target = resolve_target(args.target, named, interpreter)
    about = interpreter if target is interpreter.target else None
    tags = ["-".join(tag) for tag in islice(wheel_tags(target), TAGS_SHOWN)]
    if screen.as_json:
        screen.document(
            "detect",
            {
                "target": describe(target),
                "tags": tags,
                "interpreter": None if about is None else _describe_interpreter(about),
            },
        )
    else:
        _show(screen, target, tags, about, args.target)
    return ExitCode.OK


def describe(target: Target) -> dict[str, object]:
    """A target as the contract's JSON has it."""
    python = target.python
    floor = target.libc.version if target.libc else None
    return {
        "os": target.os,
        "arch": target.arch,
        "libc": target.libc.family if target.libc else None,
        "libc_version": str(floor) if floor else None,
        "min_os": str(target.min_os) if target.min_os else None,
        "python": str(python.version) if python else None,
        "implementation": python.implementation if python else None,
        "abi": python.abi if python else None,
        "ext_suffix": python.ext_suffixes[0] if python and python.ext_suffixes else None,
        "free_threaded": python.free_threaded if python else None,
        "debug": python.debug if python else None,
        "spec": target.spec,
    }


def _describe_interpreter(interpreter: Interpreter) -> dict[str, object]:
    return {
        "executable": str(interpreter.executable),
        "version": interpreter.version,
        "prefix": str(interpreter.prefix),
        "base_prefix": str(interpreter.base_prefix),
        "venv": interpreter.is_venv,
        "site_packages": str(interpreter.platlib),
        "user_site": str(interpreter.user_site) if interpreter.user_site else None,
        "user_site_enabled": interpreter.user_site_enabled,
        "externally_managed": interpreter.externally_managed,
        "headers": str(interpreter.include) if interpreter.include else None,
        "pip": interpreter.has_pip,
        "sys_path": list(interpreter.sys_path),
    }


def _show(
    screen: Screen, target: Target, tags: list[str], about: Interpreter | None, asked: str | None
) -> None:
    rows = [(key, str(value)) for key, value in describe(target).items() if value is not None]
    if about is not None:
        described = _describe_interpreter(about)
        rows += [(k, str(v)) for k, v in described.items() if k != "sys_path" and v is not None]
    screen.table(("fact", "value"), rows)
    screen.line()
    screen.line(screen.emphasis("wheel tags, best first"))
    for tag in tags:
        screen.line(f"  {tag}")
    note = target_notes().get(asked or "")
    if note:
        screen.log(note)
