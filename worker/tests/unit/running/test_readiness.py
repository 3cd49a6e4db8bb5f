from __future__ import annotations

from dataclasses import dataclass, field

from database_consumer.readiness import (
    READY,
    Answer,
    DatabaseProbe,
    Moment,
    Outcome,
    Probe,
    Report,
    wait_ready,
)

LATER = Answer(outcome=Outcome.NOT_YET, why="no leader")
BAD = Answer(outcome=Outcome.WRONG, why="access denied", mend="check the password")


@dataclass
class Scripted:
    service: str
    answers: list[Answer]
    looks: int = 0

    def look(self) -> Answer:
        self.looks += 1
        return self.answers[min(self.looks, len(self.answers)) - 1]

    def close(self) -> None:
        pass


@dataclass
class Time:
    now: float = 0.0
    told: list[Moment] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 0.01)

    def wait(self, *probes: Probe, timeout: float = 10) -> Report:
        return wait_ready(
            probes,
            timeout=timeout,
            clock=lambda: self.now,
            sleep=self.sleep,
            tell=self.told.append,
        )


def test_ready_counts_when_it_was_seen_twice_in_a_row() -> None:
    flapping = Scripted("kafka", [READY, LATER, READY, READY])
    report = Time().wait(flapping)
    assert report.ready
    assert flapping.looks == 4


def test_a_service_that_is_ready_is_not_asked_again() -> None:
    quick = Scripted("redis", [READY])
    slow = Scripted("kafka", [LATER] * 10 + [READY])
    assert Time().wait(quick, slow).ready
    assert quick.looks == 2


def test_wrong_ends_the_wait_at_once() -> None:
    time = Time()
    report = time.wait(Scripted("kafka", [LATER]), Scripted("database", [BAD]))
    assert not report.ready
    assert time.now == 0.0
    assert report.missing["database"].mend == "check the password"


def test_a_time_out_names_what_is_missing_and_keeps_the_timeline() -> None:
    time = Time()
    report = time.wait(Scripted("redis", [READY]), Scripted("kafka", [LATER]), timeout=2)
    assert not report.ready
    assert list(report.missing) == ["kafka"]
    assert [(one.service, one.answer.outcome) for one in report.timeline] == [
        ("redis", Outcome.READY),
        ("kafka", Outcome.NOT_YET),
    ]
    assert list(report.timeline) == time.told
    assert 2 <= report.seconds < 3


def test_a_report_can_be_told_from_an_earlier_moment_on() -> None:
    report = Time().wait(Scripted("kafka", [LATER, READY]))
    whole = report.after(4.0)
    assert whole.seconds == report.seconds + 4
    assert [one.at for one in whole.timeline] == [one.at + 4 for one in report.timeline]
    assert whole.ready


def test_nothing_to_wait_for_is_ready() -> None:
    assert Time().wait().ready


class Refused(Exception):
    def __init__(self, text: str, code: int | None) -> None:
        super().__init__(text)
        self.code = code


def test_a_password_that_is_refused_is_wrong_and_a_server_that_is_away_is_not_yet() -> None:
    def ping(error: Exception) -> Answer:
        def fail() -> None:
            raise error

        return DatabaseProbe(ping=fail).look()

    assert ping(Refused("denied", 1045)).outcome is Outcome.WRONG
    assert ping(Refused("gone", 2003)).outcome is Outcome.NOT_YET
    wrapped = Refused("cannot connect", None)
    wrapped.__cause__ = Exception(1049, "Unknown database")
    assert ping(wrapped).outcome is Outcome.WRONG
    assert DatabaseProbe(ping=lambda: None).look() is READY
