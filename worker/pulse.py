"""Tells the others that this worker lives: in the store for the front door, by a touched file for the cluster."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from facerec.errors import ServiceUnavailable
from facerec.ports import Workers

log = logging.getLogger(__name__)
EVERY = 2.0
FORGOTTEN_AFTER = 10.0


class Pulse:
    """One thread that beats every EVERY seconds; a worker not heard of for FORGOTTEN_AFTER seconds counts as gone."""

    def __init__(
        self, name: str, workers: Workers, state: Callable[[], dict[str, Any]], health_file: Path | None
    ) -> None:
        self._name = name
        self._workers = workers
        self._state = state
        self._health_file = health_file
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """The worker is gone from now on."""
        self._stop.set()
        self._thread.join()
        try:
            self._workers.gone(self._name)
        except ServiceUnavailable as error:
            log.debug("could not sign off: %s", error.reason, extra={"action": "pulse"})

    def _run(self) -> None:
        while True:
            self._beat()
            if self._stop.wait(EVERY):
                return

    def _beat(self) -> None:
        if self._health_file:
            self._health_file.touch()
        try:
            self._workers.alive(self._name, self._state(), FORGOTTEN_AFTER)
        except ServiceUnavailable as error:
            # The front door sees by itself that the store is away.
            log.debug("could not tell that I live: %s", error.reason, extra={"action": "pulse"})
