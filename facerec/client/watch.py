"""Waiting for images to be finished: by the service's events when it sends them, else by asking ever more seldom.

An event can be missed (a cut connection, an image that was done before we listened), so every image is asked for as well:
once soon after it was added unless an event has told of it, and then as seldom as `_longest_pause` says.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from queue import Empty, SimpleQueue
from typing import Any

from facerec.client.errors import Busy, ClientError, Missing, ServiceAway, Unavailable, Unreachable
from facerec.client.events import Event, events_in
from facerec.client.transport import Call, Transport

log = logging.getLogger(__name__)

FIRST_CHECK = 0.1
LONGEST_POLL = 5.0
LONGEST_LIVE = 60.0
RECONNECT = 2.0
UNKNOWN_AFTER = 60.0
"""A service that was told of an image knows it within this many seconds, unless it was erased."""
CHECKS_AT_ONCE = 1000
"""As many as the service tells the states of in one answer."""
REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class End:
    """How an image ended. ``state``: done, failed, erased, or unknown when the service says it never heard of it."""

    hash: str
    state: str
    code: str | None = None
    reason: str | None = None


@dataclass(slots=True)
class _Wait:
    """An image that is waited for. ``at`` is when to ask for it, ``pause`` how long it was waited before."""

    at: float
    pause: float
    since: float


@dataclass(frozen=True, slots=True)
class _Added:
    hash: str


class _Opened:
    """The stream of events is open from here on."""


class _Broken:
    """The stream of events was cut."""


class Watch:
    """Tells which of the images that were added are finished. ``add`` may be called by any thread, ``next`` by one."""

    def __init__(self, transport: Transport, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport = transport
        self._patience = patience
        self._clock = clock
        self._news: SimpleQueue[_Added | _Opened | _Broken | Event] = SimpleQueue()
        self._waits: dict[str, _Wait] = {}
        self._due: list[tuple[float, str]] = []
        self._done: OrderedDict[str, None] = OrderedDict()
        self._live = False
        self._away_since: float | None = None
        self._closed = threading.Event()
        threading.Thread(target=self._listen, name="events", daemon=True).start()

    def add(self, image_hash: str) -> None:
        """Wait for this image, too. Call it after the service has taken the image."""
        self._news.put(_Added(image_hash))

    @property
    def pending(self) -> frozenset[str]:
        """The images that were added and that `next` has not told of."""
        return frozenset(self._waits)

    def next(self, seconds: float) -> list[End]:
        """Those that ended, as soon as there is one; an empty list after ``seconds``.

        Raises ServiceAway when the service did not answer for longer than patience allows; ApiError, BadAnswer.
        """
        deadline = self._clock() + seconds
        while True:
            ends = self._take_news(deadline) + self._check()
            if ends or self._clock() >= deadline:
                return ends

    def close(self) -> None:
        """Stop listening. The stream itself ends with its next byte or its time limit."""
        self._closed.set()

    # -- events -----------------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        while not self._closed.is_set():
            pause = RECONNECT
            try:
                self._follow()
            except Missing:
                return  # this service sends no events: we ask
            except ClientError as error:
                # Whatever it is, asking for the images meets it too, and says so to who waits.
                log.debug("no stream of events: %s", error)
                pause = max(pause, getattr(error, "retry_after", None) or 0.0)
            self._news.put(_Broken())
            self._closed.wait(pause)

    def _follow(self) -> None:
        pieces = self._transport.stream(Call("GET", "/events", accept="text/event-stream"))
        next(pieces)
        self._news.put(_Opened())
        for event in events_in(pieces):
            if self._closed.is_set():
                return
            if event is not None:
                self._news.put(event)

    def _take_news(self, deadline: float) -> list[End]:
        """Wait for news until something is due, then take all there are."""
        ends: list[End] = []
        until = min([deadline, *(at for at, _ in self._due[:1])])
        try:
            news = self._news.get(timeout=max(0.0, until - self._clock()))
            while True:
                ends += self._heed(news)
                news = self._news.get_nowait()
        except Empty:
            return ends

    def _heed(self, news: _Added | _Opened | _Broken | Event) -> list[End]:
        if isinstance(news, Event):
            return self._heed_event(news)
        if isinstance(news, _Added):
            return self._heed_added(news.hash)
        self._live = isinstance(news, _Opened)
        for image_hash in self._waits:
            self._schedule(image_hash, FIRST_CHECK)
        return []

    def _heed_added(self, image_hash: str) -> list[End]:
        if image_hash in self._done:
            return [End(image_hash, "done")]
        self._waits[image_hash] = _Wait(0.0, 0.0, self._clock())
        self._schedule(image_hash, FIRST_CHECK)
        return []

    def _heed_event(self, event: Event) -> list[End]:
        if event.state == "done":
            # It may be added only now: the worker can be faster than the answer to the upload.
            self._done[event.hash] = None
            if len(self._done) > REMEMBERED:
                self._done.popitem(last=False)
        else:
            self._done.pop(event.hash, None)
        if event.hash not in self._waits:
            return []
        if event.state in {"done", "erased"}:
            return [self._end(End(event.hash, event.state))]
        # Why it failed is not in the event.
        self._schedule(event.hash, 0.0 if event.state == "failed" else LONGEST_LIVE)
        return []

    # -- asking -----------------------------------------------------------------------------------------------------------

    def _check(self) -> list[End]:
        """Ask for the images that are due, many in one call."""
        due = self._due_now()
        if not due:
            return []
        try:
            answer = self._transport.json(Call("POST", "/images/states", json={"hashes": due}))
        except (Busy, Unavailable, Unreachable) as error:
            self._note_absence(error)
            documents = {}
        else:
            self._away_since = None
            documents = {document["hash"]: document for document in answer["results"]}
        answered = self._away_since is None
        return [end for image_hash in due for end in self._heed_state(image_hash, documents.get(image_hash), answered)]

    def _due_now(self) -> list[str]:
        due: list[str] = []
        while self._due and self._due[0][0] <= self._clock() and len(due) < CHECKS_AT_ONCE:
            at, image_hash = heappop(self._due)
            wait = self._waits.get(image_hash)
            if wait is not None and wait.at == at:
                due.append(image_hash)
        return due

    def _heed_state(self, image_hash: str, document: dict[str, Any] | None, answered: bool) -> list[End]:
        """``document`` None with ``answered``: the service does not know this image."""
        wait = self._waits[image_hash]
        if document is not None and document["state"] in {"done", "failed"}:
            return [self._end(End(image_hash, document["state"], document.get("reason"), document.get("detail")))]
        if document is None and answered and self._clock() - wait.since > UNKNOWN_AFTER:
            return [self._end(End(image_hash, "unknown", "NOT_FOUND", "the service does not know this image"))]
        self._schedule(image_hash, min(self._longest_pause(), max(FIRST_CHECK, 2 * wait.pause)))
        return []

    def _note_absence(self, error: ClientError) -> None:
        now = self._clock()
        self._away_since = now if self._away_since is None else self._away_since
        if now - self._away_since >= self._patience:
            raise ServiceAway(f"no answer for {now - self._away_since:.0f} s: {error}") from error

    def _longest_pause(self) -> float:
        return LONGEST_LIVE if self._live else LONGEST_POLL

    def _schedule(self, image_hash: str, pause: float) -> None:
        wait = self._waits[image_hash]
        wait.at, wait.pause = self._clock() + pause, pause
        heappush(self._due, (wait.at, image_hash))

    def _end(self, end: End) -> End:
        del self._waits[end.hash]
        return end
