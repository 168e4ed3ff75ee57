"""A stream of what is stored and identified, as server-sent events: GET /stream?seconds=60; a page that shows it: GET /stream/page.

What it tells is what this process of the front end did, so it wants REST_PROCESSES=1, which is the default.
"""

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


PAGE = """<!doctype html><html lang=en><meta charset=utf-8><title>What happens</title>
<h1>What happens</h1><p id=state>connecting</p><ol id=events reversed></ol><script src="/stream/page.js"></script></html>
"""
SCRIPT = """
const source = new EventSource('/stream?seconds=3600')
const show = text => {
  const item = document.createElement('li')
  item.textContent = text
  document.getElementById('events').prepend(item)
}
source.onopen = () => { document.getElementById('state').textContent = 'listening' }
source.onerror = () => { document.getElementById('state').textContent = 'connecting' }
source.addEventListener('stored', event => {
  for (const face of JSON.parse(event.data)) show(`stored ${face.meta || 'a face without meta'}`)
})
source.addEventListener('identified', event => {
  for (const matches of Object.values(JSON.parse(event.data))) {
    const best = matches[0]
    show(best ? `identified ${best.face.meta} with confidence ${best.confidence.toFixed(3)}` : 'identified nobody')
  }
})
"""


class Page(BaseHandler):
    def get(self) -> str:
        return PAGE


class Script(BaseHandler):
    def get(self) -> str:
        self.content_type = "text/javascript"
        return SCRIPT


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
    app.add_handlers(".*", [(r"/stream", Stream), (r"/stream/page", Page), (r"/stream/page\.js", Script)])
    ctx.hooks.add_after_store(__name__, stored)
    ctx.hooks.add_after_identify(__name__, identified)
