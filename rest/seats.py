"""Who may wait for a worker: never so many that nobody is left to answer the others, nor more than are answered in good time.

A call for which a person waits holds a thread until a worker answers or its time is over. Were all threads held while the workers
are away or busy, uploads would not be taken, and nobody would be told to come later.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from facerec.errors import Backpressure, DeadlineExceeded
from facerec.jobs import Reply, Request
from facerec.ports import Requester
from rest.refusals import RetryAfter
from rest.threads import resting

_KEPT = 8
"""One thread of so many is kept for what waits for nobody, and one at least."""
_SLOW_VERBS = frozenset({"analyse", "enroll"})
"""What has an engine look at a picture. A search is answered beside it."""
GOOD_TIME = 1.0
"""Seconds in which an analysis should be answered."""
_BEGIN = 3
"""Analyses at once before anything is known."""
_LOOK = 0.5
"""Seconds after which whoever waits for his turn looks whether he still has to."""
_FORGETTING = 1.001
"""By how much the quickest answer is taken to be slower with each that follows: workers and pictures change."""


class Shares:
    """So many places. An owner may take another while more are free than he has: others always get one."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()
        self._retry_after = RetryAfter()

    @contextmanager
    def place(self, owner: str) -> Iterator[None]:
        """Raises Backpressure."""
        with self._lock:
            if self._taken[owner] >= self._count - self._taken.total():
                raise Backpressure(
                    "too many calls wait for the workers already; come again later", self._retry_after.next()
                )
            self._taken[owner] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[owner] -= 1
                if not self._taken[owner]:
                    del self._taken[owner]


class ConcurrencyLimit:
    """How many analyses at once the workers answer in good time, found by trying.

    One more with each round of answers in time while so many were asked (as in RFC 7661), a third fewer when one is late (additive
    increase, multiplicative decrease, as in RFC 5681). An answer is late when it took longer than GOOD_TIME, and twice as long as
    the quickest of late: a picture may take its time for itself.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._quickest = float("inf")
        self._cut = float("-inf")
        self.limit = float(min(most, _BEGIN))

    def note(self, seconds: float, *, was_full: bool = True) -> None:
        """An answer took so long; ``was_full``: as many as may were asked at once."""
        self._quickest = min(seconds, self._quickest * _FORGETTING)
        now = self._clock()
        if seconds <= max(GOOD_TIME, 2 * self._quickest):
            if was_full:
                self.limit = min(self._most, self.limit + 1 / self.limit)
        elif now - seconds > self._cut:  # those that were asked before the last cut tell nothing of it
            self._cut = now
            self.limit = max(1.0, self.limit * 2 / 3)


class FairTurns:
    """At most so many at once as ``limit`` says; the others wait, and owners take turns. An owner begins another only while room is
    left for somebody else, who then need not wait until one has ended."""

    def __init__(self, limit: Callable[[], float]) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._lines: OrderedDict[str, deque[object]] = OrderedDict()
        self._running: Counter[str] = Counter()

    @contextmanager
    def turn(self, owner: str, seconds: float, is_gone: Callable[[], bool]) -> Iterator[None]:
        """Wait for the turn, for so long. Raises DeadlineExceeded, also when whoever asked is gone."""
        with self._changed:
            self._wait(owner, time.monotonic() + seconds, is_gone)
            self._running[owner] += 1
        try:
            yield
        finally:
            with self._changed:
                self._running[owner] -= 1
                if not self._running[owner]:
                    del self._running[owner]
                self._changed.notify_all()

    @property
    def running(self) -> int:
        with self._changed:
            return self._running.total()

    @property
    def waiting(self) -> int:
        with self._changed:
            return sum(map(len, self._lines.values()))

    def is_full(self, owner: str) -> bool:
        """Whether the owner has to wait before another begins."""
        with self._changed:
            return self._is_full(owner)

    def _is_full(self, owner: str) -> bool:
        return self._running.total() + (owner in self._running) >= self._limit()

    def _next(self) -> object:
        """The place that has the next turn; None while nobody has it."""
        owner = next((owner for owner in self._lines if not self._is_full(owner)), None)
        return None if owner is None else self._lines[owner][0]

    def _wait(self, owner: str, until: float, is_gone: Callable[[], bool]) -> None:
        line, place = self._lines.setdefault(owner, deque()), object()
        line.append(place)
        try:
            while self._next() is not place:
                left = until - time.monotonic()
                if left <= 0 or is_gone():
                    raise DeadlineExceeded("the workers had no time for this call")
                self._changed.wait(min(left, _LOOK))
        finally:
            line.remove(place)
            if line:
                self._lines.move_to_end(owner)
            else:
                del self._lines[owner]
            self._changed.notify_all()


class SeatedRequester:
    """`facerec.ports.Requester` for so many calls at once as ``threads`` leave; of analyses no more are on their way to the workers
    than these answer soon."""

    def __init__(self, requester: Requester, threads: int) -> None:
        self._requester = requester
        seats = max(1, threads - max(1, threads // _KEPT))
        self.concurrency = ConcurrencyLimit(seats)
        self._seats = Shares(seats)
        self._turns = FairTurns(lambda: self.concurrency.limit)

    def call(self, request: Request, is_gone: Callable[[], bool] = lambda: False) -> Reply:
        """Raises Backpressure, too."""
        with self._seats.place(request.owner), resting():
            if request.verb not in _SLOW_VERBS:
                return self._requester.call(request, is_gone)
            with self._turns.turn(request.owner, request.deadline - time.time(), is_gone):
                return self._timed(request, is_gone)

    def _timed(self, request: Request, is_gone: Callable[[], bool]) -> Reply:
        start, was_full = time.monotonic(), self._turns.is_full(request.owner)
        try:
            return self._requester.call(request, is_gone)
        finally:
            if not is_gone():
                self.concurrency.note(time.monotonic() - start, was_full=was_full)

    def close(self) -> None:
        self._requester.close()
