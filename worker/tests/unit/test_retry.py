from __future__ import annotations

import pytest

from database_consumer.retry import RetryPolicy


def test_five_retries_after_5_10_20_40_and_80_seconds() -> None:
    policy = RetryPolicy()
    assert [policy.delay(made) for made in range(6)] == [5, 10, 20, 40, 80, None]


def test_base_and_count_can_be_others() -> None:
    assert [RetryPolicy(attempts=2, base=0.5).delay(made) for made in range(3)] == [0.5, 1.0, None]
    assert RetryPolicy(attempts=0).delay(0) is None


@pytest.mark.parametrize("wrong", [{"attempts": -1}, {"base": -0.1}])
def test_negative_ones_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="negative"):
        RetryPolicy(**wrong)
