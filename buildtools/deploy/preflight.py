"""Before the push: what of a checkout or zip would not work on the target, beside its modules.

Nothing is run but ``git check-ignore``, and that only where a work tree holds what git has not.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from buildtools.archives.files import join
from buildtools.deploy.gitindex import Repository, repository_of
from buildtools.deploy.lambda_layers import NAME as LAMBDA
from buildtools.deploy.lambda_layers import layer_findings
from buildtools.deploy.locked_files import locked_findings
from buildtools.deploy.locks import lock_name
from buildtools.deploy.service_python import (
    Stated,
    Where,
    deployed_parts,
    python_findings,
    render_table,
    stated_pythons,
)
from buildtools.deploy.service_roots import Part
from buildtools.doctor import Report
from buildtools.environment import NativeFile, PlaceKind, Tree, TreeKind, normalized, scan
from buildtools.findings import Cause, Finding, Severity
from buildtools.targets import PythonAbi, Target, extension_suffixes, marker_environment

SERVICE = "render"
"""The name of the target that goes by git push."""

_TREES = frozenset({TreeKind.FOLDER, TreeKind.ARCHIVE})
_LOCK = re.compile(r"(?:linux|darwin)-.+-cp\d+t?d?\.txt")
_PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==", re.MULTILINE)
_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
_SHOWN = 3
"""Names that one finding lists."""


def project_root(tree: Tree) -> str:
    """Where the project stands in a tree, as its ``files`` take it.

    That is the folder itself, and in an archive its root, or the one folder that it holds.
    """
    if tree.files.on_disk:
        return tree.root
    top = tree.files.names("")
    return next(iter(top)) if len(top) == 1 and tree.files.names(next(iter(top))) else ""


def parts(tree: Tree, target: Target) -> tuple[tuple[Tree, Part | None], ...]:
    """What of a tree is deployed, each with the service's part of the Blueprint.

    A checkout whose ``render.yaml`` has services in folders of their own (``rootDir``) is as many
    trees: each has the files below its folder and no others. Everything else is one, as it is.
    """
    if target.name != SERVICE or tree.kind is not TreeKind.FOLDER:
        return ((tree, None),)
    found = deployed_parts(tree.files, tree.root)
    return tuple((_tree_of(tree, part), part) for part in found)


def _tree_of(tree: Tree, part: Part) -> Tree:
    if part.folder:
        return scan(Path(tree.root, part.folder), outside=False)
    if not part.others:
        return tree
    elsewhere = tuple(f"{tree.root}/{folder}/" for folder in part.others)
    return replace(
        tree,
        places=tuple(one for one in tree.places if not f"{one.path}/".startswith(elsewhere)),
        modules=tuple(one for one in tree.modules if not one.path.startswith(elsewhere)),
        distributions=tuple(
            one for one in tree.distributions if not one.info.startswith(elsewhere)
        ),
        committed_venvs=tuple(
            one for one in tree.committed_venvs if not f"{one}/".startswith(elsewhere)
        ),
    )


def target_for(asked: Target, written: str, tree: Tree, part: Part | None = None) -> Target:
    """The target with the Python that the tree states, where ``written`` names none.

    ``render`` alone counts as naming none: its Python is the service's default, which
    ``PYTHON_VERSION`` and ``.python-version`` change. ``runtime.txt`` counts elsewhere only.
    """
    if tree.kind not in _TREES or (asked.python is not None and written != SERVICE):
        return asked
    for stated in stated_pythons(tree.files, project_root(tree), part):
        if stated.where is Where.RUNTIME and asked.name == SERVICE:
            continue
        if stated.abi is not None:
            suffixes = extension_suffixes(asked, stated.abi)
            return asked.with_python(replace(stated.abi, ext_suffixes=suffixes))
    return asked


def preflight(tree: Tree, report: Report, part: Part | None = None) -> Report:
    """The report of a tree that is to be deployed, with what else is wrong with it.

    Of any target's tree its locks and requirements are read. What goes to Render goes by git: what
    git ignores is not deployed, and findings about it become ``info``. Reports of environments and
    wheels are given back as they are.
    """
    if tree.kind not in _TREES:
        return report
    started = time.perf_counter()
    if report.target.name == SERVICE:
        if part is None:
            part = Part(services=deployed_parts(tree.files, project_root(tree))[0].services)
        flight = _Flight(tree=tree, target=report.target, repository=_repository(tree), part=part)
        findings = flight.findings(report.findings)
    else:
        locked = locked_findings(tree.files, project_root(tree), (), report.target)
        findings = [*report.findings, *locked]
        if report.target.name == LAMBDA:
            findings += layer_findings(tree, report.target.python)
    seconds = report.scanned.seconds + time.perf_counter() - started
    return replace(
        report,
        scanned=replace(report.scanned, seconds=round(seconds, 6)),
        findings=tuple(
            sorted(dict.fromkeys(findings), key=lambda one: (_ORDER[one.severity], one.path))
        ),
    )


def _repository(tree: Tree) -> Repository | None:
    return repository_of(Path(tree.root)) if tree.kind is TreeKind.FOLDER else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flight:
    """One tree on its way: what is there, and what git has of it."""

    tree: Tree
    target: Target
    repository: Repository | None
    part: Part

    @property
    def root(self) -> str:
        return project_root(self.tree)

    @property
    def python(self) -> PythonAbi | None:
        return self.target.python

    def findings(self, known: Iterable[Finding]) -> list[Finding]:
        """Everything: what was known, told anew where git says more, and what comes to it."""
        venvs = tuple(self._relative(venv) for venv in self.tree.committed_venvs)
        known = [one for one in known if not _is_venv_note(one, venvs)]
        modules = self._loose_modules(venvs, {one.path for one in known})
        left_out = self._left_out([*venvs, *modules, *(one.path for one in known)])
        table = render_table(self.tree.files, self.root)
        found = [_eased(one) if one.path in left_out else one for one in known]
        found += [self._venv(venv, ignored=venv in left_out) for venv in venvs]
        found += self._modules([path for path in modules if path not in left_out])
        found += self._locks()
        named = (*_texts(table.get("requirements")), *self.part.requirements)
        found += locked_findings(self.tree.files, self.root, named, self.target)
        found += python_findings(self._stated(), uses_hook=bool(table))
        return found

    def _stated(self) -> tuple[Stated, ...]:
        return stated_pythons(self.tree.files, self.root, self.part)

    def _relative(self, path: str) -> str:
        return path.removeprefix(f"{self.tree.root}/") if self.tree.files.on_disk else path

    def _left_out(self, paths: Iterable[str]) -> frozenset[str]:
        return self.repository.left_out(paths) if self.repository is not None else frozenset()

    def _in_git(self, path: str) -> str:
        """What git says of a path, in words."""
        if self.repository is None:
            return "in the tree"
        if self.repository.tracks(path):
            return "in git"
        return "not in git, and not ignored either"

    def _venv(self, venv: str, *, ignored: bool) -> Finding:
        """A virtual environment that goes along; its modules have findings of their own."""
        files, folder = self.tree.files, join(self.tree.root, venv)
        if not files.on_disk:
            folder = venv
        lines = files.text(join(folder, "pyvenv.cfg")).splitlines()
        settings = {
            key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)
        }
        made = settings.get("version") or settings.get("version_info") or "an unknown version"
        home = settings.get("home", "a folder that it does not name")
        evidence = f"found a virtual environment made by Python {made} of {home}, "
        if "conda-meta" in files.names(folder):
            evidence = "found an environment of conda's, "
        if ignored:
            severity, rest = Severity.INFO, "which git ignores: it is not deployed"
        elif self.repository is not None and not self.repository.tracks(venv):
            severity, rest = Severity.WARNING, "not in git, but not ignored either"
        else:
            severity, rest = Severity.WARNING, f"{self._in_git(venv)}: it runs where it was made"
            if venv.rpartition("/")[2] == ".venv" and "/" not in venv:
                rest += ", and lies where Render makes its own"
        return Finding(
            cause=Cause.WHEEL_TAG_MISMATCH,
            severity=severity,
            path=venv,
            evidence=evidence + rest,
            remedy="Take it out of the repository, name it in .gitignore, and make it anew there.",
            command="" if severity is Severity.INFO else _removal(venv, self.repository),
        )

    def _loose_modules(self, venvs: tuple[str, ...], judged: set[str]) -> list[str]:
        """Native modules among the sources, which nothing installed and which would load."""
        if self.tree.kind is not TreeKind.FOLDER:
            return []  # what was built into a zip belongs there
        return [
            module.shown
            for module in self.tree.modules
            if _is_loose(module)
            and module.shown not in judged
            and not any(module.shown.startswith(f"{venv}/") for venv in venvs)
        ]

    def _modules(self, paths: list[str]) -> Iterator[Finding]:
        """One finding for each folder: worth knowing, since they fit one Python and machine."""
        folders: dict[str, list[str]] = {}
        for path in paths:
            folder, _, name = path.rpartition("/")
            folders.setdefault(folder, []).append(name)
        for folder, unsorted in folders.items():
            names = sorted(unsorted)
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            first = join(folder, names[0])
            yield Finding(
                cause=Cause.ABI_MISMATCH,
                severity=Severity.INFO,
                path=folder or names[0],
                evidence=f"found native modules {self._in_git(first)}: "
                f"{', '.join(names[:_SHOWN])}{more}",
                remedy="They fit one machine and often one Python: build them there instead.",
            )

    def _locks(self) -> Iterator[Finding]:
        """Locks of which none is the target's, named files that are absent, and stale locks."""
        files = self.tree.files
        for name in _texts(render_table(files, self.root).get("requirements")):
            folder, _, file = name.rpartition("/")
            if file not in files.names(join(self.root, folder) if folder else self.root):
                yield self._lock_finding(
                    name, Severity.ERROR, "[tool.buildtools.render] names it, and it is not there"
                )
        if self.python is None:
            return
        wanted = lock_name(self.target)
        locks = sorted(
            name for name in files.names(join(self.root, "locks")) if _LOCK.fullmatch(name)
        )
        if locks and wanted not in locks:
            found = ", ".join(locks[:_SHOWN]) + (", …" if len(locks) > _SHOWN else "")
            yield self._lock_finding(
                "locks", Severity.WARNING, f"found {found}; {self.target.spec} requires {wanted}"
            )
        elif locks:
            absent = self._unlocked(files.text(join(self.root, f"locks/{wanted}")))
            if absent:
                evidence = f"requirements.in asks for {', '.join(absent)}, not locked here"
                yield self._lock_finding(f"locks/{wanted}", Severity.WARNING, evidence)

    def _unlocked(self, lock: str) -> list[str]:
        """Requirements of ``requirements.in`` that hold on the target and are not in its lock."""
        text = self.tree.files.text(join(self.root, "requirements.in"))
        if not text or self.python is None:
            return []
        from packaging.requirements import InvalidRequirement, Requirement

        locked = {normalized(name) for name in _PIN.findall(lock)}
        environment = marker_environment(self.target, f"{self.python.version}.99")
        absent = []
        for line in text.splitlines():
            try:
                wanted = Requirement(re.sub(r"(?:^|\s)#.*", "", line).strip())
            except InvalidRequirement:
                continue  # empty, an option or a path: pip-tools knows
            holds = wanted.marker is None or wanted.marker.evaluate({**environment, "extra": ""})
            if holds and normalized(wanted.name) not in locked:
                absent.append(wanted.name)
        return absent

    def _lock_finding(self, path: str, severity: Severity, evidence: str) -> Finding:
        return Finding(
            cause=Cause.NO_MATCHING_DISTRIBUTION,
            severity=severity,
            path=path,
            evidence=evidence,
            remedy="Lock for the target, and commit the lock.",
            command=f"buildtools lock --target {self.target.spec}",
        )


def _is_venv_note(finding: Finding, venvs: tuple[str, ...]) -> bool:
    return (
        finding.cause is Cause.WHEEL_TAG_MISMATCH
        and finding.severity is Severity.INFO
        and not finding.distribution
        and finding.path in venvs
    )


def _is_loose(module: NativeFile) -> bool:
    return (
        module.place.kind is PlaceKind.FOLDER
        and module.distribution is None
        and module.dotted != ""
    )


def _eased(finding: Finding) -> Finding:
    evidence = f"{finding.evidence} (git ignores it, so it is not deployed)"
    return replace(finding, severity=Severity.INFO, evidence=evidence)


def _removal(venv: str, repository: Repository | None) -> str:
    import shlex

    if repository is None or not repository.tracks(venv):
        return ""
    return f"git rm -r --cached --quiet -- {shlex.quote(venv)}"


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(item for item in value if isinstance(item, str))
