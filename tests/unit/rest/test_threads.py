"""Who is served next, and how many at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from rest.threads import FairThreads, resting

LONGEST = 30.0


@dataclass
class Asked:
    """A request that is served until it may end."""

    caller: str
    served: list[str]
    body_size: int = 0
    rests: bool = False
    begun: threading.Event = field(default_factory=threading.Event)
    may_end: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def service(self) -> None:
        self.served.append(self.caller)
        if self.rests:
            with resting():
                self._wait()
        else:
            self._wait()

    def _wait(self) -> None:
        self.begun.set()
        assert self.may_end.wait(LONGEST)
        self.ended.set()


class Queue:
    """FairThreads, and what was asked of them."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.served: list[str] = []
        self.pools: list[FairThreads] = []

    def threads(self, count: int, waiting: int = 100) -> FairThreads:
        self.pools.append(FairThreads(count, waiting, "test"))
        return self.pools[-1]

    def ask(self, threads: FairThreads, caller: str, *, body_size: int = 0, rests: bool = False) -> Asked:
        request = Asked(caller, self.served, body_size, rests)
        self.asked.append(request)
        dropped = threads.add(request)
        if isinstance(dropped, Asked):
            dropped.served.append(f"not {dropped.caller}")
        return request

    def let_all_end(self) -> None:
        for request in self.asked:
            request.may_end.set()


@pytest.fixture
def queue() -> Iterator[Queue]:
    found = Queue()
    yield found
    found.let_all_end()
    for threads in found.pools:
        threads.shut_down(LONGEST)


def test_callers_take_turns(queue: Queue) -> None:
    threads = queue.threads(1)
    first = queue.ask(threads, "greedy")
    assert first.begun.wait(LONGEST)
    for caller in ["greedy"] * 5 + ["ann", "bob", "ann"]:
        queue.ask(threads, caller)
    queue.let_all_end()
    threads.shut_down(LONGEST)

    assert queue.served == ["greedy", "greedy", "ann", "bob", "greedy", "ann", "greedy", "greedy", "greedy"]


def test_a_caller_leaves_threads_to_others(queue: Queue) -> None:
    threads = queue.threads(4)
    greedy = [queue.ask(threads, "greedy") for _ in range(4)]
    assert greedy[1].begun.wait(LONGEST)
    ann, bob = queue.ask(threads, "ann"), queue.ask(threads, "bob")

    assert ann.begun.wait(LONGEST)
    assert bob.begun.wait(LONGEST)
    assert not greedy[2].begun.is_set()
    ann.may_end.set()
    bob.may_end.set()
    greedy[0].may_end.set()
    assert greedy[2].begun.wait(LONGEST)


def test_in_a_full_line_the_newest_of_who_has_most_gives_way(queue: Queue) -> None:
    threads = queue.threads(1, waiting=3)
    assert queue.ask(threads, "greedy").begun.wait(LONGEST)
    for _ in range(3):
        queue.ask(threads, "greedy")
    assert threads.is_full_for("greedy")
    assert not threads.is_full_for("ann")

    queue.ask(threads, "ann")
    queue.ask(threads, "greedy")
    queue.let_all_end()
    threads.shut_down(LONGEST)

    assert queue.served[:3] == ["greedy", "not greedy", "not greedy"]
    assert sorted(queue.served[3:]) == ["ann", "greedy", "greedy"]


def test_bodies_that_are_served_at_once_have_so_many_bytes_together(queue: Queue) -> None:
    threads = queue.threads(8)
    large = [queue.ask(threads, f"owner{n}", body_size=7_000_000) for n in range(3)]
    for request in large[:2]:
        assert request.begun.wait(LONGEST)
    small = queue.ask(threads, "ann")

    assert small.begun.wait(LONGEST)
    assert not large[2].begun.is_set()
    large[0].may_end.set()
    assert large[2].begun.wait(LONGEST)


def test_a_body_that_is_too_large_beside_others_is_served_alone(queue: Queue) -> None:
    threads = queue.threads(8)
    first, huge = (queue.ask(threads, who, body_size=size) for who, size in (("ann", 2_000_000), ("bob", 50_000_000)))
    assert first.begun.wait(LONGEST)
    assert not huge.begun.wait(0.2)
    first.may_end.set()
    assert huge.begun.wait(LONGEST)
    later, small = queue.ask(threads, "cem", body_size=2_000_000), queue.ask(threads, "dan", body_size=1_000)
    assert small.begun.wait(LONGEST)
    assert not later.begun.wait(0.2)
    huge.may_end.set()
    assert later.begun.wait(LONGEST)


def test_no_large_body_overtakes_one_that_waits_for_room(queue: Queue) -> None:
    threads = queue.threads(8)
    first = queue.ask(threads, "ann", body_size=9_000_000)
    assert first.begun.wait(LONGEST)
    waits = queue.ask(threads, "bob", body_size=9_000_000)
    fits = queue.ask(threads, "cem", body_size=2_000_000)
    assert not fits.begun.wait(0.2), "else others could keep bob from his turn for ever"
    first.may_end.set()
    assert waits.begun.wait(LONGEST)
    assert fits.begun.wait(LONGEST)


def test_when_few_may_run_who_waits_for_a_worker_does_not_count(queue: Queue) -> None:
    threads = queue.threads(8)
    threads.let_run(1)
    waits = queue.ask(threads, "ann", rests=True)
    assert waits.begun.wait(LONGEST)
    runs = queue.ask(threads, "bob")
    assert runs.begun.wait(LONGEST)
    later = queue.ask(threads, "cem")
    assert not later.begun.wait(0.2)
    threads.let_run(8)

    assert later.begun.wait(LONGEST)


def test_who_waits_for_workers_with_many_calls_is_served_all_the_same(queue: Queue) -> None:
    """He must be told at once that he has too many."""
    threads = queue.threads(4)
    for _ in range(3):
        assert queue.ask(threads, "ann", rests=True).begun.wait(LONGEST)
    assert queue.ask(threads, "ann").begun.wait(LONGEST)


def test_a_thread_outlives_what_breaks(queue: Queue, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Asked):
        def service(self) -> None:
            raise MemoryError

    threads = queue.threads(1)
    threads.add(Broken("ann", queue.served))
    after = queue.ask(threads, "ann")

    assert after.begun.wait(LONGEST)
    assert "a request could not be served" in caplog.text


def test_resting_elsewhere_does_nothing() -> None:
    with resting():
        pass
