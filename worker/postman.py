"""Calls the webhooks that are due: one thread that looks, some that call.

A receiver may be slow, or hang until the time limit. Each owner has only some of the calls, and fewer when many are under way, so
that the others are told meanwhile.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from facerec.errors import FacerecError, ServiceUnavailable
from facerec.ports import Notice
from facerec.services.webhooks import Courier
from worker.guard import guarded_thread

log = logging.getLogger(__name__)
EVERY = 1.0
AT_ONCE = 32
"""Calls under way. Nearly all of them wait, and a thread that waits costs little."""
EACH = 4
"""Of one owner; when half of all are under way, one."""
LEASE = 900.0
"""Seconds after which another worker takes over what this one did not settle: longer than a call can take."""
_LEAVE_AFTER = 2.0


class Postman:
    """Looks every second, and when a call has ended. What it does not settle, another worker does later."""

    def __init__(self, courier: Courier, crashed: Callable[[], None]) -> None:
        self._courier = courier
        self._crashed = crashed
        self._calling: Counter[str] = Counter()
        """How many calls of each owner are under way."""
        self._lock = threading.Lock()
        self._look = threading.Event()
        self._stop = threading.Event()
        self._thread = guarded_thread(self._run, "postman", crashed)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Begin nothing new. A call that hangs is left behind: it is due again later."""
        self._stop.set()
        self._look.set()
        if self._thread.is_alive():
            self._thread.join(_LEAVE_AFTER)

    def _run(self) -> None:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook") as callers:
            while not self._stop.is_set():
                self._look.clear()
                if not self._round(callers):
                    self._look.wait(EVERY)

    def _round(self, callers: ThreadPoolExecutor) -> int:
        """Begin calls; how many."""
        with self._lock:
            calling = +self._calling
        free = AT_ONCE - calling.total()
        half = AT_ONCE // 2
        limit, each = (free - half, EACH) if free > half else (free, 1)
        if not limit:
            return 0
        try:
            notices = self._courier.due(limit, LEASE, each, calling)
        except ServiceUnavailable as error:
            log.debug("webhooks wait: %s", error.reason, extra={"action": "waiting"})
            return 0
        except FacerecError as error:
            log.error("webhooks stand still: %s", error.reason, extra={"action": "webhook", "code": error.code})
            return 0
        for notice in notices:
            with self._lock:
                self._calling[notice.owner] += 1
            callers.submit(self._call, notice)
        return len(notices)

    def _call(self, notice: Notice) -> None:
        """For the pool, which would keep what escapes to itself."""
        try:
            self._deliver(notice)
        except Exception:
            log.exception("a webhook of %s broke", notice.owner, extra={"action": "crashed"})
            self._crashed()
        finally:
            with self._lock:
                self._calling[notice.owner] -= 1
            self._look.set()

    def _deliver(self, notice: Notice) -> None:
        if self._stop.is_set():
            return
        try:
            self._courier.deliver(notice)
        except ServiceUnavailable as error:
            log.info("a webhook waits: %s", error.reason, extra={"action": "waiting"})
        except FacerecError as error:
            # A key of a wrong type, say, which is for `facerec fsck`. It is due again when the lease ends.
            fields = {"action": "webhook", "owner": notice.owner, "image_hash": notice.hash, "code": error.code}
            log.error("nobody is told of %s: %s", notice.hash, error.reason, extra=fields)
