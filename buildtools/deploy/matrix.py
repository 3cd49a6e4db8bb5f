"""The architecture matrix: each target and Python on a runner of its own kind."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from buildtools.errors import UsageError
from buildtools.targets import (
    LibCFamily,
    PythonAbi,
    Target,
    build_identifier,
)


class RunnerState(StrEnum):
    """How long a label will still be there."""

    CURRENT = "current"
    PREVIEW = "preview"
    DEPRECATED = "deprecated"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """One hosted runner: its label, the machine that it is, and its state."""

    label: str
    os: str
    arch: str
    state: RunnerState


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixEntry:
    """One job: ``cibw_build`` is cibuildwheel's identifier, such as ``cp312-manylinux_x86_64``.

    ``python`` is the version for setup-python (``3.12``, ``3.13t``); ``libc`` is ``glibc``,
    ``musl`` or empty; ``artifact`` is a name for what the job uploads.
    """

    target: str
    runner: str
    python: str
    cibw_build: str
    cibw_archs: str
    libc: str
    artifact: str


def load_runners() -> tuple[Runner, ...]:
    """The runners known to this version, in the order in which they are preferred."""
    data = Path(__file__).parents[1] / "data" / "runners.toml"
    tables = tomllib.loads(data.read_text(encoding="utf-8"))["runner"]
    return tuple(
        Runner(
            label=table["label"],
            os=table["os"],
            arch=table["arch"],
            state=RunnerState(table["state"]),
        )
        for table in tables
    )


def runner_for(
    target: Target, runners: Sequence[Runner], chosen: Mapping[str, str] | None = None
) -> Runner:
    """The native runner of a target: the chosen label, else the first current one.

    Raises :class:`UsageError` for a label that is unknown, retired, deprecated or another machine,
    and for a target that has no native runner.
    """
    machine = f"{target.os}/{target.arch}"
    label = (chosen or {}).get(machine)
    fitting = [r for r in runners if (r.os, r.arch) == (target.os, target.arch)]
    good = [r.label for r in fitting if r.state in {RunnerState.CURRENT, RunnerState.PREVIEW}]
    if label is None:
        current = next((r for r in fitting if r.state is RunnerState.CURRENT), None)
        if current is None:
            raise UsageError(
                f"GitHub has no runner for {machine}",
                next_step="leave the target out of the matrix; `buildtools wheel` cross-builds it",
            )
        return current
    runner = next((r for r in runners if r.label == label), None)
    why = ""
    if runner is None:
        why = "it is not known"
    elif runner.state in {RunnerState.RETIRED, RunnerState.DEPRECATED}:
        why = f"it is {runner.state}"
    elif runner not in fitting:
        why = f"it is {runner.os}/{runner.arch}"
    if runner is None or why:
        raise UsageError(
            f"{label} cannot run {machine}", why=why, next_step=f"use one of {', '.join(good)}"
        )
    return runner


DEFAULT_PYTHONS = ("cp311", "cp312", "cp313", "cp314")
"""The Pythons of a matrix that names none, and those that the workflow runs."""

WORKFLOW = ".github/workflows/architectures.yml"


def runner_job(target: Target) -> str:
    """The job of this project's workflow that executes a wheel of this target; empty for none.

    ``prove`` runs what one Linux has made for others, on a machine of that kind. There is no hosted
    runner with musl, and no job with a free-threaded or debug Python.
    """
    if target.libc is not None and target.libc.family is LibCFamily.MUSL:
        return ""
    if target.python is not None and target.python.abi not in DEFAULT_PYTHONS:
        return ""
    try:
        runner = runner_for(target, load_runners())
    except UsageError:
        return ""
    return f"prove on {runner.label} in {WORKFLOW}"


def build_matrix(
    targets: Iterable[Target],
    pythons: Sequence[PythonAbi],
    chosen: Mapping[str, str] | None = None,
) -> tuple[MatrixEntry, ...]:
    """One entry for each target and Python; a target that names a Python has that one only."""
    runners = load_runners()
    entries: list[MatrixEntry] = []
    for target in targets:
        runner = runner_for(target, runners, chosen)
        own = pythons if target.python is None else [target.python]
        entries.extend(_entry(target, python, runner) for python in own)
    return tuple(entries)


def _entry(target: Target, python: PythonAbi, runner: Runner) -> MatrixEntry:
    free = "t" if python.free_threaded else ""
    return MatrixEntry(
        target=target.with_python(python).spec,
        runner=runner.label,
        python=f"{python.version}{free}",
        cibw_build=build_identifier(target, python),
        cibw_archs=target.arch,
        libc=target.libc.family.value if target.libc else "",
        artifact=target.with_python(python).spec.replace("/", "-"),
    )
