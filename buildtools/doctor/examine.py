"""The examination: every native file of a tree, judged for a target without importing anything."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace

from buildtools.doctor.context import ALONE, Beside, Context
from buildtools.doctor.driverchecks import DriverChecks
from buildtools.doctor.modules import ModuleJudge
from buildtools.doctor.provenance import (
    Copy,
    copies,
    native_imports,
    provider,
    shadow_finding,
    top_level_owners,
)
from buildtools.doctor.records import record_findings, tag_finding
from buildtools.doctor.report import Provider, Report, Scanned
from buildtools.environment import NativeFile, PlaceKind, Tree, TreeKind
from buildtools.environment.collector import collector_paused
from buildtools.findings import Cause, Finding, Severity
from buildtools.host import Interpreter
from buildtools.recipes import Recipe, find_recipe
from buildtools.targets import Target

_SEARCHED = frozenset({TreeKind.INTERPRETER, TreeKind.VENV})
"""Trees whose places are one search path."""

_LIBRARY = re.compile(r" needs lib([A-Za-z_]{3,}?)[-.\d]*\.(?:so|dylib)\b")
"""A library's bare name in the words of a missing one."""
_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


def examine(
    tree: Tree,
    target: Target,
    recipes: Mapping[str, Recipe],
    *,
    host: Interpreter | None = None,
    library_path: str = "",
    again: str = "",
    started: float | None = None,
    beside: Beside = ALONE,
) -> Report:
    """Judge a tree for a target.

    ``host`` is an interpreter of this machine (by default the tree's own): when it is of the
    target's platform, this machine's libraries count, with ``library_path``
    (``LD_LIBRARY_PATH``); else only what is in the tree and what the target is known to have.
    ``beside`` is what is installed with this tree: the other wheels of a set. ``again`` is put
    behind the commands of findings, such as ``--python PATH``. ``started`` is a
    ``time.perf_counter()`` from which the seconds are counted. Raises
    :class:`buildtools.errors.CannotLookError` for an archive that turns out damaged.
    """
    started = time.perf_counter() if started is None else started
    with collector_paused():
        context = Context(
            tree,
            target,
            recipes,
            host=tree.interpreter if host is None else host,
            library_path=library_path,
            again=again,
            beside=beside,
        )
        return _report(context, started)


def _report(context: Context, started: float) -> Report:
    """Everything in order: files, distributions, drivers, and who provides what."""
    findings, modules = _files(context)
    findings = _one_of_many(context, findings)
    findings += _distributions(context, findings)
    checks = DriverChecks(context)
    findings += checks.findings()
    providers, shadows, hidden = _providers(context, checks.imports())
    findings = [*(_eased(finding, hidden) for finding in findings), *shadows]
    findings += _venvs(context.tree)
    return Report(
        target=context.target,
        scanned=Scanned(
            modules=modules,
            bytes=context.facts.bytes,
            seconds=round(time.perf_counter() - started, 6),
        ),
        findings=tuple(
            sorted(dict.fromkeys(findings), key=lambda one: (_ORDER[one.severity], one.path))
        ),
        providers=providers,
    )


def _files(context: Context) -> tuple[list[Finding], int]:
    """The findings of every file, read in the order that is cheapest, and their number."""
    judge = ModuleJudge(context)
    judged = [module for module in context.tree.modules if module.place.judged]
    if not context.tree.files.on_disk:
        judged.sort(key=lambda module: context.tree.files.order(module.path))
    findings: list[Finding] = []
    for module in judged:
        findings += judge.findings(module)
    return findings, len(judged)


def _one_of_many(context: Context, findings: list[Finding]) -> list[Finding]:
    """A missing library of few modules among many that load may be meant: a warning then.

    Packages carry modules for what not everyone has installed, and try the import. Where most of a
    distribution's modules lack the library, or a recipe knows it, it is an error.
    """
    lacking: dict[str, set[str]] = {}
    for one in findings:
        if one.cause is Cause.MISSING_LIBRARY and one.severity is Severity.ERROR:
            lacking.setdefault(one.distribution, set()).add(one.path)
    if not lacking:
        return findings
    few: dict[str, NativeFile] = {}
    for name, paths in lacking.items():
        modules = [
            module
            for module in context.tree.modules
            if module.dotted and module.distribution and module.distribution.name == name
        ]
        known = bool(modules) and context.recipe_of(modules[0].distribution) is not None
        if not known and 2 * len(paths) < len(modules):
            few |= {module.shown: module for module in modules if module.shown in paths}
    return [
        replace(one, severity=Severity.INFO if _wraps(few[one.path], one) else Severity.WARNING)
        if one.cause is Cause.MISSING_LIBRARY and one.severity is Severity.ERROR and one.path in few
        else one
        for one in findings
    ]


