"""The proof of one wheel: its driver's probe, run where the target's binaries run, or the audit."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from buildtools.acquire import AcquireError, Tools
from buildtools.acquire.dependencies import unpack_with_dependencies
from buildtools.host import Interpreter
from buildtools.probes import Dsn, Verdict, verify
from buildtools.proving.places import NoPlaceError, Place, find_place
from buildtools.recipes import Recipe
from buildtools.targets import Target


class Proven(StrEnum):
    """How far a wheel is proven; public, three different words in every report."""

    EXECUTED = "executed"
    """The driver's probe ran in it, on this machine: in place or under an emulator."""
    STATIC = "static"
    """Every module of it was read and held against the target; nothing of it was run."""
    RUNNER = "runner"
    """The driver's probe ran in it on a machine of the target's kind, in a job of CI."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How far, and how: ``how`` says where the probe ran, ``place`` is that place's target spec.

    ``reason`` says why it went no further, where it was not executed; ``checks`` counts what the
    probe tried.
    """

    word: Proven
    how: str
    place: str = ""
    reason: str = ""
    checks: int = 0


def read_only(reason: str) -> Proof:
    """A proof by reading alone: the caller has audited the wheel."""
    return Proof(word=Proven.STATIC, how="every module was read against the target", reason=reason)


def prove(
    wheel: Path,
    recipe: Recipe,
    target: Target,
    own: Interpreter,
    tools: Tools,
    *,
    compiling: bool = True,
) -> Proof:
    """Try the wheel as far as this machine can; what cannot be run here stays with its audit.

    ``own`` is this machine's interpreter of the target's Python. Raises :class:`AcquireError` for a
    wheel that was tried and does not work.
    """
    try:
        place = find_place(target, own, tools, compiling=compiling)
    except NoPlaceError as error:
        return read_only(error.what)
    if missing := wanted_modules(recipe) & place.lacks:
        return read_only(f"the Python at hand {place.how} has no {', '.join(sorted(missing))}")
    tools.on_event("proof", f"trying {recipe.driver} {place.how}", None)
    with laid_out(wheel, place, own, tools) as folder:
        verdict = trial(recipe, place, folder)
    if not verdict.ok:
        raise AcquireError(
            "the wheel that was made does not work",
            where=f"{wheel.name}, {place.how}",
            # The folder is gone by now, and has another name each time.
            why=(verdict.reason or verdict.status.value).replace(f"{folder}/", ""),
        )
    return Proof(
        word=Proven.EXECUTED,
        how=place.how,
        place=place.interpreter.target.spec,
        checks=sum(check.ok for check in verdict.checks),
    )


@contextmanager
def laid_out(wheel: Path, place: Place, own: Interpreter, tools: Tools) -> Iterator[Path]:
    """The wheel unpacked in a folder of its own, with what it requires, as pip would lay it out."""
    with tempfile.TemporaryDirectory(prefix="buildtools-wheel-") as name:
        unpack_with_dependencies(wheel, Path(name), place.interpreter, own, tools)
        yield Path(name)


def trial(recipe: Recipe, place: Place, folder: Path, *, dsn: Dsn | None = None) -> Verdict:
    """The driver's probe at the place, with ``folder`` first on its path."""
    return verify(
        recipe,
        place.interpreter,
        dsn=dsn,
        path=folder,
        timeout=place.timeout,
        prefix=place.prefix,
        environment=place.environment,
    )


def wanted_modules(recipe: Recipe) -> frozenset[str]:
    """Modules of the standard library that a driver's probe imports and a Python may lack."""
    if recipe.probe is None:
        return frozenset()
    text = recipe.probe.read_text(encoding="utf-8")
    return frozenset(name for name in ("ssl", "sqlite3") if f"\nimport {name}\n" in text)
