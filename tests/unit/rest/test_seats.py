"""Who may wait for a worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from facerec.errors import Backpressure, DeadlineExceeded
from facerec.jobs import Reply, Request
from rest.seats import GOOD_TIME, ConcurrencyLimit, FairTurns, SeatedRequester
from tests.client import wait_until


def request_of(owner: str) -> Request:
    return Request("analyse", owner, time.time() + 60, {}, b"")


class Waiting:
    """A requester whose workers do not answer before they are told to."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.over = threading.Event()

    def call(self, request: Request, is_gone: Callable[[], bool] = lambda: False) -> Reply:
        self.begun.release()
        assert self.over.wait(30)
        raise DeadlineExceeded("no worker answered in time")

    def close(self) -> None:
        pass


@pytest.fixture
def workers() -> Waiting:
    return Waiting()


@pytest.fixture
def pool(workers: Waiting) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(64) as found:
        yield found
        workers.over.set()


def fill(pool: ThreadPoolExecutor, seats: SeatedRequester, workers: Waiting, owner: str) -> list[Future[Reply]]:
    """Calls of an owner until one is refused; those that wait."""
    waiting: list[Future[Reply]] = []
    while True:
        call = pool.submit(seats.call, request_of(owner))
        while not workers.begun.acquire(timeout=0.01):
            if call.done():
                with pytest.raises(Backpressure):
                    call.result()
                return waiting
        waiting.append(call)


def test_an_owner_leaves_seats_to_others_and_all_leave_a_thread(pool: ThreadPoolExecutor, workers: Waiting) -> None:
    seats = SeatedRequester(workers, 16)
    seats.concurrency.limit = 100.0
    waiting = {owner: fill(pool, seats, workers, owner) for owner in ("ann", "bob", "cem", "dan", "eve")}

    assert [len(calls) for calls in waiting.values()] == [7, 4, 2, 1, 0]
    workers.over.set()
    for calls in waiting.values():
        for call in calls:
            assert isinstance(call.exception(30), DeadlineExceeded)
    workers.over.clear()
    seats.concurrency.limit = 100.0
    assert len(fill(pool, seats, workers, "eve")) == 7, "every seat is free again"


def test_a_search_does_not_wait_for_analyses(pool: ThreadPoolExecutor, workers: Waiting) -> None:
    seats = SeatedRequester(workers, 64)
    seats.concurrency.limit = 1.0
    for _ in range(3):
        pool.submit(seats.call, request_of("ann"))
    assert workers.begun.acquire(timeout=30)
    assert not workers.begun.acquire(timeout=0.2), "one analysis at once, the others wait"
    pool.submit(seats.call, Request("search", "ann", 0.0, {}, b""))

    assert workers.begun.acquire(timeout=30)


def test_owners_take_turns(pool: ThreadPoolExecutor) -> None:
    turns = FairTurns(lambda: 1)
    order: list[str] = []
    may_end = threading.Event()

    def ask(owner: str) -> None:
        with turns.turn(owner, 30, lambda: False):
            order.append(owner)
            assert may_end.wait(30)

    asked = []
    for number, owner in enumerate(["ann", "ann", "ann", "ann", "bob", "cem"]):
        asked.append(pool.submit(ask, owner))
        wait_until(lambda n=number: turns.waiting + turns.running == n + 1, "it waits", seconds=30)  # type: ignore[misc]
    may_end.set()
    for each in asked:
        each.result(30)

    assert order == ["ann", "ann", "bob", "cem", "ann", "ann"]


def test_room_is_left_for_an_owner_who_has_none_running(pool: ThreadPoolExecutor) -> None:
    turns, may_end = FairTurns(lambda: 2.5), threading.Event()

    def ask(owner: str) -> None:
        with turns.turn(owner, 30, lambda: False):
            assert may_end.wait(30)

    for count, owner in enumerate(["ann", "ann", "ann"], 1):
        pool.submit(ask, owner)
        wait_until(lambda n=count: turns.waiting + turns.running == n, "it is there", seconds=30)  # type: ignore[misc]
    assert (turns.running, turns.waiting) == (2, 1)
    pool.submit(ask, "bob")
    wait_until(lambda: turns.running == 3, "bob need not wait", seconds=30)
    assert turns.waiting == 1
    may_end.set()


def test_who_gets_no_turn_in_time_or_is_gone_waits_no_longer() -> None:
    turns = FairTurns(lambda: 0)
    with pytest.raises(DeadlineExceeded), turns.turn("ann", 0.01, lambda: False):
        pass
    with pytest.raises(DeadlineExceeded), turns.turn("ann", 30, lambda: True):
        pass
    assert turns.waiting == 0


def test_a_single_thread_may_wait(pool: ThreadPoolExecutor, workers: Waiting) -> None:
    assert len(fill(pool, SeatedRequester(workers, 1), workers, "ann")) == 1


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Workers:
    """So many pictures a second, whatever the number of those who wait; each takes ``alone`` seconds at least."""

    def __init__(self, each_second: float, alone: float) -> None:
        self.each_second, self.alone = each_second, alone

    def seconds(self, waiting: float) -> float:
        return max(self.alone, waiting / self.each_second)


@pytest.mark.parametrize(("each_second", "alone"), [(1, 0.9), (3, 0.3), (5, 0.2)])
def test_the_pace_is_one_that_the_workers_keep(each_second: float, alone: float) -> None:
    workers, clock = Workers(each_second, alone), Clock()
    concurrency = ConcurrencyLimit(12, clock)
    concurrency.note(alone)
    waits = []
    for _ in range(300):
        seconds = workers.seconds(concurrency.limit)
        clock.now += seconds / concurrency.limit
        concurrency.note(seconds)
        waits.append(seconds)

    assert max(waits[100:]) < 2 * max(GOOD_TIME, 2.5 * alone), "who is let in is answered soon"
    assert sum(waits[100:]) / 200 > GOOD_TIME / 3, "and no more are refused than must be"


def test_pictures_that_take_long_by_themselves_change_nothing() -> None:
    concurrency = ConcurrencyLimit(12, Clock())
    for _ in range(100):
        concurrency.note(4.0)
    assert concurrency.limit == 12


def test_few_calls_tell_nothing_of_how_many_would_be_answered_in_time() -> None:
    concurrency = ConcurrencyLimit(12, Clock())
    before = concurrency.limit
    for _ in range(100):
        concurrency.note(0.1, was_full=False)
    assert concurrency.limit == before


def test_of_those_that_were_asked_before_the_pace_was_cut_none_cuts_it_again() -> None:
    clock = Clock()
    concurrency = ConcurrencyLimit(12, clock)
    concurrency.note(0.1)
    concurrency.limit = 12.0
    clock.now = 10
    for _ in range(12):
        concurrency.note(5.0)
    assert concurrency.limit == 8
    clock.now = 20
    concurrency.note(5.0)
    assert concurrency.limit < 8


def test_one_call_is_always_let_in() -> None:
    clock = Clock()
    concurrency = ConcurrencyLimit(12, clock)
    concurrency.note(0.1)
    for _ in range(20):
        clock.now += 100
        concurrency.note(5.0)
    assert concurrency.limit == 1
