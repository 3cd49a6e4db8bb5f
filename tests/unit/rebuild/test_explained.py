"""A failed step says what ``explain`` makes of its words; what it does not know is left alone."""

import pytest

from buildtools.commands.rebuild import _explained
from buildtools.errors import ExitCode
from buildtools.planning import Action, Step
from buildtools.rebuild import Ending, Outcome, StepOutcome


def outcome(error: str) -> Outcome:
    step = Step(driver="mysqlclient", action=Action.BUILD, reason="it is not installed")
    failed = StepOutcome(step=step, ending=Ending.FAILED, code=ExitCode.NO_WHEEL, error=error)
    return Outcome(steps=(failed,), verdicts=())


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("error: command 'gcc' failed: No such file or directory", "missing-compiler"),
        (
            "src/x.c:1:10: fatal error: Python.h: No such file or directory",
            "missing-python-headers",
        ),
    ],
)
def test_a_known_cause_is_named_with_its_remedy(words: str, cause: str) -> None:
    notes = _explained(outcome(words)).steps[0].notes
    assert len(notes) == 1
    assert notes[0].startswith(f"cause: {cause}. ")


def test_unknown_words_get_no_note() -> None:
    assert _explained(outcome("it did not work")).steps[0].notes == ()
