"""One driver for one target and Python: made, audited, proven as far as can be, stored."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from buildtools import __version__
from buildtools.acquire import (
    AcquiredWheel,
    AcquireError,
    Ahead,
    Backend,
    LibraryWay,
    OnEvent,
    Tools,
    WheelRequest,
    build,
    fetch,
)
from buildtools.acquire.floors import higher_floor
from buildtools.commands.wheel_asked import Cell
from buildtools.commands.wheel_versions import PassedOver, UnfitVersionError
from buildtools.deploy.matrix import runner_job
from buildtools.errors import BuildtoolsError
from buildtools.findings import Cause, Severity
from buildtools.host import Interpreter
from buildtools.planning import Action
from buildtools.proving import Proof, Proven, fetch_place, hosted_python, prove, read_only
from buildtools.recipes import PureKind, load_recipes
from buildtools.wheelhouse import (
    MISSING,
    CellRecord,
    Provenance,
    StoredWheel,
    Wheelhouse,
    note_cell,
)
from buildtools.wheels import audit

Say = Callable[[str, str, str, float | None], None]
"""``screen.event``: a name, a stage, a detail, and how far."""

_VERSIONS_TRIED = 4

STAGES = ("fetch", "tools", "packages", "source", "libraries", "build", "repair", "proof")
"""What a cell goes through, in this order; :data:`OnEvent` names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What became of a cell.

    ``proof`` says how far it was proven; None for a cell that could not be filled, whose ``error``
    says why. ``runner`` names the job of CI that executes it, where this machine cannot.
    """

    cell: Cell
    stored: StoredWheel | None = None
    backend: str = ""
    libraries: str = ""
    bundled: tuple[str, ...] = ()
    linked: tuple[str, ...] = ()
    proof: Proof | None = None
    runner: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    error: str = ""
    log: Path | None = None

    @property
    def verified(self) -> str:
        """``executed``, ``static`` or ``runner``; empty for a cell that could not be filled."""
        return self.proof.word.value if self.proof is not None else ""

    def as_json(self) -> dict[str, object]:
        """One entry of ``wheels``, as the contract has it, or of ``failed``."""
        body: dict[str, object] = {
            "driver": self.cell.recipe.driver,
            "version": self.stored.version if self.stored else self.cell.version,
            "target": self.cell.target.spec,
        }
        if self.stored is None or self.proof is None:
            return {**body, "error": self.error, "seconds": round(self.seconds, 3)}
        return {
            **body,
            "path": str(self.stored.path),
            "tags": list(self.stored.name.tags),
            "sha256": self.stored.sha256,
            "backend": self.backend,
            "libraries": self.libraries,
            "bundled": list(self.bundled),
            "linked": list(self.linked),
            "verified": self.verified,
            "proof": {
                "how": self.proof.how,
                "place": self.proof.place,
                "checks": self.proof.checks,
                "reason": self.proof.reason,
            },
            "runner": self.runner,
            "log": str(self.stored.log) if self.stored.log.is_file() else None,
            "seconds": round(self.seconds, 3),
            "notes": list(self.notes),
        }

    def record(self) -> CellRecord:
        """The same for the store and its page."""
        target = self.cell.target
        return CellRecord(
            driver=self.cell.recipe.driver,
            target=replace(target, python=None).spec,
            python=target.python.abi if target.python else "",
            state=self.verified or MISSING,
            version=self.stored.version if self.stored else self.cell.version or "",
            how=self.proof.how if self.proof else "",
            reason=self.proof.reason if self.proof else " ".join(self.error.split()),
            runner=self.runner,
            sha256=self.stored.sha256 if self.stored else "",
            filename=self.stored.path.name if self.stored else "",
            backend=self.backend,
            bundled=self.bundled,
            notes=self.notes,
            seconds=round(self.seconds, 1),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How cells are made: the way to build, whether the index may be asked, how far to prove.

    ``proof`` is ``full``, ``quick`` (nothing is compiled for it) or ``static`` (nothing is run).
    ``libraries`` and ``end_of_life`` say what a build may link to: see ``WheelRequest``.
    """

    backend: str = "auto"
    offline: bool = False
    proof: str = "full"
    libraries: LibraryWay = LibraryWay.AUTO
    end_of_life: bool = False
    cache: Path | None = None


