"""One driver for one target and Python: made, audited, proven as far as can be, stored."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from buildtools import __version__
from buildtools.acquire import (
    AcquiredWheel,
    AcquireError,
    Backend,
    Tools,
    WheelRequest,
    build,
    fetch,
)
from buildtools.acquire.wheelfiles import unpack
from buildtools.configuration import Configuration
from buildtools.errors import BuildtoolsError, CannotLookError, UsageError
from buildtools.findings import Severity
from buildtools.host import (
    Interpreter,
    find_interpreter,
    interpreter_facts,
    require_supported,
    resolve_target,
)
from buildtools.planning import Action
from buildtools.probes import verify
from buildtools.recipes import PureKind, Recipe, derived_recipe, find_recipe, load_recipes
from buildtools.targets import Target, parse_python_tag
from buildtools.wheelhouse import Provenance, StoredWheel, Wheelhouse
from buildtools.wheels import audit

Say = Callable[[str, str, str, float | None], None]
"""``screen.event``: a name, a stage, a detail, and how far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One wheel that is wanted: the driver, where it must run, and the Python that builds it."""

    recipe: Recipe
    version: str | None
    target: Target
    python: Interpreter

    @property
    def name(self) -> str:
        """The driver, with the version that was asked for."""
        return f"{self.recipe.driver}=={self.version}" if self.version else self.recipe.driver


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What became of a cell.

    ``verified`` is ``executed`` (its probe ran on the target), ``static`` (every module was read
    against the target) or empty for a cell that could not be filled, whose ``error`` says why.
    """

    cell: Cell
    stored: StoredWheel | None = None
    backend: str = ""
    bundled: tuple[str, ...] = ()
    verified: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    error: str = ""

    def as_json(self) -> dict[str, object]:
        """One entry of ``wheels``, as the contract has it, or of ``failed``."""
        body: dict[str, object] = {
            "driver": self.cell.recipe.driver,
            "version": self.stored.version if self.stored else self.cell.version,
            "target": self.cell.target.spec,
        }
        if self.stored is None:
            return {**body, "error": self.error, "seconds": round(self.seconds, 3)}
        return {
            **body,
            "path": str(self.stored.path),
            "tags": list(self.stored.name.tags),
            "sha256": self.stored.sha256,
            "backend": self.backend,
            "bundled": list(self.bundled),
            "verified": self.verified,
            "seconds": round(self.seconds, 3),
            "notes": list(self.notes),
        }


def cells(
    drivers: Sequence[str],
    targets: Sequence[str],
    pythons: Sequence[str],
    configuration: Configuration,
) -> tuple[Cell, ...]:
    """Every combination that was asked for; raises :class:`UsageError` for what cannot be."""
    recipes = load_recipes()
    wanted = []
    for word in drivers:
        name, _, version = word.partition("==")
        recipe = find_recipe(recipes, name) or derived_recipe(name, imports=(), native=())
        if recipe.distribution is None:
            raise UsageError(
                f"{name} belongs to the standard library",
                why="there is no wheel of it",
                next_step="ask for pysqlite3, the same module as a distribution",
            )
        for python in _interpreters(pythons):
            for text in targets or ["host"]:
                target = resolve_target(text, configuration.named, python)
                if target.python and target.python.abi != python.abi.abi:
                    other = _interpreter_of(target.python.abi)
                    cell = Cell(recipe=recipe, version=version or None, target=target, python=other)
                else:
                    cell = Cell(
                        recipe=recipe, version=version or None, target=target, python=python
                    )
                if cell not in wanted:
                    wanted.append(cell)
    return tuple(wanted)


def _interpreters(words: Sequence[str]) -> list[Interpreter]:
    if not words:
        return [interpreter_facts()]
    return [
        interpreter_facts(word)
        if "/" in word or not word.startswith("cp")
        else _interpreter_of(word)
        for word in words
    ]


def _interpreter_of(tag: str) -> Interpreter:
    """The machine's interpreter with that ABI: a build backend must run in the very Python."""
    abi = parse_python_tag(tag)
    own = interpreter_facts()
    if own.abi.abi == abi.abi:
        return own
    name = f"python{abi.version}{'t' if abi.free_threaded else ''}"
    try:
        found = interpreter_facts(find_interpreter(name))
    except CannotLookError as error:
        raise UsageError(
            f"there is no {tag} on this machine to build with",
            why=f"no command {name} is on PATH",
            next_step=f"put a Python {abi.version} on PATH, or name one with --python PATH",
        ) from error
    require_supported(found)
    return found


