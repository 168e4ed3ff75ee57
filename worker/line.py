"""The line of tasks before the engine children: what a person waits for goes first, then first come, first served."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from facerec.errors import FacerecError
from facerec.faces import Analysis
from facerec.wire import Task

Result = Analysis | FacerecError


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A task in the line; see `worker.pool.EnginePool.submit`."""

    task: Task
    done: Callable[[Result], None]
    is_wanted: Callable[[], bool]
    dropped: Callable[[], None]


class Line:
    """Safe for many threads.

    Whoever takes urgent tasks alone gets them first: the children of the others give way to all other programs.
    """

    def __init__(self) -> None:
        self._urgent: deque[Place] = deque()
        self._bulk: deque[Place] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._for_urgent = 0
        """Who waits for urgent tasks alone."""

    def put(self, place: Place, *, urgent: bool) -> None:
        with self._changed:
            (self._urgent if urgent else self._bulk).append(place)
            # All are woken because one that takes urgent tasks alone may be the one that wakes.
            self._changed.notify_all()

    def take(self, *, urgent_only: bool) -> Place | None:
        """The next task, once there is one; None when the line is closed."""
        with self._changed:
            while not self._closed:
                if len(self._urgent) > (0 if urgent_only else self._for_urgent):
                    return self._urgent.popleft()
                if self._bulk and not urgent_only:
                    return self._bulk.popleft()
                self._for_urgent += urgent_only
                self._changed.wait()
                self._for_urgent -= urgent_only
            return None

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
