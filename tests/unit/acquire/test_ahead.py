"""What is fetched ahead: waited for, silent about its errors, and dropped at an interrupt."""

from __future__ import annotations

import threading

import pytest

from buildtools.acquire import AcquireError, Ahead


def test_the_blocks_end_waits_for_what_runs_beside_it() -> None:
    begun, may_end, done = threading.Event(), threading.Event(), threading.Event()

    def call() -> None:
        begun.set()
        may_end.wait(5)
        done.set()

    with Ahead() as ahead:
        ahead.start(call)
        assert begun.wait(5)
        assert not done.is_set()
        may_end.set()
    assert done.is_set()


def test_what_fails_ahead_is_left_to_the_step_that_wants_it() -> None:
    def call() -> None:
        raise AcquireError("there is no index today")

    with Ahead() as ahead:
        ahead.start(call)


def test_an_interrupt_waits_for_nothing() -> None:
    may_end, ended = threading.Event(), threading.Event()

    def call() -> None:
        may_end.wait(10)
        ended.set()

    def interrupted() -> None:
        with Ahead() as ahead:
            ahead.start(call)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not ended.is_set()
    may_end.set()
