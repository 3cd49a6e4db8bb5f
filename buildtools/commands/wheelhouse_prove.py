"""Every cell of a store tried on this machine, such as a runner of CI with another's wheels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from buildtools.acquire import AcquireError, Tools
from buildtools.errors import BuildtoolsError
from buildtools.host import Interpreter, interpreter_of
from buildtools.proving import Proof, Proven, prove
from buildtools.recipes import Recipe, derived_recipe, find_recipe, load_recipes
from buildtools.report import Screen
from buildtools.targets import Target, parse_target
from buildtools.wheelhouse import CellRecord, StoredWheel, Wheelhouse, note_cell, read_cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One cell that was tried here: its record as it stands now, or the error."""

    record: CellRecord
    error: str = ""

    def as_json(self) -> dict[str, object]:
        """One entry of ``tried`` in the document."""
        record = self.record
        return {
            "driver": record.driver,
            "target": f"{record.target}/{record.python}",
            "filename": record.filename,
            "verified": "" if self.error else record.state,
            "how": record.how,
            "error": self.error,
        }


def prove_all(house: Wheelhouse, screen: Screen, *, runner: str = "") -> tuple[Tried, ...]:
    """Try every cell that a Python of this machine can load, and write down what came of it.

    ``runner`` names the job of CI that this is: it runs what is of its own kind, without an
    emulator, and what it runs is marked so.
    """
    stored = {one.sha256: one for one in house.wheels()}
    recipes = load_recipes()
    tried = []
    for record, target, python in _here(house):
        wheel = stored.get(record.sha256)
        if wheel is None or (runner and target.same_machine != python.target.same_machine):
            continue
        recipe = find_recipe(recipes, record.driver) or derived_recipe(
            record.driver, imports=(), native=()
        )
        try:
            proof = _proof(recipe, target, python, wheel, screen)
        except AcquireError as error:
            tried.append(Tried(record=record, error=error.why or error.what))
            continue
        if proof.word is not Proven.EXECUTED:
            continue  # nothing new: what was read before was read then
        house.note_proven(wheel, proof.place)
        state = Proven.RUNNER if runner else proof.word
        known = replace(record, state=state.value, how=proof.how, reason="", runner=runner)
        tried.append(Tried(record=note_cell(house.root, replace(known, created=0))))
    return tuple(tried)


def _here(house: Wheelhouse) -> Iterator[tuple[CellRecord, Target, Interpreter]]:
    """The cells that can be tried with an interpreter of this machine's own."""
    for record in read_cells(house.root):
        try:
            target = parse_target(f"{record.target}/{record.python}", {})
            python = interpreter_of(target.python) if target.python is not None else None
        except BuildtoolsError:
            continue
        if python is not None:
            yield record, target, python


def _proof(
    recipe: Recipe, target: Target, python: Interpreter, wheel: StoredWheel, screen: Screen
) -> Proof:
    label = f"{recipe.driver} {target.spec}"

    def tell(stage: str, detail: str, fraction: float | None) -> None:
        screen.event(label, stage, detail, fraction)

    tools = Tools(python=python, on_event=tell)
    try:
        proof = prove(wheel.path, recipe, target, python, tools)
    except AcquireError as error:
        screen.event(label, "failed", error.why or error.what)
        raise
    screen.event(label, proof.word.value, proof.how, 1.0)
    return proof
