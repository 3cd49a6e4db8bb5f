"""One run from end to end: look, decide, obtain in parallel, install one by one, try, stamp."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial

from buildtools.errors import BuildtoolsError, ExitCode, InstallFailedError, NoWheelError
from buildtools.install import Installation, Recovered, Scheme, recover_aside
from buildtools.planning import Action, Plan
from buildtools.probes import CheckVerdict, Verdict, run_check, verify
from buildtools.processes import interrupt_children
from buildtools.rebuild.installing import (
    Installer,
    ProofFailedError,
    failed,
    prove_recovered,
    succeeded,
    unhide,
)
from buildtools.rebuild.obtaining import Obtained, Refusals, keep_proven, obtain
from buildtools.rebuild.request import Ending, Outcome, RebuildRequest, StepOutcome
from buildtools.rebuild.selection import Wanted
from buildtools.rebuild.stamping import leave_stamp
from buildtools.rebuild.survey import Standing, Survey, is_healthy, survey

_AT_ONCE = 4
"""Drivers obtained at a time: fetching waits for the network, building for the disk."""


def plan(request: RebuildRequest) -> Plan:
    """What :func:`rebuild` would do, and why; nothing is written, fetched or built."""
    found = survey(request)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="plan") as pool:
        look = partial(_dry, found)
        return Plan(steps=tuple(one.step for one in pool.map(look, found.standings)))


def _dry(found: Survey, standing: Standing) -> Obtained:
    return obtain(found, standing, Refusals(), dry=True)


def rebuild(request: RebuildRequest) -> Outcome:
    """Carry the plan out.

    The environment is locked for the whole run; what an earlier run was cut off from is finished or
    undone first. Each driver has its own outcome: one that fails does not stop the others. Raises
    :class:`buildtools.errors.BusyError` when another run holds the environment.
    """
    with ExitStack() as stack:
        installation = _lock(request, stack)
        recovered = _recover(request, installation)
        run = _Run(survey(request), installation)
        outcome = run.carry_out()
        return Outcome(
            steps=outcome,
            verdicts=tuple(run.verdicts[name] for name in run.verdicts),
            kept=run.kept,
            application=run.application(),
            recovered=tuple(
                f"{one.name or 'an install'} {one.version}: {one.ending}".strip()
                for one in recovered
            ),
        )


def _lock(request: RebuildRequest, stack: ExitStack) -> Installation | InstallFailedError:
    """The held environment; the reason when it cannot be written, which matters only if it must."""
    try:
        return stack.enter_context(Installation(Scheme.of(request.interpreter)))
    except InstallFailedError as error:
        return error


def _recover(
    request: RebuildRequest, installation: Installation | InstallFailedError
) -> tuple[Recovered, ...]:
    interpreter = request.interpreter
    if interpreter.user_site is not None and interpreter.user_site.is_dir():
        with suppress(OSError):
            recover_aside(interpreter.user_site)
    if isinstance(installation, InstallFailedError):
        return ()
    return installation.recover(partial(prove_recovered, request))


class _Run:
    """The drivers of one run on their way."""

    def __init__(self, found: Survey, installation: Installation | InstallFailedError) -> None:
        self._survey = found
        self._request = found.request
        self._installation = installation
        self._proven: dict[str, tuple[Wanted, Verdict]] = {}
        self._refusals = {one.wanted.name: Refusals() for one in found.standings}
        self.verdicts: dict[str, Verdict] = {}
        self.kept: dict[str, dict[str, object]] = {}

    def carry_out(self) -> tuple[StepOutcome, ...]:
        """Each driver's outcome, in the order in which they were asked for."""
        outcomes: dict[str, StepOutcome] = {}
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="obtain") as pool:
            waiting = {
                one.wanted.name: (one, time.monotonic(), pool.submit(self._obtain, one))
                for one in self._survey.standings
            }
            try:
                for name, standing, started, future in _as_ready(waiting):
                    outcomes[name] = self._settle(standing, future, started)
                    self._request.on_event(name, outcomes[name].ending.value, "", 1.0)
            except BaseException:
                interrupt_children()
                pool.shutdown(cancel_futures=True)
                raise
        if not isinstance(self._installation, InstallFailedError):
            leave_stamp(self._survey, self._proven, self.kept)
        return tuple(outcomes[one.wanted.name] for one in self._survey.standings)

    def application(self) -> tuple[CheckVerdict, ...]:
        """The application's own checks, run after the drivers'."""
        configuration = self._request.configuration
        if not self.verdicts:
            return ()
        return tuple(
            run_check(check, self._request.interpreter, root=configuration.root)
            for check in configuration.checks
        )

    def _obtain(self, standing: Standing) -> Obtained:
        return obtain(self._survey, standing, self._refusals[standing.wanted.name])

    def _settle(self, standing: Standing, future: Future[Obtained], started: float) -> StepOutcome:
        obtained = future.result()
        while True:
            if obtained.error is not None:
                return self._not_had(standing, obtained, obtained.error, started)
            if obtained.step.action is Action.KEEP:
                return self._keep(standing, obtained, started)
            if obtained.step.action is Action.NONE:
                return self._nothing(standing, obtained, started)
            try:
                return self._install(standing, obtained, started)
            except ProofFailedError as error:
                refusals = self._refusals[standing.wanted.name]
                if not refusals.note(obtained, _in_short(error)):
                    self.verdicts[standing.wanted.name] = error.verdict
                    return failed(obtained, error, started)
                self._request.on_event(
                    standing.wanted.name, "verify", f"{error.what}; trying another way", None
                )
                self.verdicts[standing.wanted.name] = error.verdict
                obtained = self._obtain(standing)
            except BuildtoolsError as error:
                return failed(obtained, error, started)

    def _install(self, standing: Standing, obtained: Obtained, started: float) -> StepOutcome:
        name = standing.wanted.name
        if obtained.wheel is None:  # the alternative belongs to the Python
            verdict = verify(obtained.recipe, self._request.interpreter)
            self.verdicts[name] = verdict
            return succeeded(obtained, (), started, well=is_healthy(verdict, obtained.recipe))
        if isinstance(self._installation, InstallFailedError):
            raise self._installation
        installed = Installer(self._request, self._installation).install(obtained)
        verdict, notes, well = unhide(self._request, installed.recipe, installed.verdict)
        if installed.added:
            notes = (*notes, f"{', '.join(installed.added)} came with it: it requires that")
        if not_kept := keep_proven(self._request, obtained):
            notes = (*notes, not_kept)
        self.verdicts[name] = verdict
        if well and obtained.step.action is not Action.FALLBACK:
            wanted = Wanted(recipe=installed.recipe, versions=standing.wanted.versions)
            self._proven[name] = (wanted, verdict)
        return succeeded(obtained, notes, started, well=well)

    def _keep(self, standing: Standing, obtained: Obtained, started: float) -> StepOutcome:
        name = standing.wanted.name
        notes: tuple[str, ...] = ()
        well = True
        if standing.kept is not None:
            self.kept[name] = dict(standing.kept)
        elif standing.verdict is not None:
            verdict = standing.verdict
            if standing.hiding:
                verdict, notes, well = unhide(self._request, standing.wanted.recipe, verdict)
            self.verdicts[name] = verdict
            if well:
                self._proven[name] = (standing.wanted, verdict)
        return StepOutcome(
            step=obtained.step,
            ending=Ending.KEPT,
            code=ExitCode.OK if well else ExitCode.NO,
            seconds=time.monotonic() - started,
            notes=notes,
        )

    def _nothing(self, standing: Standing, obtained: Obtained, started: float) -> StepOutcome:
        if standing.verdict is not None:
            self.verdicts[standing.wanted.name] = standing.verdict
        code = ExitCode.NO if standing.state.stdlib else ExitCode.NO_WHEEL
        return StepOutcome(
            step=obtained.step,
            ending=Ending.NONE,
            code=code,
            seconds=time.monotonic() - started,
            error=obtained.step.reason,
        )

    def _not_had(
        self, standing: Standing, obtained: Obtained, error: BuildtoolsError, started: float
    ) -> StepOutcome:
        if standing.verdict is not None:
            self.verdicts.setdefault(standing.wanted.name, standing.verdict)
        return StepOutcome(
            step=obtained.step,
            ending=Ending.FAILED,
            code=error.exit_code if isinstance(error, NoWheelError) else ExitCode.NO_WHEEL,
            seconds=time.monotonic() - started,
            error=str(error),
        )


def _in_short(error: ProofFailedError) -> str:
    """Why a wheel does not work, without the paths of the staging folder."""
    words = re.sub(r"/\S*/tree/", "", error.why.strip().partition("\n")[0])
    return f"does not work here ({words})"


_Waiting = dict[str, tuple[Standing, float, "Future[Obtained]"]]


def _as_ready(waiting: _Waiting) -> Iterator[tuple[str, Standing, float, Future[Obtained]]]:
    """Each driver as soon as its wheel is in hand."""
    from concurrent.futures import as_completed

    names = {future: name for name, (_, _, future) in waiting.items()}
    for future in as_completed(names):
        standing, started, _ = waiting[names[future]]
        yield names[future], standing, started, future
