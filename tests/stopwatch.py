"""How long something took, on a machine that others share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

TICK = 0.01


class Stopwatch:
    """Seconds for which the machine let this process run: beside others it may stand still for seconds, and then so does this.

    ``with stopwatch() as watch: ...``, then ``watch.seconds``. It counts the ticks of a thread, each a little too long, so that it
    is behind a clock also on an idle machine: for upper limits alone.
    """

    def __init__(self) -> None:
        self._ticks = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    @property
    def seconds(self) -> float:
        return self._ticks * TICK

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _tick(self) -> None:
        while not self._over.wait(TICK):
            self._ticks += 1


@contextmanager
def stopwatch() -> Iterator[Stopwatch]:
    watch = Stopwatch()
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()
