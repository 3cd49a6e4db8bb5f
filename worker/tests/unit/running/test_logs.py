from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from database_consumer.logs import OncePerMinute, Repeats, SecretGate, Tally, configure_logs, logger
from database_consumer.settings import load_settings
from database_consumer.urls import MASK

SECRET = "s3cret-p@ss"  # noqa: S105


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def restore() -> Iterator[None]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers = before
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_lines_are_json_where_nobody_looks() -> None:
    out = io.StringIO()
    configure_logs(load_settings(env_file=None), stream=out)
    logger("x").info("connected", database="mysql")
    found = lines(out)[0]
    assert (found["event"], found["database"], found["level"]) == ("connected", "mysql", "info")
    assert str(found["timestamp"]).endswith("Z")


def test_lines_are_for_people_on_a_terminal() -> None:
    out = Terminal()
    configure_logs(load_settings(env_file=None), stream=out)
    logger("x").info("connected", database="mysql")
    assert "connected" in out.getvalue()
    assert not out.getvalue().startswith("{")


def test_a_level_keeps_what_is_below_it_out() -> None:
    out = io.StringIO()
    configure_logs(load_settings({"log_level": "warning"}, env_file=None), stream=out)
    logger("x").info("quiet")
    logger("x").warning("loud")
    assert [one["event"] for one in lines(out)] == ["loud"]


def test_no_secret_passes_whoever_writes_it() -> None:
    out = io.StringIO()
    settings = load_settings({"db_host": "h", "db_password": SECRET}, env_file=None)
    configure_logs(settings, stream=out)
    logger("x").info(f"tried {SECRET}", url=settings.database, nested={"a": [SECRET]})
    logging.getLogger("some.library").warning("library says %s", SECRET)
    logger("x").info("named", password="other", error=ValueError(SECRET))  # noqa: S106
    try:
        int(f"refused {SECRET}")
    except ValueError:
        logger("x").exception("failed")
    text = out.getvalue()
    assert SECRET not in text
    assert "s3cret-p%40ss" not in text
    assert "other" not in text
    assert text.count(MASK) >= 6
    assert "ValueError: invalid literal" in text


def test_files_hold_everything_and_errors_apart(tmp_path: Path) -> None:
    settings = load_settings({"log_dir": tmp_path / "logs"}, env_file=None)
    configure_logs(settings, stream=io.StringIO())
    logger("x").info("connected")
    logger("x").error("broken")
    combined = (tmp_path / "logs" / "combined.log").read_text().splitlines()
    errors = (tmp_path / "logs" / "error.log").read_text().splitlines()
    assert [json.loads(one)["event"] for one in combined] == ["connected", "broken"]
    assert [json.loads(one)["event"] for one in errors] == ["broken"]


def test_files_are_rotated_and_the_oldest_thrown_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("database_consumer.logs.FILE_BYTES", 2_000)
    monkeypatch.setattr("database_consumer.logs.FILE_COUNT", 2)
    configure_logs(load_settings({"log_dir": tmp_path}, env_file=None), stream=io.StringIO())
    for number in range(100):
        logger("test").info("line", number=number, padding="x" * 50)
    sizes = {path.name: path.stat().st_size for path in tmp_path.glob("combined.log*")}
    assert sorted(sizes) == ["combined.log", "combined.log.1", "combined.log.2"]
    assert max(sizes.values()) <= 2_000
    last = (tmp_path / "combined.log").read_text().splitlines()[-1]
    assert json.loads(last)["number"] == 99


def test_a_short_secret_is_masked_by_its_name_only() -> None:
    gate = SecretGate(["ab"])
    found = gate(None, "", {"event": "cab", "db_password": "ab"})
    assert found == {"event": "cab", "db_password": MASK}


def test_a_tally_lets_one_line_through_for_many_events() -> None:
    tally = Tally(every=1.0)
    assert tally.add(5, now=10.0) == 5
    assert tally.add(5, now=10.1) == 0
    tally.hold(3)
    assert tally.add(0, now=10.9) == 0
    assert tally.add(0, now=11.0) == 8
    assert tally.add(0, now=99.0) == 0


def failure(text: str) -> Exception:
    try:
        if text.isalpha():
            int(text)
        text.encode("no encoding")
    except (ValueError, LookupError) as error:
        return error
    raise AssertionError


def test_a_failure_that_comes_again_is_told_in_full_once_then_counted() -> None:
    repeats = Repeats()
    first = failure("a")
    assert repeats.told(first) == {"exc_info": first}
    second = failure("b")
    assert repeats.told(second) == {"why": f"ValueError: {second}", "times": 2}
    assert repeats.told(failure("c"))["times"] == 3
    another = failure("1")
    assert repeats.told(another) == {"exc_info": another}
    repeats.forget()
    again = failure("2")
    assert repeats.told(again) == {"exc_info": again}


def test_lines_that_differ_in_their_numbers_come_once_a_minute_with_a_count() -> None:
    now = [0.0]
    client = logging.getLogger("client-of-the-test")
    client.addFilter(OncePerMinute(clock=lambda: now[0]))
    out = io.StringIO()
    configure_logs(load_settings(env_file=None), stream=out)
    for number in range(30):
        client.error("broker %s is away (after %d ms)", "b1.example", number)
        now[0] += 3
    client.error("another trouble")
    assert [one["event"] for one in lines(out)] == [
        "broker b1.example is away (after 0 ms)",
        "broker b1.example is away (after 20 ms) (19 more like it)",
        "another trouble",
    ]
