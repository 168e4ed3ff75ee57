"""How long finished pictures wait for others."""

from __future__ import annotations

import pytest

from worker.pace import LONGEST, REST, Pace


@pytest.fixture
def now() -> list[float]:
    return [100.0]


@pytest.fixture
def pace(now: list[float]) -> Pace:
    return Pace(lambda: now[0])


def test_the_first_goes_at_once(pace: Pace) -> None:
    assert pace.left(1, 32) == 0


def test_after_a_commit_others_wait_as_long_as_it_was_worth(pace: Pace, now: list[float]) -> None:
    pace.worked(0.001)
    assert pace.left(1, 32) == pytest.approx(REST * 0.001)
    now[0] += 0.02
    assert pace.left(1, 32) == pytest.approx(REST * 0.001 - 0.02)
    now[0] += 1
    assert pace.left(1, 32) == 0


def test_nobody_waits_longer_than_that(pace: Pace) -> None:
    pace.worked(30.0)
    assert pace.left(1, 32) == pytest.approx(LONGEST)


@pytest.mark.parametrize(("in_hand", "under_way"), [(1, 1), (1, 2), (2, 3), (16, 32), (32, 32)])
def test_half_of_all_is_enough(pace: Pace, in_hand: int, under_way: int) -> None:
    pace.worked(0.001)
    assert pace.left(in_hand, under_way) == 0
