"""A stream of what is stored and identified, as server-sent events: GET /stream?seconds=60."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from facerec.plugins.handlers import BaseHandler

WAITING = 1000
_listeners: dict[str, set[queue.Queue[str]]] = defaultdict(set)
_lock = threading.Lock()


class Stream(BaseHandler):
    def get(self) -> Iterator[str]:
        self.content_type = "text/event-stream"
        seconds = min(3600.0, float(self.parameters.get("seconds", 60)))
        return _follow(self.user, time.monotonic() + seconds)


def _follow(owner: str, until: float) -> Iterator[str]:
    inbox: queue.Queue[str] = queue.Queue(WAITING)
    with _lock:
        _listeners[owner].add(inbox)
    try:
        yield ": ready\n\n"
        while (left := until - time.monotonic()) > 0:
            try:
                yield inbox.get(timeout=min(left, 10.0))
            except queue.Empty:
                yield ": still here\n\n"
    finally:
        with _lock:
            _listeners[owner].discard(inbox)


def _tell(owner: str, event: str, document: Any) -> None:
    text = f"event: {event}\ndata: {json.dumps(document)}\n\n"
    with _lock:
        for inbox in _listeners[owner]:
            if not inbox.full():  # a listener that does not listen must not hold up the others
                inbox.put_nowait(text)


def stored(owner: str, faces: Sequence[Any]) -> None:
    """Called after faces were stored."""
    _tell(owner, "stored", [{"id": face.id, "meta": face.meta} for face in faces])


def identified(owner: str, results: Mapping[str, Any]) -> None:
    """Called after each identify."""
    _tell(owner, "identified", results)


def activate(app: Any, ctx: Any, options: Any) -> None:  # noqa: ARG001 - every plugin gets all three
    """Called once at the start."""
    app.add_handlers(".*", [(r"/stream", Stream)])
    ctx.hooks.add_after_store(__name__, stored)
    ctx.hooks.add_after_identify(__name__, identified)