def make(cell: Cell, house: Wheelhouse, say: Say, how: How) -> Made:
    """Fill one cell and write down what became of it; what goes wrong is in the result."""
    started = time.monotonic()
    made = _made(cell, house, say, how)
    made = replace(made, seconds=time.monotonic() - started)
    try:
        note_cell(house.root, made.record(), log=made.log)
    except BuildtoolsError as error:
        if made.error:
            return made
        return replace(made, notes=(*made.notes, str(error)))
    return made


def _made(cell: Cell, house: Wheelhouse, say: Say, how: How) -> Made:
    label = cell.label
    tell = _teller(label, say)
    try:
        python = _python_of(cell, how, tell)
        work = _Work(cell=cell, python=python, how=how, tools=_tools(python, how, tell))
        acquired, proof = work.wheel()
        stored = house.add(acquired.path, _provenance(acquired, cell, proof), log=acquired.log)
        if proof.word is Proven.EXECUTED:
            house.note_proven(stored, proof.place)
    except BuildtoolsError as error:
        say(label, "failed", error.what, None)
        return Made(cell=cell, error=str(error), log=getattr(error, "log", None))
    say(label, proof.word.value, f"{stored.path.name}, {proof.how}", 1.0)
    return Made(
        cell=cell,
        stored=stored,
        backend=acquired.backend,
        libraries=acquired.libraries,
        bundled=acquired.bundled,
        linked=acquired.linked,
        proof=proof,
        runner="" if proof.word is Proven.EXECUTED else runner_job(cell.target),
        notes=acquired.notes,
    )


def _python_of(cell: Cell, how: How, tell: OnEvent) -> Interpreter:
    """The cell's Python: of this machine, else unpacked.

    Where there is none, the tool's own stands in: a wheel of the index needs no more than a pip to
    be had, and its words to be read. Raises :class:`AcquireError` where nothing but a build is
    wanted.
    """
    tools = _tools(cell.python, how, tell)
    if cell.python is not None:
        return cell.python
    try:
        return hosted_python(tools, cell.abi)
    except AcquireError:
        if how.backend != "auto":
            raise
        return tools.interpreter


def _tools(python: Interpreter | None, how: How, tell: OnEvent) -> Tools:
    given = {} if how.cache is None else {"cache": how.cache}
    return Tools(python=python, offline=how.offline, on_event=tell, **given)


