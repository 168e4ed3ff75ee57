"""Calls the webhooks that are due: one thread that looks, some that call."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from facerec.errors import ServiceUnavailable
from facerec.ports import Notice
from facerec.services.webhooks import Courier
from worker.guard import guarded_thread

log = logging.getLogger(__name__)
EVERY = 1.0
AT_ONCE = 4
BATCH = 32
LEASE = 600.0
"""Seconds after which another worker takes over what this one did not settle: longer than a batch can take."""
_LEAVE_AFTER = 2.0


class Postman:
    """Looks every second; while there is more, at once again. What it does not settle, another worker does later."""

    def __init__(self, courier: Courier, crashed: Callable[[], None]) -> None:
        self._courier = courier
        self._stop = threading.Event()
        self._thread = guarded_thread(self._run, "postman", crashed)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Begin nothing new. A call that hangs is left behind: it is due again later."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_LEAVE_AFTER)

    def _run(self) -> None:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook") as callers:
            while not self._stop.is_set():
                if self._round(callers) < BATCH:
                    self._stop.wait(EVERY)

    def _round(self, callers: ThreadPoolExecutor) -> int:
        try:
            notices = self._courier.due(BATCH, LEASE)
        except ServiceUnavailable as error:
            log.debug("webhooks wait: %s", error.reason, extra={"action": "waiting"})
            return 0
        list(callers.map(self._deliver, notices))
        return len(notices)

    def _deliver(self, notice: Notice) -> None:
        if self._stop.is_set():
            return
        try:
            self._courier.deliver(notice)
        except ServiceUnavailable as error:
            log.info("a webhook waits: %s", error.reason, extra={"action": "waiting"})