def _wraps(module: NativeFile, finding: Finding) -> bool:
    """Whether a module is named for the library that it lacks, as ``tbbpool`` for ``libtbb.so``.

    Such a module is there for those who have that library, and for nothing else.
    """
    wanted = _LIBRARY.search(finding.evidence)
    return wanted is not None and wanted[1].lower() in module.dotted.rpartition(".")[2].lower()


def _distributions(context: Context, known: Iterable[Finding]) -> list[Finding]:
    """Whether RECORD and WHEEL tell the truth, for every distribution with native files."""
    broken = {one.distribution for one in known if one.severity is Severity.ERROR}
    judged = {place.path: place for place in context.tree.places if place.judged}
    findings: list[Finding] = []
    wheel = context.tree.kind is TreeKind.WHEEL
    for distribution in context.tree.distributions:
        place = judged.get(distribution.site)
        if place is None or not (distribution.natives or wheel):
            continue
        shown = context.site_prefix(distribution.site)
        found = record_findings(distribution, context.tree.files, shown)
        tag = tag_finding(
            distribution,
            context.target_of(place.python),
            shown,
            broken=distribution.name in broken,
            installed=not wheel,
            named=_tag_of(context.tree.root) if wheel else "",
        )
        if tag is not None:
            found.append(tag)
        command = context.command(distribution)
        findings += [replace(one, command=command) for one in found]
    return findings


def _tag_of(path: str) -> str:
    """The tag at the end of a wheel's file name (PEP 427); empty where it has none."""
    parts = path.rpartition("/")[2].removesuffix(".whl").split("-")
    return "-".join(parts[-3:]) if len(parts) in {5, 6} else ""


def _providers(
    context: Context, wanted: Iterable[str]
) -> tuple[tuple[Provider, ...], list[Finding], dict[str, str]]:
    """Who provides each import with native code, what is hidden, and by what.

    The last is for every hidden copy's file or folder, as it is shown, the copy that hides it.
    """
    owners = top_level_owners(context.tree)
    providers: list[Provider] = []
    findings: list[Finding] = []
    hidden: dict[str, str] = {}
    for name in dict.fromkeys((*wanted, *native_imports(context.tree))):
        found = copies(name, context.tree, owners, context.suffixes_of)
        if not found:
            continue
        if context.tree.kind not in _SEARCHED:
            found = found[:1]  # an artefact's folders are not searched one after the other
        shown = {copy.path: _shown(context, copy) for copy in found}
        providers.append(provider(name, found, shown))
        broken = {copy.path: sum(copy.holds(path) for path in context.errors) for copy in found}
        finding = shadow_finding(name, found, broken, shown, _mend(context, name, found))
        if finding is not None:
            findings.append(finding)
        for copy in found[1:]:
            hidden[_shown(context, copy, copy.root)] = shown[found[0].path]
    return tuple(sorted(providers, key=lambda one: one.name)), findings, hidden


def _mend(context: Context, name: str, found: Iterable[Copy]) -> str:
    """The command for the driver of that name, by the distribution of a copy or by recipe."""
    for copy in found:
        if copy.place.kind is PlaceKind.PYTHONPATH:
            return ""  # no command of this tool changes the variable
        if copy.distribution:
            recipe = find_recipe(context.recipes, copy.distribution)
            return context.command_for(recipe.driver if recipe else copy.distribution)
    for recipe in context.recipes.values():
        if recipe.distribution and name in recipe.imports:
            return context.command_for(recipe.driver)
    return ""


def _eased(finding: Finding, hidden: Mapping[str, str]) -> Finding:
    """What is wrong with a hidden copy is worth knowing, and no more: nothing imports it."""
    if finding.severity is Severity.INFO or not hidden:
        return finding
    for root, by in hidden.items():
        if finding.path == root or finding.path.startswith(f"{root}/"):
            evidence = f"{finding.evidence} (hidden by {by}, so not imported)"
            return replace(finding, severity=Severity.INFO, evidence=evidence)
    return finding


def _shown(context: Context, copy: Copy, path: str = "") -> str:
    prefix = f"{copy.place.path}/" if copy.place.path else ""
    return context.site_prefix(copy.place.path) + (path or copy.path).removeprefix(prefix)


def _venvs(tree: Tree) -> list[Finding]:
    """Virtual environments that were committed or packed: they run where they were made."""
    return [
        Finding(
            cause=Cause.WHEEL_TAG_MISMATCH,
            severity=Severity.INFO,
            path=venv.removeprefix(f"{tree.root}/") or venv,
            evidence="found a virtual environment in the artefact",
            remedy="Leave it out of the repository and make it anew on the target.",
        )
        for venv in tree.committed_venvs
    ]
