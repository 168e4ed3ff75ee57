"""The threads that serve requests, each caller in turn."""

from __future__ import annotations

import logging
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Protocol

log = logging.getLogger(__name__)


_here = threading.local()


@contextmanager
def resting() -> Iterator[None]:
    """While a thread waits in this block for a worker another may run in its place, also for the same caller.

    Only for waits of which there are fewer than threads (`rest.seats`).
    """
    rest = getattr(_here, "rest", None)
    with nullcontext() if rest is None else rest():
        yield


class Servable(Protocol):
    """A request that has come whole."""

    @property
    def caller(self) -> Hashable:
        """Who asks: requests of one caller wait for each other before those of others do."""

    @property
    def body_size(self) -> int:
        """In bytes."""

    def service(self) -> None:
        """Answer it."""


class FairThreads:
    """So many ``threads``, for which at most ``waiting`` requests wait.

    Callers take turns (fair queueing), and one gets another thread only while more are free than he has: who sends a thousand
    requests at once waits for himself. When the line is full, the newest request of whoever has most in it gives way.

    Those with a body above ``large`` bytes have at most ``bodies`` bytes together while they are served, because each takes several
    times that in memory; one that is larger alone is served alone. None overtakes another that waits for that.

    No request is begun while as many run as `let_run` says, beside those that are `resting`.
    """

    def __init__(self, threads: int, waiting: int, name: str, *, large: int = 1 << 20, bodies: int = 16 << 20) -> None:
        self._most_running = threads
        self._waiting = waiting
        self._large = large
        self._most_bytes, self._bytes_served = bodies, 0
        self._lines: OrderedDict[Hashable, deque[Servable]] = OrderedDict()
        self._served: Counter[Hashable] = Counter()
        self._resting: Counter[Hashable] = Counter()
        self._changed = threading.Condition()
        self._count = 0
        self._ended = False
        names = (f"{name}-{number}" for number in range(threads))
        self._threads = [threading.Thread(target=self._serve, name=each, daemon=True) for each in names]
        for thread in self._threads:
            thread.start()

    def add(self, request: Servable) -> Servable | None:
        """Have a request served. The one that gives way for it, perhaps itself, or None."""
        with self._changed:
            line = self._lines.setdefault(request.caller, deque())
            line.append(request)
            self._count += 1
            dropped = self._drop() if self._count > self._waiting else None
            self._changed.notify()
            return dropped

    def _drop(self) -> Servable:
        caller, line = max(self._lines.items(), key=lambda item: len(item[1]))
        dropped = line.pop()
        self._count -= 1
        if not line:
            del self._lines[caller]
        return dropped

    def shut_down(self, seconds: float) -> None:
        """End the threads when they have served what waits."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(seconds)

    def let_run(self, most: int) -> None:
        """From now on so many requests run at once; those that run already do so to their end."""
        if most != self._most_running:
            with self._changed:
                self._most_running = most
                self._changed.notify_all()

    def is_full_for(self, caller: Hashable) -> bool:
        """Whether another request of this caller would have one of his give way."""
        return self._count >= self._waiting and caller in self._lines

    @contextmanager
    def _rest(self, caller: Hashable) -> Iterator[None]:
        with self._changed:
            self._resting[caller] += 1
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._resting[caller] -= 1

    def _serve(self) -> None:
        while (taken := self._next()) is not None:
            caller, size, request = taken
            _here.rest = partial(self._rest, caller)
            try:
                request.service()
            except Exception:
                # A bug, or memory that was not there: this thread serves the next one.
                log.exception("a request could not be served")
            with self._changed:
                self._bytes_served -= size
                self._served[caller] -= 1
                if not self._served[caller]:
                    del self._served[caller]
                    del self._resting[caller]

    def _next(self) -> tuple[Hashable, int, Servable] | None:
        """The next request, whose it is and the bytes of its body, 0 unless it is large; None at the end."""
        with self._changed:
            while (taken := self._take()) is None:
                if self._ended and not self._lines:
                    return None
                self._changed.wait()
            if self._lines:
                self._changed.notify()  # what waits may be for another thread, which nobody told of it when it came
            return taken

    def _take(self) -> tuple[Hashable, int, Servable] | None:
        free = len(self._threads) - self._served.total()
        may_run = self._most_running - self._served.total() + self._resting.total()
        room = self._most_bytes - self._bytes_served
        for caller, line in self._lines.items():
            size = line[0].body_size if line[0].body_size > self._large else 0
            runs = self._served[caller] - self._resting[caller]
            if runs >= min(free, may_run):
                continue
            if size and self._bytes_served and size > room:
                room = 0
                continue
            self._bytes_served += size
            self._served[caller] += 1
            request = line.popleft()
            self._count -= 1
            if line:
                self._lines.move_to_end(caller)
            else:
                del self._lines[caller]
            return caller, size, request
        return None
