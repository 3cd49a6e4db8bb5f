"""Children: deadlines, signals, output, secrets, and nothing left running."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from buildtools.errors import CannotLookError
from buildtools.processes import KEPT_BYTES, birth_of, clean_environment, run


def test_a_child_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(pid_file)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    done = run([sys.executable, "-c", code], timeout=2)
    assert done.timed_out
    assert not done.ok
    assert done.signal is None
    assert gone(int(pid_file.read_text()))


def test_children_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = (
        "import sys\n"
        "from buildtools.processes import run\n"
        "run(['true'], timeout=10)\n"
        "run(['sh', '-c', 'sleep 60 & echo $! > \"$1\"; wait', 'sh', sys.argv[1]], timeout=60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(pid_file)])
    while not (pid_file.is_file() and pid_file.read_text()):
        assert parent.poll() is None
        time.sleep(0.05)
    time.sleep(1)  # a child is told to the watch in the moment after its start
    parent.kill()
    assert parent.wait() == -signal.SIGKILL
    assert gone(int(pid_file.read_text()))


def gone(pid: int) -> bool:
    """Whether a process ends within five seconds."""
    for _ in range(50):
        if birth_of(pid) is None:
            return True
        time.sleep(0.1)
    return False


def test_a_child_that_ignores_the_request_is_killed() -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    done = run([sys.executable, "-c", code], timeout=1)
    assert done.timed_out
    assert done.seconds < 10


def test_the_signal_that_ended_a_child_is_told() -> None:
    done = run([sys.executable, "-c", "import os; os.kill(os.getpid(), 11)"], timeout=20)
    assert done.signal == 11


def test_what_a_child_says_is_masked_as_it_comes_and_as_it_is_kept() -> None:
    seen: list[str] = []
    code = "print('get https://user:hunter2@index/simple token=abcdef top-word')"
    done = run([sys.executable, "-c", code], timeout=20, on_line=seen.append, secrets=["top-word"])
    for text in (done.stdout, *seen):
        assert "hunter2" not in text
        assert "abcdef" not in text
        assert "top-word" not in text
        assert "user:****@index" in text


def test_of_endless_output_the_tail_is_kept() -> None:
    code = f"import sys; sys.stdout.write('x' * {3 * KEPT_BYTES}); print('the end')"
    done = run([sys.executable, "-c", code], timeout=60)
    assert done.stdout.endswith("the end\n")
    assert len(done.stdout) <= KEPT_BYTES


def test_standard_input_is_fed_whole_and_may_be_left_unread() -> None:
    assert len(run(["cat"], timeout=20, stdin=b"y" * 1_000_000).stdout) == 1_000_000
    assert run([sys.executable, "-c", "pass"], timeout=20, stdin=b"y" * 1_000_000).ok


def test_a_program_that_is_not_there_is_said_to_be_missing() -> None:
    with pytest.raises(CannotLookError, match="could not be started"):
        run(["/no/such/program"], timeout=1)


def test_a_word_is_never_read_by_a_shell(tmp_path: Path) -> None:
    hostile = f"$(touch {tmp_path}/made); `touch {tmp_path}/made`"
    done = run([sys.executable, "-c", "import sys; print(sys.argv[1])", hostile], timeout=20)
    assert done.stdout.strip() == hostile
    assert list(tmp_path.iterdir()) == []


def test_python_variables_of_the_parent_do_not_reach_the_child() -> None:
    base = {"PATH": "/usr/bin", "PYTHONPATH": "/evil", "PIP_INDEX_URL": "kept", "OTHER": "dropped"}
    assert clean_environment({"A": "1"}, base=base) == {
        "PATH": "/usr/bin",
        "PIP_INDEX_URL": "kept",
        "A": "1",
    }
