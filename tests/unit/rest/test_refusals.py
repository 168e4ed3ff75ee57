"""What is refused before a thread looks at it, and when its client may come again."""

from __future__ import annotations

import json
import logging

import pytest

from facerec.adapters.memory.rates import MemoryRates
from rest.refusals import GUESSES_AT_ONCE, Refusals, RetryAfter

PEER = "192.0.2.1"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counted() -> list[int]:
    return []


@pytest.fixture
def refusals(clock: Clock, counted: list[int]) -> Refusals:
    return Refusals(MemoryRates(clock), 5.0, counted.append, clock)


def guess(refusals: Refusals, peer: str = PEER) -> None:
    for number in range(GUESSES_AT_ONCE + 1):
        refusals.judged(peer, f"wrong{number}", is_right=False)


def told(seconds: RetryAfter, count: int) -> list[int]:
    return [seconds.next() for _ in range(count)]


def test_the_more_are_refused_the_later_they_may_come_and_not_together(clock: Clock) -> None:
    found = RetryAfter(clock)
    assert all(2 <= each <= 4 for each in told(found, 500))
    for _ in range(10):
        clock.now += 1
        last = told(found, 500)
    assert min(last) >= 60
    assert max(last) <= 120
    assert len(set(last)) > 30


def test_when_few_are_refused_they_may_come_soon_again(clock: Clock) -> None:
    found = RetryAfter(clock)
    for _ in range(10):
        clock.now += 1
        told(found, 500)
    clock.now += 60
    found.next()
    clock.now += 1
    assert found.next() <= 4


def test_after_many_wrong_keys_an_unknown_one_waits(refusals: Refusals, clock: Clock) -> None:
    guess(refusals)
    assert refusals.is_guessing(PEER, "another")
    assert not refusals.is_guessing(PEER, ""), "the page wants none"
    assert not refusals.is_guessing("192.0.2.2", "another")
    clock.now += 60
    assert not refusals.is_guessing(PEER, "another")


def test_who_sends_no_key_guesses_none(refusals: Refusals) -> None:
    for _ in range(10 * GUESSES_AT_ONCE):
        refusals.judged(PEER, "", is_right=False)
    assert not refusals.is_guessing(PEER, "another")


def test_without_a_limit_nobody_waits(clock: Clock, counted: list[int]) -> None:
    refusals = Refusals(MemoryRates(clock), 0.0, counted.append, clock)
    guess(refusals)
    assert not refusals.is_guessing(PEER, "another")


def test_a_key_that_was_right_goes_on_until_it_is_wrong(refusals: Refusals) -> None:
    refusals.judged(PEER, "right", is_right=True)
    guess(refusals)
    assert not refusals.is_guessing(PEER, "right")
    refusals.judged(PEER, "right", is_right=False)
    assert refusals.is_guessing(PEER, "right")


def test_whoever_is_refused_is_told_why_and_when_to_come(refusals: Refusals) -> None:
    for guessing, reason in ((False, "too many requests at once"), (True, "too many wrong keys from this address")):
        head, _, body = refusals.answer(guessing=guessing).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
        assert b"\r\nRetry-After: " in head
        assert f"\r\nContent-Length: {len(body)}".encode() in head
        assert json.loads(body) == {"code": "BACKPRESSURE", "reason": f"{reason}; come again later"}


def test_refusals_are_counted_and_logged_together(
    refusals: Refusals, counted: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    for guessing in (False, True, True):
        refusals.answer(guessing=guessing)
    with caplog.at_level(logging.WARNING):
        refusals.tell()
        refusals.tell()
    assert counted == [1, 2]
    assert [record.getMessage() for record in caplog.records] == [
        "turned away (1): too many requests at once",
        "turned away (2): too many wrong keys from this address",
    ]
