"""``buildtools wheelhouse``: list, index, clean or check the store of wheels."""

from __future__ import annotations

import argparse
from pathlib import Path

from buildtools import __version__
from buildtools.configuration import load_configuration
from buildtools.errors import ExitCode, UsageError
from buildtools.findings import Severity
from buildtools.recipes import load_recipes
from buildtools.report import Screen
from buildtools.wheelhouse import (
    Provenance,
    StoredWheel,
    Wheelhouse,
    merge_cells,
    wheelhouse_root,
    write_page,
)
from buildtools.wheels import parse_wheel_name

ACTIONS = {
    "list": "the wheels, with where they came from and where they were proven",
    "add": "take wheels in, or all of another wheelhouse, audited first",
    "prove": "try every wheel that this machine can run, and write that down",
    "index": "write the simple index, for pip, uv and pip-tools, and the page of cells",
    "gc": "remove what killed runs left behind and all but the newest versions",
    "check": "hash every wheel again and hold it against its own words",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The actions of ``wheelhouse`` and their options."""
    parser.add_argument(
        "action",
        choices=tuple(ACTIONS),
        help=" · ".join(f"{name}: {what}" for name, what in ACTIONS.items()),
    )
    parser.add_argument(
        "wheels", metavar="WHEEL", nargs="*", type=Path, help="add: files, or a wheelhouse's folder"
    )
    parser.add_argument(
        "--runner", metavar="JOB", default="", help="prove: the job of CI that this is run by"
    )
    parser.add_argument("--wheelhouse", metavar="DIR", help="the store's folder")
    parser.add_argument(
        "--keep", metavar="N", type=int, default=2, help="gc: versions to keep of each (default 2)"
    )


def run(args: argparse.Namespace, screen: Screen) -> ExitCode:
    """Do the one action."""
    root = wheelhouse_root(load_configuration(Path.cwd()), args.wheelhouse)
    house = Wheelhouse(root)
    match args.action:
        case "list":
            return _list(house, screen)
        case "add":
            return _add(house, screen, args.wheels)
        case "prove":
            return _prove(house, screen, args.runner)
        case "index":
            return _index(house, screen)
        case "gc":
            return _gc(house, screen, max(1, args.keep))
        case _:
            return _check(house, screen)


def _list(house: Wheelhouse, screen: Screen) -> ExitCode:
    rows = []
    for stored in house.wheels():
        known = stored.provenance
        rows.append(
            {
                "filename": stored.path.name,
                "distribution": stored.name.distribution,
                "version": stored.version,
                "tags": list(stored.name.tags),
                "sha256": stored.sha256,
                "path": str(stored.path),
                "size": stored.path.stat().st_size,
                "driver": known.driver or None,
                "target": known.target or None,
                "backend": known.backend or None,
                "source": known.source,
                "bundled": list(known.bundled),
                "proven": list(known.proven),
                "created": known.created,
            }
        )
    if screen.as_json:
        screen.document("wheelhouse", {"action": "list", "root": str(house.root), "wheels": rows})
        return ExitCode.OK
    screen.table(
        ("wheel", "from", "proven on", "sha256"),
        [
            (
                str(row["filename"]),
                f"{row['source']} ({row['backend'] or '?'})",
                ", ".join(str(one) for one in row["proven"]) or "-",  # type: ignore[attr-defined]
                str(row["sha256"])[:16],
            )
            for row in rows
        ],
        title=f"{len(rows)} wheels in {house.root}",
    )
    return ExitCode.OK


def _add(house: Wheelhouse, screen: Screen, wheels: list[Path]) -> ExitCode:
    if not wheels:
        raise UsageError("add needs wheels", next_step="name their files behind it")
    added: list[StoredWheel] = []
    for wheel in wheels:
        if wheel.is_dir():
            added += _add_all(house, Wheelhouse(wheel))
            continue
        provenance = Provenance(
            driver=parse_wheel_name(wheel.name).distribution,
            target="",
            python="",
            backend="",
            source="added",
            tool=__version__,
            bundled=(),
            proven=(),
        )
        added.append(house.add(wheel, provenance))
    if screen.as_json:
        paths = [str(one.path) for one in added]
        screen.document("wheelhouse", {"action": "add", "root": str(house.root), "added": paths})
    else:
        for one in added:
            screen.line(f"{one.path.name}: {one.sha256}")
    return ExitCode.OK


def _add_all(house: Wheelhouse, other: Wheelhouse) -> list[StoredWheel]:
    """Another wheelhouse's wheels with what is known of them, and its cells."""
    added = []
    for stored in other.wheels():
        mine = house.add(stored.path, stored.provenance, log=stored.log)
        for place in stored.provenance.proven:
            house.note_proven(mine, place)
        added.append(mine)
    if not added:
        raise UsageError("there is no wheel in this folder", where=str(other.root))
    merge_cells(house.root, other.root)
    return added


def _prove(house: Wheelhouse, screen: Screen, runner: str) -> ExitCode:
    from buildtools.commands.wheelhouse_prove import prove_all

    tried = prove_all(house, screen, runner=runner)
    if screen.as_json:
        screen.document(
            "wheelhouse",
            {
                "action": "prove",
                "root": str(house.root),
                "tried": [one.as_json() for one in tried],
            },
        )
    else:
        rows = [
            (
                one.record.driver,
                f"{one.record.target}/{one.record.python}",
                "failed" if one.error else one.record.state,
                one.error or one.record.how,
            )
            for one in tried
        ]
        screen.table(
            ("driver", "target", "verified", "how"), rows, title=f"{len(rows)} cells tried"
        )
    return ExitCode.NO if any(one.error for one in tried) else ExitCode.OK


def _index(house: Wheelhouse, screen: Screen) -> ExitCode:
    folder = house.index()
    summaries = {recipe.driver: recipe.summary for recipe in load_recipes().values()}
    page = write_page(house, summaries=summaries, tool=__version__)
    url = folder.as_uri()
    if screen.as_json:
        screen.document(
            "wheelhouse",
            {
                "action": "index",
                "root": str(house.root),
                "index": str(folder),
                "url": url,
                "page": str(page),
            },
        )
    else:
        screen.line(f"{folder}")
        screen.line(f"use it: pip install --index-url {url} DRIVER")
        screen.line(f"the cells: {page}")
    return ExitCode.OK


def _gc(house: Wheelhouse, screen: Screen, keep: int) -> ExitCode:
    collected = house.gc(keep)
    if screen.as_json:
        screen.document(
            "wheelhouse",
            {
                "action": "gc",
                "root": str(house.root),
                "removed": list(collected.removed),
                "bytes": collected.bytes,
            },
        )
    else:
        for name in collected.removed:
            screen.line(f"removed {name}")
        screen.line(f"{len(collected.removed)} removed, {collected.bytes} bytes freed")
    return ExitCode.OK


def _check(house: Wheelhouse, screen: Screen) -> ExitCode:
    findings = house.check()
    bad = any(one.severity is Severity.ERROR for one in findings)
    if screen.as_json:
        screen.document(
            "wheelhouse",
            {
                "action": "check",
                "root": str(house.root),
                "findings": [
                    {
                        "cause": one.cause.value,
                        "severity": one.severity.value,
                        "path": one.path,
                        "distribution": one.distribution,
                        "evidence": one.evidence,
                        "remedy": one.remedy,
                        "command": one.command,
                    }
                    for one in findings
                ],
            },
        )
    else:
        screen.table(
            ("severity", "cause", "where", "evidence"),
            [(one.severity.value, one.cause.value, one.path, one.evidence) for one in findings],
            title=f"{len(house.wheels())} wheels in {house.root}",
        )
    return ExitCode.NO if bad else ExitCode.OK
