"""Starts again what dies."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable

from facerec.local.parts import Part
from facerec.local.process import ProcessFailed
from facerec.local.stack import LocalStack

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
LONGEST_WAIT = 60.0


class Keeper:
    """Looks after the parts of ``stack`` until ``stop`` is set; a part that dies again and again waits longer each time, the others
    do not. ``clock`` is in seconds."""

    def __init__(self, stack: LocalStack, stop: threading.Event, clock: Callable[[], float] = time.monotonic) -> None:
        self._parts = stack.kept_parts()
        self._stop = stop
        self._clock = clock
        self._deaths: Counter[str] = Counter()
        self._due: dict[str, float] = {}

    def run(self) -> None:
        while not self._stop.wait(LOOK_EVERY):
            for part in self._parts:
                if part.identity is not None:
                    self._due.pop(part.name, None)
                elif not self._stop.is_set():
                    self._look_after(part)

    def _look_after(self, part: Part) -> None:
        if part.name not in self._due:
            self._note_death(part.name)
        elif self._due[part.name] <= self._clock():
            del self._due[part.name]
            try:
                part.start()
            except ProcessFailed as error:
                log.error("%s", error.reason)

    def _note_death(self, name: str) -> None:
        self._deaths[name] += 1
        wait = min(LONGEST_WAIT, 2.0 ** (self._deaths[name] - 1))
        log.warning("%s died (%d times so far); it starts again in %g s", name, self._deaths[name], wait)
        self._due[name] = self._clock() + wait
