from __future__ import annotations

import pytest

from facerec.errors import ChildDied, EngineFailure, FacerecError, TimeLimitExceeded, UnreadableImage
from facerec.outcome import MAX_DELAY, Dead, Retry, backoff, decide


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (UnreadableImage("x"), 1),
        (TimeLimitExceeded("x"), 2),
        (ChildDied("x"), 3),
        (EngineFailure("x"), 5),
    ],
)
def test_each_kind_of_error_has_its_number_of_tries(error: FacerecError, tries: int) -> None:
    decisions = [decide(error, attempt, 5, 1.0, 0.0) for attempt in range(1, tries + 1)]
    assert all(isinstance(decision, Retry) for decision in decisions[:-1])
    assert decisions[-1] == Dead(error.code, "x")


@pytest.mark.parametrize("attempt", range(1, 40))
def test_waits_double_with_jitter_up_to_a_limit(attempt: int) -> None:
    low, high = backoff(attempt, 2.0, 0.0), backoff(attempt, 2.0, 1.0)
    assert low == min(MAX_DELAY, 2.0 * 2 ** (attempt - 1))
    assert low <= high <= 1.5 * low
