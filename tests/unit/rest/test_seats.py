"""Who may wait for a worker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from facerec.errors import Backpressure, DeadlineExceeded
from facerec.jobs import Reply, Request
from rest.seats import SeatedRequester


def request_of(owner: str) -> Request:
    return Request("analyse", owner, 0.0, {}, b"")


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
    seats = SeatedRequester(workers, 16, lambda: 0)
    waiting = {owner: fill(pool, seats, workers, owner) for owner in ("ann", "bob", "cem", "dan", "eve")}

    assert [len(calls) for calls in waiting.values()] == [7, 4, 2, 1, 0]
    workers.over.set()
    for calls in waiting.values():
        for call in calls:
            assert isinstance(call.exception(30), DeadlineExceeded)
    workers.over.clear()
    assert len(fill(pool, seats, workers, "eve")) == 7, "every seat is free again"


def test_streams_of_events_take_threads_too(pool: ThreadPoolExecutor, workers: Waiting) -> None:
    streams = 10
    seats = SeatedRequester(workers, 16, lambda: streams)
    assert len(fill(pool, seats, workers, "ann")) == 2
    streams = 15
    assert fill(pool, seats, workers, "bob") == []


def test_a_single_thread_may_wait(pool: ThreadPoolExecutor, workers: Waiting) -> None:
    assert len(fill(pool, SeatedRequester(workers, 1, lambda: 0), workers, "ann")) == 1
