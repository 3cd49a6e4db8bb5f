"""What the screen prints on a terminal, in a log, and as JSON."""

import io
import json
import time

import pytest

from buildtools.commands.pulse import Pulse
from buildtools.report import Screen


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_document_is_the_only_thing_on_standard_output() -> None:
    out, err = io.StringIO(), io.StringIO()
    screen = Screen(as_json=True, out=out, err=err)
    screen.event("mysqlclient", "fetching")
    screen.document("detect", {"target": {"os": "linux"}})
    document = json.loads(out.getvalue())
    assert next(iter(document)) == "schema"
    assert document["schema"] == "buildtools.detect/1"
    assert "fetching" in err.getvalue()


def test_in_a_log_an_event_is_one_line_with_its_time_and_is_not_repeated() -> None:
    err = io.StringIO()
    screen = Screen(out=io.StringIO(), err=err)
    for fraction in (0.1, 0.2, 0.3):
        screen.event("apsw", "building", "sqlite3.c", fraction)
    screen.event("apsw", "installed")
    lines = err.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].endswith(" apsw: building: sqlite3.c")
    assert lines[0][2] == lines[0][5] == ":"


def test_quiet_drops_progress_but_not_errors() -> None:
    err = io.StringIO()
    screen = Screen(quiet=True, out=io.StringIO(), err=err)
    screen.event("apsw", "building")
    screen.log("on the way")
    screen.error("no wheel")
    assert err.getvalue() == "error: no wheel\n"


def test_a_table_is_aligned_and_cuts_nothing() -> None:
    out = io.StringIO()
    long = "x" * 200
    Screen(out=out).table(("driver", "status"), [("a", "ok"), (long, "failed")])
    lines = out.getvalue().splitlines()
    assert lines[2] == f"{long}  failed"
    assert lines[1].index("ok") == lines[0].index("status")


def test_colour_is_for_terminals_and_can_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()
    Screen(out=out).table(("status",), [("ok",)])
    assert "\x1b[32mok" in out.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    Screen(out=plain).table(("status",), [("ok",)])
    assert "\x1b" not in plain.getvalue()


def test_on_a_terminal_progress_is_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    err = Terminal()
    with Screen(out=io.StringIO(), err=err) as screen:
        screen.event("mysqlclient", "building", "[not markup]", 0.5)
        screen.log("a line in between")
    assert "[not markup]" in err.getvalue()
    assert "a line in between" in err.getvalue()


def test_a_job_that_is_silent_for_long_is_heard_of_again() -> None:
    err = io.StringIO()
    with Pulse(Screen(out=io.StringIO(), err=err), quiet_seconds=0.02) as pulse:
        pulse.event("apsw", "build", "sqlite3.c")
        pulse.event("mysqlclient", "build", "mysql.c")
        pulse.event("mysqlclient", "executed", "in place")
        deadline = time.monotonic() + 20
        while "sqlite3.c (" not in err.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    lines = err.getvalue().splitlines()
    assert any(line.endswith("apsw: build: sqlite3.c (0 s)") for line in lines), lines
    assert not any("mysql.c (" in line for line in lines)
