"""The threads that serve requests, each caller in turn."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Protocol

log = logging.getLogger(__name__)


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

    Callers take turns (fair queueing): who sends a thousand requests at once waits for himself. When the line is full, the newest
    request of whoever has most in it gives way. Of requests with a body above ``large`` bytes at most ``larges`` are served at
    once, because each takes several times its body in memory.
    """

    def __init__(self, threads: int, waiting: int, name: str, *, large: int = 1 << 20, larges: int = 3) -> None:
        self._waiting = waiting
        self._large, self._larges = large, larges
        self._lines: OrderedDict[Hashable, deque[Servable]] = OrderedDict()
        self._changed = threading.Condition()
        self._larges_served = 0
        self._ended = False
        self._threads = [
            threading.Thread(target=self._serve, name=f"{name}-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def add(self, request: Servable) -> Servable | None:
        """Have a request served. The one that gives way for it, perhaps itself, or None."""
        with self._changed:
            line = self._lines.setdefault(request.caller, deque())
            line.append(request)
            dropped = self._drop() if sum(map(len, self._lines.values())) > self._waiting else None
            self._changed.notify()
            return dropped

    def _drop(self) -> Servable:
        caller, line = max(self._lines.items(), key=lambda item: len(item[1]))
        dropped = line.pop()
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

    def _serve(self) -> None:
        while (request := self._next()) is not None:
            is_large = request.body_size > self._large
            try:
                request.service()
            except Exception:
                # A bug, or memory that was not there: this thread serves the next one.
                log.exception("a request could not be served")
            if is_large:
                with self._changed:
                    self._larges_served -= 1
                    self._changed.notify_all()

    def _next(self) -> Servable | None:
        """The next request; None at the end."""
        with self._changed:
            while (request := self._take()) is None:
                if self._ended and not self._lines:
                    return None
                self._changed.wait()
            return request

    def _take(self) -> Servable | None:
        for caller, line in self._lines.items():
            is_large = line[0].body_size > self._large
            if is_large and self._larges_served >= self._larges:
                continue
            self._larges_served += is_large
            request = line.popleft()
            if line:
                self._lines.move_to_end(caller)
            else:
                del self._lines[caller]
            return request
        return None
