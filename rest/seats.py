"""Who may wait for a worker: never so many that nobody is left to answer the others.

A call for which a person waits holds a thread until a worker answers or its time is over. Were all threads held while the workers
are away or busy, uploads would not be taken, `/healthz` would say nothing, and the process would be taken for dead.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from facerec.errors import Backpressure
from facerec.jobs import Reply, Request
from facerec.ports import Requester

_KEPT = 8
"""One thread of so many is kept for what waits for nobody, and one at least."""
_RETRY_AFTER = 5


class SeatedRequester:
    """`facerec.ports.Requester` for so many calls at once as ``threads`` leave beside the streams of events.

    An owner may begin another call while more seats are free than he has taken, so that others always get one.
    """

    def __init__(self, requester: Requester, threads: int, streams: Callable[[], int]) -> None:
        self._requester = requester
        self._seats = max(1, threads - max(1, threads // _KEPT))
        self._streams = streams
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    def call(self, request: Request, is_gone: Callable[[], bool] = lambda: False) -> Reply:
        """Raises Backpressure, too."""
        with self._seat(request.owner):
            return self._requester.call(request, is_gone)

    def close(self) -> None:
        self._requester.close()

    @contextmanager
    def _seat(self, owner: str) -> Iterator[None]:
        with self._lock:
            free = max(0, self._seats - self._streams()) - self._taken.total()
            if self._taken[owner] >= free:
                raise Backpressure("too many calls wait for the workers already; come again later", _RETRY_AFTER)
            self._taken[owner] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[owner] -= 1
                if not self._taken[owner]:
                    del self._taken[owner]
