"""What the child told, and how it ended, made into a verdict."""

import base64
import json
import signal

import pytest

from buildtools.probes import Check, Status
from buildtools.probes.trials import _Child
from buildtools.processes import Completed


def line(event: str, **facts: object) -> str:
    return base64.b64encode(json.dumps({"event": event, **facts}).encode()).decode() + "\n"


def child(
    *lines: str,
    returncode: int = 0,
    timed_out: bool = False,
    stderr: str = "",
    prefixed: bool = False,
    secrets: tuple[str, ...] = (),
) -> _Child:
    done = Completed(
        argv=("python",),
        returncode=returncode,
        stdout="".join(lines),
        stderr=stderr,
        seconds=1.5,
        timed_out=timed_out,
    )
    made = _Child(done=done, prefixed=prefixed, secrets=secrets)
    made.read()
    return made


def test_what_was_told_is_kept() -> None:
    told = child(
        line("version", version="2.0"),
        line("doing", what="import x"),
        line("check", name="import x", ok=True, detail="/x.py", required=True),
        line("loaded", path="/x.so", libraries=["/libx.so.1"]),
        line("library", name="libx 1"),
        line("end", status="ok", reason=""),
    )
    assert told.outcome() == (Status.OK, "")
    assert (told.version, told.path, told.library) == ("2.0", "/x.so", "libx 1")
    assert told.libraries == ("/libx.so.1",)
    assert told.checks == [Check(name="import x", ok=True, detail="/x.py", required=True)]


def test_garbage_between_the_messages_is_left_out() -> None:
    told = child(
        "hello\n",
        "%%%\n",
        "aGVsbG8=\n",
        line("nothing", x=1),
        line("doing"),
        "WzFd\n",
        line("end", status="ok", reason=""),
    )
    assert told.outcome() == (Status.OK, "")


def test_a_signal_is_a_crash_wherever_it_came() -> None:
    told = child(line("doing", what="import x"), returncode=-signal.SIGSEGV)
    status, reason = told.outcome()
    assert status is Status.CRASHED
    assert told.signal() == signal.SIGSEGV
    assert reason == "SIGSEGV (signal 11) ended the process in: import x"
    late = child(line("end", status="ok", reason=""), returncode=-signal.SIGABRT)
    assert late.outcome() == (
        Status.CRASHED,
        "SIGABRT (signal 6) ended the process in: the end of the interpreter",
    )


@pytest.mark.parametrize(("prefixed", "status"), [(True, Status.CRASHED), (False, Status.FAILED)])
def test_128_and_more_is_a_signal_behind_an_emulator_only(
    *, prefixed: bool, status: Status
) -> None:
    assert child(returncode=139, prefixed=prefixed).outcome()[0] is status


def test_a_deadline_is_a_hang_and_no_crash() -> None:
    told = child(line("doing", what="call spin"), returncode=-signal.SIGKILL, timed_out=True)
    assert told.outcome() == (Status.TIMEOUT, "no end to: call spin (2 s)")
    assert told.signal() is None


def test_an_end_without_a_word_is_a_failure() -> None:
    told = child(line("doing", what="import x"), returncode=3)
    assert told.outcome() == (Status.FAILED, "the process ended itself with 3 in: import x")


def test_an_interpreter_that_never_began_says_so() -> None:
    status, reason = child(returncode=1, stderr="no such module").outcome()
    assert status is Status.FAILED
    assert "the start of the interpreter" in reason


def test_secrets_are_masked_in_all_that_is_told() -> None:
    told = child(
        line("doing", what="connect hunter2"),
        line("check", name="c", ok=False, detail="denied for hunter2", required=True),
        line("end", status="failed", reason="hunter2 was wrong"),
        stderr="Traceback: hunter2",
        secrets=("hunter2",),
    )
    told_text = f"{told.outcome()} {told.checks} {told.trace()} {told.doing}"
    assert "hunter2" not in told_text
    assert told_text.count("****") == 3


def test_of_a_long_trace_the_tail_is_kept() -> None:
    told = child(stderr="\n".join(str(number) for number in range(100)))
    assert told.trace().splitlines()[0] == "60"
    assert told.trace().splitlines()[-1] == "99"
