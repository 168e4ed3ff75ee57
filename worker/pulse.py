"""Tells the others that this worker lives: in the store for the front door, by a touched file for the cluster."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from facerec.engine.memory import give_back
from facerec.errors import FacerecError, ServiceUnavailable
from facerec.ports import Workers
from worker.guard import guarded_thread

log = logging.getLogger(__name__)
EVERY = 2.0
FORGOTTEN_AFTER = 10.0


class Pulse:
    """One thread that beats every EVERY seconds; a worker not heard of for FORGOTTEN_AFTER seconds counts as gone.

    With each beat the memory that batches left behind goes back to the system: after each commit it would cost too much.
    The file is touched from `ready` on: the cluster counts a worker that still loads its index as starting.
    """

    def __init__(
        self,
        name: str,
        workers: Workers,
        state: Callable[[], dict[str, Any]],
        health_file: Path | None,
        crashed: Callable[[], None],
    ) -> None:
        self._name = name
        self._workers = workers
        self._state = state
        self._health_file = health_file
        self._is_ready = False
        self._stopped = False
        self._wake = threading.Event()
        self._thread = guarded_thread(self._run, "pulse", crashed)

    def start(self) -> None:
        self._thread.start()

    def ready(self) -> None:
        """The worker can work from now on; tell so at once."""
        self._is_ready = True
        self._wake.set()

    def close(self) -> None:
        """The worker is gone from now on."""
        self._stopped = True
        self._wake.set()
        self._thread.join()
        try:
            self._workers.gone(self._name)
        except FacerecError as error:
            log.debug("could not sign off: %s", error.reason, extra={"action": "pulse"})

    def _run(self) -> None:
        while not self._stopped:
            self._beat()
            give_back()
            self._wake.wait(EVERY)
            self._wake.clear()

    def _beat(self) -> None:
        try:
            if self._health_file and self._is_ready:
                self._health_file.touch()
            self._workers.alive(self._name, self._state(), FORGOTTEN_AFTER)
        except (OSError, RuntimeError) as error:
            # A file system that takes nothing for now, or what is told changed while it was read: the next beat is near.
            log.error("a beat is left out: %r", error, extra={"action": "pulse"})
        except ServiceUnavailable as error:
            # The front door sees by itself that the store is away.
            log.debug("could not tell that I live: %s", error.reason, extra={"action": "pulse"})
        except FacerecError as error:
            log.error("nobody is told that I live: %s", error.reason, extra={"action": "pulse", "code": error.code})
