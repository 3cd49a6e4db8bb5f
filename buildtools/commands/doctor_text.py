"""``doctor``'s report for people: findings of one kind told once, and a line that sums up."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from buildtools.doctor import Report
from buildtools.environment import Tree
from buildtools.findings import Finding, Severity
from buildtools.report import Screen

_TOLD = 2
"""Findings of one kind that are told in full; what comes after them is listed by path."""
_PATHS = 4
"""Paths that such a list has."""
_EVIDENCE = 12
"""Different evidence that is told of them."""


def written(text: str) -> str:
    """Text that any output takes: names of files need not be UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def _shown(text: str) -> str:
    """Text for a terminal: a file's name must not move its cursor or colour it."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in written(text)
    )


def show(screen: Screen, tree: Tree, report: Report, *, providers: bool) -> None:
    """Print a report; ``providers`` adds the notes and where each import comes from."""
    told = [one for one in report.findings if providers or one.severity is not Severity.INFO]
    for alike in _alike(told):
        few = alike if len(alike) <= _TOLD + 1 else alike[:_TOLD]
        for finding in few:
            _tell(screen, finding)
        if rest := alike[len(few) :]:
            _tell_rest(screen, rest, {one.evidence for one in few})
    if providers and report.providers:
        rows = [
            tuple(map(_shown, (p.name, p.path, p.origin, p.version, ", ".join(p.hidden) or "-")))
            for p in report.providers
        ]
        screen.table(("import", "from", "because of", "version", "hidden"), rows)
    screen.line(_summary(tree, report))


def _summary(tree: Tree, report: Report) -> str:
    counts = {
        severity: sum(one.severity is severity for one in report.findings) for severity in Severity
    }
    scanned = report.scanned
    verdict = (
        "everything would load"
        if not counts[Severity.ERROR] and not counts[Severity.WARNING]
        else f"{counts[Severity.ERROR]} errors, {counts[Severity.WARNING]} warnings"
    )
    return (
        f"{tree.root}: {scanned.modules} native files, {scanned.bytes / 1e6:.1f} MB, "
        f"{scanned.seconds:.2f} s, for {report.target.spec}: {verdict}"
        + (f", {counts[Severity.INFO]} notes" if counts[Severity.INFO] else "")
    )


def _alike(findings: Iterable[Finding]) -> list[list[Finding]]:
    """The findings in their order, those of one kind and distribution together.

    A package has hundreds of modules, and a copied environment has each of them wrong.
    """
    kinds: dict[tuple[str, ...], list[Finding]] = {}
    for one in findings:
        folder = "" if one.distribution else one.path.rpartition("/")[0]
        key = (one.severity, one.cause, one.distribution, folder, one.command)
        kinds.setdefault(key, []).append(one)
    return list(kinds.values())


def _tell_rest(screen: Screen, rest: Sequence[Finding], told: Collection[str]) -> None:
    """The others by path, with their evidence where that has not been told yet."""
    by_evidence: dict[str, list[Finding]] = {}
    for one in rest:
        by_evidence.setdefault("" if one.evidence in told else one.evidence, []).append(one)
    same = by_evidence.pop("", [])
    listed = f": {_paths(same)}" if same else ""
    screen.line(f"    and {len(rest)} more of this kind{listed}")
    for evidence, ones in list(by_evidence.items())[:_EVIDENCE]:
        screen.line(f"      {_paths(ones)}: {_shown(evidence)}")
    if (unsaid := len(by_evidence) - _EVIDENCE) > 0:
        screen.line(f"      and {unsaid} more; --json has all of them")


def _paths(findings: Iterable[Finding]) -> str:
    names = list(dict.fromkeys(one.path.rpartition("/")[2] for one in findings))
    return _shown(", ".join(names[:_PATHS]) + (", …" if len(names) > _PATHS else ""))


def _tell(screen: Screen, finding: Finding) -> None:
    who = f" ({finding.distribution})" if finding.distribution else ""
    screen.line(
        f"{screen.verdict(finding.severity)}  {screen.emphasis(finding.cause)}  "
        f"{_shown(finding.path + who)}"
    )
    screen.line(f"    {_shown(finding.evidence)}")
    screen.line(f"    {_shown(finding.remedy)}")
    if finding.command:
        screen.line(f"    $ {_shown(finding.command)}")
