"""Starts again what dies."""

from __future__ import annotations

import logging
import threading

from facerec.local.parts import Part
from facerec.local.process import ProcessFailed
from facerec.local.stack import LocalStack

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
LONGEST_WAIT = 60.0


class Keeper:
    """Looks after the parts of ``stack`` until ``stop`` is set; waits longer each time the same part dies."""

    def __init__(self, stack: LocalStack, stop: threading.Event) -> None:
        self._parts = stack.kept_parts()
        self._stop = stop
        self._deaths = dict.fromkeys((part.name for part in self._parts), 0)

    def run(self) -> None:
        while not self._stop.wait(LOOK_EVERY):
            for part in self._parts:
                if part.identity is None and not self._stop.is_set():
                    self._restart(part)

    def _restart(self, part: Part) -> None:
        self._deaths[part.name] += 1
        wait = min(LONGEST_WAIT, 2.0 ** (self._deaths[part.name] - 1))
        log.warning("%s died (%d times so far); it starts again in %g s", part.name, self._deaths[part.name], wait)
        if self._stop.wait(wait):
            return
        try:
            part.start()
        except ProcessFailed as error:
            log.error("%s", error.reason)
