"""What a rebuild is asked for, and what came of it: values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from buildtools.configuration import Configuration
from buildtools.errors import ExitCode
from buildtools.host import Interpreter
from buildtools.planning import Choices, Plan, Step
from buildtools.probes import CheckVerdict, Verdict

OnEvent = Callable[[str, str, str, float | None], None]
"""Progress: the driver, a stage, what is being done, how far it is (0 to 1, or None)."""


def silent(driver: str, stage: str, detail: str, fraction: float | None) -> None:
    """An :data:`OnEvent` that says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildRequest:
    """One run.

    ``drivers`` are names, with a version specifier behind one where wanted; empty means the
    project's. ``wheelhouse`` is its folder.
    """

    interpreter: Interpreter
    configuration: Configuration
    wheelhouse: Path
    drivers: tuple[str, ...] = ()
    choices: Choices = field(default_factory=Choices)
    on_event: OnEvent = silent


class Ending(StrEnum):
    """What became of a step; public, in the JSON of ``rebuild``."""

    KEPT = "kept"
    INSTALLED = "installed"
    STOOD_IN = "stood-in"
    ROLLED_BACK = "rolled-back"
    FAILED = "failed"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutcome:
    """A step carried out.

    ``wheel`` is the file's name, empty where none was installed; ``error`` the words when it did
    not work, ``notes`` what else a person should know. ``code`` is what this step alone would make
    the command exit with.
    """

    step: Step
    ending: Ending
    code: ExitCode
    wheel: str = ""
    seconds: float = 0.0
    error: str = ""
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """One entry of ``steps`` of the contract."""
        return {
            **self.step.as_json(),
            "outcome": self.ending.value,
            "wheel": self.wheel or None,
            "seconds": round(self.seconds, 3),
            "error": self.error or None,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A whole run: each driver has its own outcome and, where it was tried, its own verdict.

    ``kept`` holds the earlier verdict, as JSON, of each driver that nothing has happened to since;
    ``recovered`` what became of installs that an earlier run was cut off from.
    """

    steps: tuple[StepOutcome, ...]
    verdicts: tuple[Verdict, ...]
    kept: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    application: tuple[CheckVerdict, ...] = ()
    recovered: tuple[str, ...] = ()

    @property
    def plan(self) -> Plan:
        """The steps without their endings."""
        return Plan(steps=tuple(one.step for one in self.steps))

    @property
    def exit_code(self) -> ExitCode:
        """The gravest of the steps' codes; 1 when all was installed and a check says no."""
        codes = {one.code for one in self.steps}
        for code in (ExitCode.INSTALL_FAILED, ExitCode.NO_WHEEL, ExitCode.NO):
            if code in codes:
                return code
        return ExitCode.OK if all(check.ok for check in self.application) else ExitCode.NO