def _teller(label: str, say: Say) -> OnEvent:
    """Progress of one cell: how far it is follows from its stage, which only ever advances."""
    furthest = 0.0

    def tell(stage: str, detail: str, fraction: float | None) -> None:
        nonlocal furthest
        if stage in STAGES:
            step = STAGES.index(stage)
            furthest = max(furthest, (step + (fraction or 0.0)) / len(STAGES))
            detail = f"[{step + 1}/{len(STAGES)}] {detail}"
        say(label, stage, detail, furthest)

    return tell


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """One cell in the making."""

    cell: Cell
    python: Interpreter
    how: How
    tools: Tools

    def wheel(self) -> tuple[AcquiredWheel, Proof]:
        """The wheel with its proof; raises :class:`AcquireError`.

        A version of the index that does not work there makes way for the one before it, unless one
        was asked for: newest is not a version that anybody chose.
        """
        bound = ""
        passed = PassedOver()
        for _ in range(_VERSIONS_TRIED):
            try:
                acquired = self._acquire(bound)
            except UnfitVersionError as error:
                passed.unfit(error)
                bound = f"<{error.version}"
                continue
            except AcquireError as error:
                if passed.notes:
                    error.why = "; ".join((*passed.notes, error.why or error.what))
                if self.cell.recipe.derived and not error.next_step:
                    error.next_step = f"drivers with a recipe are {', '.join(load_recipes())}"
                raise
            self._refuse_unfit(acquired)
            try:
                proof = self._prove(acquired)
            except AcquireError as error:
                if self.cell.version or acquired.backend is not Backend.INDEX:
                    error.log = error.log or acquired.log
                    raise
                passed.note("{} does not work there", error.why, acquired.version)
                bound = f"<{acquired.version}"
            else:
                return replace(acquired, notes=(*passed.notes, *acquired.notes)), proof
        raise AcquireError(
            f"none of the {_VERSIONS_TRIED} newest versions works there",
            where=self.cell.label,
            why="; ".join((*passed.notes, *passed.not_built)),
            next_step=passed.next_step or f"name a version, such as {self.cell.recipe.driver}==X",
        )

    def _refuse_unfit(self, acquired: AcquiredWheel) -> None:
        why = objections(acquired.path, self.cell)
        if why:
            raise AcquireError(
                "the wheel that was made is refused",
                where=acquired.path.name,
                why=why,
                log=acquired.log,
            )

    def _request(self, bound: str) -> WheelRequest:
        recipe = self.cell.recipe
        return WheelRequest(
            distribution=recipe.distribution or recipe.driver,
            version=self.cell.version,
            specifier=",".join(filter(None, (recipe.versions, bound))) if bound else "",
            target=self.cell.target,
            python=self.python,
            offline=self.how.offline,
            libraries=self.how.libraries,
            end_of_life=self.how.end_of_life,
        )

    def _acquire(self, bound: str) -> AcquiredWheel:
        """The wheel: of the index when ``auto`` finds one that fits, else built.

        Raises :class:`UnfitVersionError` where neither works for this version and an older one of
        the index may; else :class:`AcquireError`, which also says what the index had.
        """
        cell, request = self.cell, self._request(bound)
        if self.how.backend != "auto":
            return self._build(request, Backend(self.how.backend))
        unfit = ""
        try:
            fetched = fetch(request, self.tools, recipe=cell.recipe)
            why = objections(fetched.path, cell)
            if not why:
                return fetched
            unfit = fetched.version
        except AcquireError as error:
            if error.cause is Cause.NO_SPACE:
                raise  # a build would only fail later, and of something else
            why = error.why or error.what
        if cell.recipe.pure is PureKind.ALWAYS:
            raise AcquireError(f"{cell.name} has no wheel", where=cell.target.spec, why=why)
        said = f"zig, since the index has none that fits: {why}"
        self.tools.on_event(Action.BUILD, said, None)
        try:
            return self._build(request, Backend.ZIG)
        except AcquireError as error:
            if unfit and not cell.version:
                raise UnfitVersionError(unfit, why, error) from error
            error.why = "; ".join(filter(None, (error.why, f"and of the index: {why}")))
            ways = [error.next_step, self._for_less(request)]
            if cell.recipe.alternative and not error.next_step:
                ways.append(f"{cell.recipe.alternative} can stand in for it there")
            error.next_step = "; or ".join(filter(None, ways))
            raise

    def _for_less(self, request: WheelRequest) -> str:
        """The newer place that the index has a wheel for; empty where there is none."""
        try:
            place, version = higher_floor(request, self.tools, recipe=self.cell.recipe)
        except BuildtoolsError:
            return ""
        if place == request.place:
            return ""
        return f"the index has {version} for --target {place.spec}"

    def _build(self, request: WheelRequest, backend: Backend) -> AcquiredWheel:
        """The wheel from source; what its proof will want is fetched while it is compiled."""
        if self.python.abi.abi != self.cell.abi.abi:
            request = replace(request, python=hosted_python(self.tools, self.cell.abi))
        with Ahead() as ahead:
            if self.how.proof != "static":
                ahead.start(lambda: fetch_place(self.cell.target, self.python, self.tools))
            return build(request, self.cell.recipe, self.tools, backend=backend)

    def _prove(self, acquired: AcquiredWheel) -> Proof:
        if self.how.proof == "static":
            return read_only("running it was not asked for")
        return prove(
            acquired.path,
            self.cell.recipe,
            self.cell.target,
            self.python,
            self.tools,
            compiling=self.how.proof == "full",
        )


def objections(wheel: Path, cell: Cell) -> str:
    """What a wheel's audit against the target says against it; empty when nothing does."""
    findings = audit(wheel, cell.target, cell.recipe)
    said = (
        f"{finding.cause}: {finding.evidence}"
        for finding in findings
        if finding.severity is Severity.ERROR
    )
    return "; ".join(dict.fromkeys(said))


def _provenance(acquired: AcquiredWheel, cell: Cell, proof: Proof) -> Provenance:
    return Provenance(
        driver=cell.recipe.driver,
        target=cell.target.spec,
        python=cell.abi.abi,
        backend=acquired.backend.value,
        source=acquired.source,
        tool=__version__,
        bundled=acquired.bundled,
        proven=(proof.place,) if proof.word is Proven.EXECUTED else (),
    )
