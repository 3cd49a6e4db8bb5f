"""What is decided for a driver, and what has to be asked before."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildtools.planning import (
    Action,
    Ask,
    Choices,
    DriverState,
    Offer,
    Offers,
    Plan,
    Step,
    decide,
)

HEALTHY = DriverState(driver="d", healthy=True, why="it works", installed="1.0")
BROKEN = DriverState(
    driver="d", healthy=False, why="foreign-arch: aarch64", installed="1.0", alternative="pure"
)
STORED = Offer(version="1.0", sha256="a" * 64)
INDEXED = Offer(version="1.0", sha256="b" * 64)
NO_WHEEL = Offer(refused="no wheel fits")


def step(state: DriverState, choices: Choices | None = None, **offers: Offer) -> Step:
    decided = decide(state, choices or Choices(), Offers(missing="d-1.0.whl", **offers))
    assert isinstance(decided, Step), decided
    return decided


def test_what_is_healthy_is_kept() -> None:
    kept = step(HEALTHY)
    assert (kept.action, kept.source, kept.version) == (Action.KEEP, "installed", "1.0")
    assert Plan(steps=(kept,)).nothing_due


def test_the_ladder_goes_down_rung_by_rung() -> None:
    fetched = step(BROKEN, wheelhouse=STORED)
    assert (fetched.action, fetched.source, fetched.sha256) == (
        Action.FETCH,
        "wheelhouse",
        "a" * 64,
    )
    assert decide(BROKEN, Choices(), Offers()) is Ask.INDEX
    fetched = step(BROKEN, index=INDEXED)
    assert (fetched.action, fetched.source) == (Action.FETCH, "index")
    assert decide(BROKEN, Choices(), Offers(index=NO_WHEEL)) is Ask.SDIST
    built = step(BROKEN, index=NO_WHEEL, sdist=Offer(version="1.0"))
    assert (built.action, built.source) == (Action.BUILD, "sdist")
    nothing = step(BROKEN, index=NO_WHEEL, sdist=Offer(refused="no source"))
    assert nothing.action is Action.NONE
    assert "--allow-fallback" in nothing.reason
    stands_in = step(
        BROKEN, Choices(allow_fallback=True), index=NO_WHEEL, sdist=Offer(refused="no source")
    )
    assert (stands_in.action, stands_in.instead) == (Action.FALLBACK, "pure")


def test_every_step_says_why() -> None:
    assert step(BROKEN, wheelhouse=STORED).reason == "foreign-arch: aarch64"
    built = step(BROKEN, index=NO_WHEEL, sdist=Offer(version="1.0"))
    assert built.reason == "foreign-arch: aarch64; no wheel fits"
    old = replace(HEALTHY, fits=False, wanted=">=2")
    assert "want >=2" in step(old, wheelhouse=STORED).reason


@pytest.mark.parametrize("choices", [Choices(force=True), Choices(from_source=True)])
def test_what_is_healthy_is_done_again_when_asked(choices: Choices) -> None:
    assert decide(HEALTHY, choices, Offers()) in {Ask.INDEX, Ask.SDIST}


def test_from_source_takes_no_wheel() -> None:
    built = step(HEALTHY, Choices(from_source=True), wheelhouse=STORED, sdist=Offer(version="1.0"))
    assert built.action is Action.BUILD
    assert decide(HEALTHY, Choices(from_source=True), Offers(wheelhouse=STORED)) is Ask.SDIST


def test_offline_asks_nothing_and_names_the_missing_wheel() -> None:
    nothing = step(BROKEN, Choices(offline=True))
    assert nothing.action is Action.NONE
    assert "d-1.0.whl" in nothing.reason
    other = step(BROKEN, Choices(offline=True), relaxed=Offer(version="1.1"))
    assert (other.action, other.version) == (Action.FETCH, "1.1")


def test_the_standard_librarys_is_kept_or_given_up() -> None:
    stdlib = DriverState(driver="sqlite3", healthy=True, why="it works", stdlib=True)
    kept = step(stdlib, Choices(force=True, from_source=True))
    assert (kept.action, kept.source) == (Action.KEEP, "stdlib")
    broken = step(replace(stdlib, healthy=False, why="no _sqlite3"))
    assert broken.action is Action.NONE
    assert "pysqlite3" in broken.reason


def test_a_pure_driver_is_not_built() -> None:
    pure = replace(BROKEN, pure=True)
    assert step(pure, index=NO_WHEEL).action is Action.NONE


OFFER = st.one_of(
    st.none(), st.just(STORED), st.just(INDEXED), st.just(NO_WHEEL), st.just(Offer(version="2"))
)


@given(
    st.builds(
        DriverState,
        driver=st.just("d"),
        healthy=st.booleans(),
        why=st.just("why"),
        installed=st.sampled_from(["", "1.0"]),
        wanted=st.just("1"),
        fits=st.booleans(),
        stdlib=st.booleans(),
        pure=st.booleans(),
        alternative=st.sampled_from(["", "pure"]),
    ),
    st.builds(Choices, *[st.booleans()] * 0, force=st.booleans(), from_source=st.booleans(),
              offline=st.booleans(), allow_fallback=st.booleans()),
    st.builds(Offers, wheelhouse=st.one_of(st.none(), st.just(STORED)),
              relaxed=st.one_of(st.none(), st.just(STORED)), index=OFFER, sdist=OFFER),
)  # fmt: skip
def test_whatever_is_known_there_is_a_step_or_a_new_question(
    state: DriverState, choices: Choices, offers: Offers
) -> None:
    decided = decide(state, choices, offers)
    if isinstance(decided, Step):
        assert decided.reason
        assert set(decided.as_json()) >= {"driver", "action", "reason", "version", "source"}
        if decided.action is Action.FALLBACK:
            assert choices.allow_fallback
    elif decided is Ask.INDEX:
        assert offers.index is None
        assert not choices.offline
    else:
        assert offers.sdist is None
        assert not choices.offline