def make(
    cell: Cell, house: Wheelhouse, say: Say, *, backend: str = "auto", offline: bool = False
) -> Made:
    """Fill one cell; what goes wrong is in the result."""
    started = time.monotonic()
    label = f"{cell.name} {cell.target.spec}"

    def on_event(stage: str, detail: str, fraction: float | None) -> None:
        say(label, stage, detail, fraction)

    tools = Tools(python=cell.python, offline=offline, on_event=on_event)
    try:
        acquired = _acquire(cell, tools, backend, offline=offline)
        _refuse_unfit(acquired, cell)
        verified = _prove(acquired, cell)
        stored = house.add(acquired.path, _provenance(acquired, cell, verified))
    except BuildtoolsError as error:
        say(label, "failed", error.what, None)
        return Made(cell=cell, seconds=time.monotonic() - started, error=str(error))
    say(label, "done", stored.path.name, 1.0)
    return Made(
        cell=cell,
        stored=stored,
        backend=acquired.backend,
        bundled=acquired.bundled,
        verified=verified,
        seconds=time.monotonic() - started,
        notes=acquired.notes,
    )


def _acquire(cell: Cell, tools: Tools, backend: str, *, offline: bool) -> AcquiredWheel:
    """The wheel: of the index when ``auto`` finds one that fits, else built."""
    request = WheelRequest(
        distribution=cell.recipe.distribution or cell.recipe.driver,
        version=cell.version,
        target=cell.target,
        python=cell.python,
        offline=offline,
    )
    if backend != "auto":
        return build(request, cell.recipe, tools, backend=Backend(backend))
    why = ""
    try:
        fetched = fetch(request, tools, recipe=cell.recipe)
        why = objections(fetched.path, cell)
        if not why:
            return fetched
    except AcquireError as error:
        why = error.why or error.what
    if cell.recipe.pure is PureKind.ALWAYS:
        raise AcquireError(f"{cell.name} has no wheel", where=cell.target.spec, why=why)
    tools.on_event(Action.BUILD, f"zig, since the index has none that fits: {why}", None)
    return build(request, cell.recipe, tools, backend=Backend.ZIG)


def objections(wheel: Path, cell: Cell) -> str:
    """What a wheel's audit against the target says against it; empty when nothing does."""
    target = cell.target if cell.target.python else cell.target.with_python(cell.python.abi)
    findings = audit(wheel, target, cell.recipe)
    return "; ".join(
        f"{finding.cause}: {finding.evidence}"
        for finding in findings
        if finding.severity is Severity.ERROR
    )


def _refuse_unfit(acquired: AcquiredWheel, cell: Cell) -> None:
    why = objections(acquired.path, cell)
    if why:
        raise AcquireError("the wheel that was made is refused", where=acquired.path.name, why=why)


def _prove(acquired: AcquiredWheel, cell: Cell) -> str:
    """Run the driver's probe where this machine is the target's kind; else the audit stands."""
    home = cell.python.target
    floor = cell.target.libc.version if cell.target.libc else None
    own = home.libc.version if home.libc else None
    if cell.target.same_machine != home.same_machine or (floor and own and floor > own):
        return "static"
    with tempfile.TemporaryDirectory(prefix="buildtools-wheel-") as name:
        unpack(acquired.path, Path(name))
        verdict = verify(cell.recipe, cell.python, path=Path(name))
    if not verdict.ok:
        raise AcquireError(
            "the wheel that was made does not work",
            where=acquired.path.name,
            why=verdict.reason or verdict.status.value,
        )
    return "executed"


def _provenance(acquired: AcquiredWheel, cell: Cell, verified: str) -> Provenance:
    provenance = Provenance(
        driver=cell.recipe.driver,
        target=cell.target.spec,
        python=cell.python.abi.abi,
        backend=acquired.backend.value,
        source=acquired.source,
        tool=__version__,
        bundled=acquired.bundled,
    )
    if verified != "executed":
        return provenance
    return replace(provenance, proven=(cell.python.target.spec,))
