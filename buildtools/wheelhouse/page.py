"""The page of cells: drivers, targets, Pythons, each with how it was proven, or why it is not.

One file of HTML with its style inside: it needs no script and nothing from anywhere else, and reads
on a phone as well as on a screen. Every word that comes from outside is escaped.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from buildtools.errors import UsageError
from buildtools.targets import Target, Version, parse_target
from buildtools.wheelhouse.cells import CellRecord

STATES: Mapping[str, tuple[str, str]] = {
    "executed": (
        "✓",
        "the probe of the driver ran in it: here, or under an emulator, on the target's own Python",
    ),
    "runner": ("▶", "the probe ran in it on a machine of that kind, in a job of CI"),
    "static": ("≡", "every module was read and held against the target; nothing of it was run"),
    "missing": ("✗", "there is no such wheel, and the cell says why"),
}
"""Each state's sign and what it means; the sign is never alone."""

_SHORT_REASON = 70
_SYSTEMS = {"linux": "Linux", "darwin": "macOS"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One cell as it is shown: ``wheel`` and ``log`` are links below the page, empty for none."""

    record: CellRecord
    wheel: str = ""
    log: str = ""


def render_page(
    cells: Iterable[Shown], *, summaries: Mapping[str, str], tool: str, index: str = "simple/"
) -> str:
    """The whole page; ``summaries`` says in a line what each driver is."""
    shown = list(cells)
    drivers = sorted({one.record.driver for one in shown}, key=str.lower)
    body = "\n".join(
        _driver(name, [one for one in shown if one.record.driver == name], summaries.get(name, ""))
        for name in drivers
    )
    newest = max((one.record.created for one in shown), default=0)
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(newest)) if newest else "never"
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Wheelhouse</title>
<style>
{style}</style>
</head>
<body>
<a class="skip" href="#cells">Skip to the cells</a>
<header>
<h1>Wheelhouse</h1>
<p class="lead">Self-contained wheels of native drivers. Each cell says how far its wheel was
proven, and a cell without a wheel says why.</p>
{_totals(shown)}
{_overview(shown, drivers)}
</header>
<main id="cells">
{body or '<p class="empty">There is nothing here yet: <code>buildtools wheel DRIVER</code>.</p>'}
</main>
<footer>
{_install(index)}
<p>Last cell: <time>{when}</time>. Made by native-buildtools {escape(tool)}.</p>
</footer>
</body>
</html>
"""


def _totals(shown: Sequence[Shown]) -> str:
    """How many cells there are of each state, with what the word means."""
    parts = []
    for state, (sign, meaning) in STATES.items():
        count = sum(one.record.state == state for one in shown)
        parts.append(
            f'<div class="total {state}"><dt><span class="count">{count}</span> '
            f'<span class="word"><span aria-hidden="true">{sign}</span> {state}</span></dt>'
            f"<dd>{meaning}</dd></div>"
        )
    return f'<dl class="totals">{"".join(parts)}</dl>'


def _overview(shown: Sequence[Shown], drivers: Sequence[str]) -> str:
    """Every cell as one small square: drivers down, targets across, a square for each Python."""
    if not shown:
        return ""
    targets = sorted({one.record.target for one in shown}, key=_target_order)
    at: dict[tuple[str, str], list[CellRecord]] = {}
    for one in shown:
        at.setdefault((one.record.driver, one.record.target), []).append(one.record)
    rows = [
        _row(
            f'<a href="#{_anchor(name)}">{escape(name)}</a>',
            [_td(_squares(at.get((name, target), []))) for target in targets],
        )
        for name in drivers
    ]
    pythons = sorted({one.record.python for one in shown}, key=_python_order)
    names = [_python_name(tag) for tag in pythons]
    order = ", ".join(name.removeprefix("Python ") for name in names)
    which = f"a Python, in the order {order}" if len(names) > 1 else names[0]
    return _table(
        f"At a glance: each square is {which}",
        ["Driver", *map(_target_name, targets)],
        rows,
        f'class="overview" style="--targets: {len(targets)}"',
    )


def _table(caption: str, columns: Sequence[str], rows: Sequence[str], attributes: str = "") -> str:
    """A table of finished rows. Its roles are said: on a phone the style takes its layout away."""
    head = "".join(f'<th role="columnheader" scope="col">{name}</th>' for name in columns)
    body = "\n".join(rows)
    return f"""<table role="table" {attributes}>
<caption>{escape(caption)}</caption>
<thead role="rowgroup"><tr role="row">{head}</tr></thead>
<tbody role="rowgroup">
{body}
</tbody>
</table>"""


def _row(head: str, cells: Sequence[str]) -> str:
    return f'<tr role="row"><th role="rowheader" scope="row">{head}</th>{"".join(cells)}</tr>'


def _td(content: str, attributes: str = "") -> str:
    return f'<td role="cell" {attributes}>{content}</td>'


def _squares(records: Sequence[CellRecord]) -> str:
    parts = []
    for record in sorted(records, key=lambda one: _python_order(one.python)):
        state = _state(record)
        name = escape(_python_name(record.python), quote=True)
        parts.append(
            f'<a class="square {state}" href="#{_cell_anchor(record)}" title="{name}: {state}">'
            f'<span aria-hidden="true">{STATES[state][0]}</span>'
            f'<span class="hidden">{name}: {state}</span></a>'
        )
    return f'<span class="squares">{"".join(parts)}</span>'


def _state(record: CellRecord) -> str:
    return record.state if record.state in STATES else "missing"


def _cell_anchor(record: CellRecord) -> str:
    return "cell-" + re.sub(r"[^a-zA-Z0-9]+", "-", record.name)


def _install(index: str) -> str:
    return (
        '<p>Install from the <a href="' + escape(index) + '">simple index</a> as it stands: '
        "<code>pip install --index-url THIS-FOLDER/simple/ mysqlclient</code></p>"
    )


def _anchor(name: str) -> str:
    return "driver-" + re.sub(r"[^a-z0-9]+", "-", name.lower())


def _driver(name: str, shown: Sequence[Shown], summary: str) -> str:
    pythons = sorted({one.record.python for one in shown}, key=_python_order)
    targets = sorted({one.record.target for one in shown}, key=_target_order)
    at = {(one.record.target, one.record.python): one for one in shown}
    versions = sorted({one.record.version for one in shown if one.record.version})
    rows = [
        _row(_target_name(target), [_cell(at.get((target, tag)), tag) for tag in pythons])
        for target in targets
    ]
    table = _table(
        f"{name}: targets and Pythons",
        ["Target", *(escape(_python_name(tag)) for tag in pythons)],
        rows,
    )
    version = f' <span class="version">{escape(", ".join(versions))}</span>' if versions else ""
    return f"""<section id="{_anchor(name)}" aria-labelledby="{_anchor(name)}-name">
<h2 id="{_anchor(name)}-name">{escape(name)}{version}</h2>
<p class="summary">{escape(summary)}</p>
{table}
</section>"""


def _cell(shown: Shown | None, python: str) -> str:
    label = escape(_python_name(python), quote=True)
    if shown is None:
        words = '<span class="word">not asked for</span>'
        return _td(words, f'data-python="{label}" class="untried"')
    record, state = shown.record, _state(shown.record)
    parts = [
        f'<span class="word"><span aria-hidden="true">{STATES[state][0]}</span> {state}</span>'
    ]
    if record.how:
        parts.append(f'<span class="how">{escape(record.how)}</span>')
    parts += _why(record, state)
    if record.runner:
        parts.append(f'<span class="how">{_runner(record, state)}</span>')
    parts += [f'<span class="how note">{escape(note)}</span>' for note in record.notes]
    what = escape(f"{record.driver}, {record.target}, {_python_name(record.python)}", quote=True)
    links = [
        f'<a href="{quote(link)}" aria-label="{word} of {what}">{word}</a>'
        for word, link in (("wheel", shown.wheel), ("log", shown.log))
        if link
    ]
    if links:
        parts.append(f'<span class="links">{" ".join(links)}</span>')
    anchor = _cell_anchor(record)
    return _td("".join(parts), f'id="{anchor}" data-python="{label}" class="{state}"')


def _runner(record: CellRecord, state: str) -> str:
    job = escape(record.runner.partition(" in ")[0])
    return f"by the job {job}" if state == "runner" else f"runner job: {job}"


def _why(record: CellRecord, state: str) -> list[str]:
    """Why a cell went no further; a long reason opens when it is asked for."""
    if not record.reason:
        return []
    reason = escape(record.reason)
    if len(record.reason) <= _SHORT_REASON:
        return [f'<span class="how">{reason}</span>']
    question = "why there is none" if state == "missing" else "why it was not run"
    return [f"<details><summary>{question}</summary><p>{reason}</p></details>"]


def _python_name(tag: str) -> str:
    """``cp313t`` as people say it: ``Python 3.13t``."""
    match = re.fullmatch(r"cp3(\d+)(t?d?)", tag)
    return f"Python 3.{match[1]}{match[2]}" if match else tag


def _python_order(tag: str) -> tuple[int, str]:
    match = re.fullmatch(r"cp3(\d+)(t?d?)", tag)
    return (int(match[1]), match[2]) if match else (0, tag)


def _parsed(text: str) -> Target | None:
    try:
        return parse_target(text, {})
    except UsageError:
        return None


def _target_order(text: str) -> tuple[int, str, str, Version]:
    """Linux before macOS, glibc before musl, x86_64 before Arm."""
    target = _parsed(text)
    if target is None:
        return (9, text, "", Version(major=0, minor=0))
    floor = target.libc.version if target.libc else target.min_os
    kind = target.libc.family.value if target.libc else "macos"
    place = {"glibc": 0, "musl": 1, "macos": 2}[kind]
    arch = {"x86_64": "0", "aarch64": "1", "arm64": "1"}.get(target.arch, target.arch)
    return (place, arch, target.arch, floor or Version(major=0, minor=0))


def _target_name(text: str) -> str:
    target = _parsed(text)
    if target is None:
        return escape(text)
    floor = (
        f"{target.libc.family} {target.libc.version or ''}"
        if target.libc
        else (f"macOS {target.min_os} or newer")
    )
    system = _SYSTEMS[target.os.value]
    return (
        f'<span class="system">{system} {escape(target.arch)}</span> '
        f'<span class="floor">{escape(floor.strip())}</span>'
    )
