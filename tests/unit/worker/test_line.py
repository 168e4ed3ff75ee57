"""Who gets which task, and when."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from facerec.wire import Task
from tests.client import wait_until
from worker.line import Line, Place

LONGEST = 30.0


def place() -> Place:
    return Place(Task(b""), lambda _: None, lambda: True, lambda: None)


class Takers:
    """Threads that wait at the line."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self._pool = ThreadPoolExecutor(8)
        self._waiting = 0

    def take(self, *, urgent_only: bool) -> Future[Place | None]:
        """Begin to wait for a task."""
        self._waiting += 1
        taken = self._pool.submit(self.line.take, urgent_only=urgent_only)
        condition = self.line._changed
        wait_until(lambda: len(condition._waiters) >= self._waiting, "it waits", seconds=LONGEST)  # type: ignore[attr-defined]
        return taken


@pytest.fixture
def takers() -> Iterator[Takers]:
    found = Takers(Line())
    yield found
    found.line.close()


def test_urgent_tasks_go_first(takers: Takers) -> None:
    bulk, urgent = place(), place()
    takers.line.put(bulk, urgent=False)
    takers.line.put(urgent, urgent=True)
    assert [takers.line.take(urgent_only=False) for _ in range(2)] == [urgent, bulk]


@pytest.mark.parametrize("first", [True, False])
def test_who_takes_urgent_tasks_alone_gets_them_before_the_others(takers: Takers, first: bool) -> None:
    asked = {alone: takers.take(urgent_only=alone) for alone in (first, not first)}
    one, other = place(), place()
    takers.line.put(one, urgent=True)
    assert asked[True].result(LONGEST) is one
    assert not asked[False].done()
    takers.line.put(other, urgent=True)
    assert asked[False].result(LONGEST) is other, "while the first is at work any other takes the next"


def test_at_the_end_nobody_waits_any_more(takers: Takers) -> None:
    asked = [takers.take(urgent_only=alone) for alone in (True, False)]
    threading.Timer(0.05, takers.line.close).start()
    assert [each.result(LONGEST) for each in asked] == [None, None]
