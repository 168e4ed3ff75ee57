"""What dies starts again; what dies again and again holds nobody else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from facerec.local.keeper import LOOK_EVERY, Keeper


class Hours:
    """A clock that goes on by waiting, and the event that ends after ``end`` seconds; ``then`` is what happens when."""

    def __init__(self, end: float, then: dict[float, Any]) -> None:
        self.now = 0.0
        self._end = end
        self._then = then

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        for when in [when for when in self._then if when <= self.now]:
            self._then.pop(when)()
        return self.is_set()

    def is_set(self) -> bool:
        return self.now >= self._end


class Fake:
    """A part; ``lives`` when it was started and has not died since."""

    def __init__(self, name: str, hours: Hours, *, dies_at_once: bool = False) -> None:
        self.name = name
        self.identity: object | None = None if dies_at_once else self
        self.started: list[float] = []
        self._hours = hours
        self._dies_at_once = dies_at_once

    def start(self) -> None:
        self.started.append(self._hours.now)
        self.identity = None if self._dies_at_once else self

    def die(self) -> None:
        self.identity = None


def test_a_part_that_dies_at_once_waits_longer_each_time_and_no_other_waits_for_it() -> None:
    deaths: dict[float, Any] = {}
    hours = Hours(200.0, deaths)
    broken, worker = Fake("rest", hours, dies_at_once=True), Fake("worker", hours)
    deaths[70.0] = worker.die
    stack: Any = SimpleNamespace(kept_parts=lambda: [broken, worker])
    stop: Any = hours

    Keeper(stack, stop, lambda: hours.now).run()

    waits = [later - earlier for earlier, later in zip(broken.started, broken.started[1:], strict=False)]
    assert waits == sorted(waits)
    assert waits[-1] > 30
    assert len(worker.started) == 1
    assert 70.0 <= worker.started[0] <= 70.0 + 3 * LOOK_EVERY
