from __future__ import annotations

import pytest

from facerec.errors import (
    BrokerUnavailable,
    ChildDied,
    EngineFailure,
    FacerecError,
    ImageStoreUnavailable,
    IndexIncomplete,
    StoreUnavailable,
    TimeLimitExceeded,
    UnreadableImage,
)
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


@pytest.mark.parametrize("kind", [StoreUnavailable, ImageStoreUnavailable, BrokerUnavailable])
@pytest.mark.parametrize("attempt", [1, 5, 6, 1000])
def test_to_wait_for_a_part_of_the_system_is_no_try(kind: type[FacerecError], attempt: int) -> None:
    assert decide(kind("away"), attempt, 5, 1.0, 0.0) == Retry(backoff(attempt, 1.0, 0.0), counted=False)


def test_nor_is_it_to_wait_for_a_part_of_the_index() -> None:
    assert decide(IndexIncomplete(1, 2), 5, 5, 1.0, 0.0) == Retry(16.0, counted=False)


@pytest.mark.parametrize("attempt", range(1, 40))
def test_waits_double_with_jitter_up_to_a_limit(attempt: int) -> None:
    low, high = backoff(attempt, 2.0, 0.0), backoff(attempt, 2.0, 1.0)
    assert low == min(MAX_DELAY, 2.0 * 2 ** (attempt - 1))
    assert low <= high <= 1.5 * low
