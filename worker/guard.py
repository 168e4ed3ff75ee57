"""Threads that must not die unnoticed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


def guarded_thread(run: Callable[[], None], name: str, crashed: Callable[[], None]) -> threading.Thread:
    """A thread for ``run``. If an error escapes from it, that is a bug: it is logged and ``crashed`` is called, which ends the
    process, so that the broker gives its jobs to others."""

    def target() -> None:
        try:
            run()
        except Exception:
            log.exception("thread %s crashed", name, extra={"action": "crashed"})
            crashed()

    return threading.Thread(target=target, name=name, daemon=True)
