"""Whether a part takes writes is asked now and then, for all, and keeps nobody waiting."""

from __future__ import annotations

import threading
import time

import pytest

from facerec.errors import ImageStoreRefusesWrites, ImageStoreUnavailable, InternalError
from facerec.services.write_check import EVERY, PATIENCE, WriteCheck


class Part:
    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None
        self.goes_on = threading.Event()
        self.goes_on.set()

    def ask(self) -> None:
        self.asked += 1
        assert self.goes_on.wait(30)
        if self.error:
            raise self.error


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def part() -> Part:
    return Part()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def check(part: Part, clock: Clock) -> WriteCheck:
    return WriteCheck(part.ask, ImageStoreUnavailable, clock=clock)


def test_an_answer_holds_for_all_who_ask_within_some_seconds(check: WriteCheck, part: Part, clock: Clock) -> None:
    part.error = ImageStoreRefusesWrites("full")
    for clock.now in (0.0, 1.0, EVERY - 0.1):
        with pytest.raises(ImageStoreRefusesWrites, match="full"):
            check.check()
    assert part.asked == 1

    part.error = None
    clock.now = EVERY
    check.check()
    assert part.asked == 2


def test_one_that_hangs_is_told_to_hang_and_not_asked_again(check: WriteCheck, part: Part, clock: Clock) -> None:
    part.goes_on.clear()
    with pytest.raises(ImageStoreUnavailable, match="not come to an end"):
        check.check()
    clock.now = 60.0
    begun = time.monotonic()
    for _ in range(20):
        with pytest.raises(ImageStoreUnavailable, match="for 60 s"):
            check.check()
    assert time.monotonic() - begun < 20 * PATIENCE / 2, "whoever comes later waits no more"
    assert part.asked == 1

    part.goes_on.set()
    check._current().answer.result(30)
    check.check()
    assert part.asked == 2


def test_what_is_a_fault_of_ours_is_raised_as_it_is(check: WriteCheck, part: Part) -> None:
    part.error = InternalError("broken")
    with pytest.raises(InternalError):
        check.check()
