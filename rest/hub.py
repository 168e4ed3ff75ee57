"""From one subscription to many streams: every change reaches the streams of its owner, and no slow one holds the others."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Collection

from facerec.errors import Backpressure, ServiceUnavailable
from facerec.ports import Change, Changes, Subscription

log = logging.getLogger(__name__)
BACKLOG = 2000
"""Changes that may wait in one stream; a client that falls behind further is cut off and asks for the states anew."""
_RETRY_AFTER = 15
_LISTEN = 1.0
"""Seconds after which the listening thread looks whether somebody still wants it."""


class Stream:
    """The changes that one client gets."""

    def __init__(self, owner: str, peer: str, hashes: Collection[str]) -> None:
        self.owner = owner
        self.peer = peer
        self._hashes = frozenset(hashes)
        self._waiting: queue.Queue[Change | None] = queue.Queue(BACKLOG)
        self.ended = False

    def offer(self, change: Change) -> None:
        """Called by the hub: keep the change when it is for this client."""
        if change.owner != self.owner or (self._hashes and change.hash not in self._hashes):
            return
        try:
            self._waiting.put_nowait(change)
        except queue.Full:
            self.ended = True

    def end(self) -> None:
        """Called by the hub: nothing comes any more."""
        self.ended = True
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            return

    def next(self, seconds: float) -> Change | None:
        """The next change, None when there was none in time or the stream has ended."""
        try:
            return self._waiting.get(timeout=seconds)
        except queue.Empty:
            return None


class EventHub:
    """At most ``limit`` streams over one subscription, which is there while there are streams.

    An owner may open another while more are free than he has: whoever is alone gets half of all, and each owner who takes as
    many as he can leaves as many to those who come after. The same holds for each address, whatever owners call from it.
    """

    def __init__(self, changes: Changes, limit: int) -> None:
        self._changes = changes
        self._limit = limit
        self._lock = threading.Lock()
        self._streams: set[Stream] = set()
        self._listening = False
        self._closed = False
        self._thread: threading.Thread | None = None

    def open(self, owner: str, peer: str = "", hashes: Collection[str] = ()) -> Stream:
        """A stream of every change from now on, for an owner who calls from an address; "" is of a proxy, which may have as many
        as it likes. Raises Backpressure, StoreUnavailable, ServiceUnavailable.
        """
        with self._lock:
            if self._closed:
                raise ServiceUnavailable("this server is about to end")
            self._check_share(owner, peer)
            if not self._listening:
                self._listen(self._changes.subscribe())
            stream = Stream(owner, peer, hashes)
            self._streams.add(stream)
            return stream

    def _check_share(self, owner: str, peer: str) -> None:
        free = self._limit - len(self._streams)
        of_owner = sum(stream.owner == owner for stream in self._streams)
        of_peer = sum(stream.peer == peer != "" for stream in self._streams)
        own = max(of_owner, of_peer)
        if free <= 0:
            raise Backpressure(
                f"all {self._limit} streams of events are taken; ask for the states instead, or come again",
                _RETRY_AFTER,
            )
        if own >= free:
            raise Backpressure(
                f"{own} streams of events are yours, and the other {free} are kept for others; "
                "close some, or ask for the states instead",
                _RETRY_AFTER,
            )

    def leave(self, stream: Stream) -> None:
        """The client is gone."""
        with self._lock:
            self._streams.discard(stream)

    def end(self) -> None:
        """End all streams, and open no more. Takes no lock: a signal handler calls this."""
        self._closed = True
        for stream in tuple(self._streams):
            stream.end()

    def close(self) -> None:
        """`end`, and wait until nobody reads from the subscription."""
        self.end()
        if self._thread is not None:
            self._thread.join(_LISTEN * 2)

    def _listen(self, subscription: Subscription) -> None:
        self._listening = True
        self._thread = threading.Thread(target=self._pass_on, args=(subscription,), name="events", daemon=True)
        self._thread.start()

    def _pass_on(self, subscription: Subscription) -> None:
        try:
            while not self._is_unwanted():
                change = subscription.next(_LISTEN)
                if change is not None:
                    self._offer(change)
        except ServiceUnavailable as error:
            log.info("the events are interrupted: %s", error.reason, extra={"action": "events_interrupted"})
            self._interrupt()
        except Exception:
            # A bug. Nobody must wait for a thread that is dead: the streams end, and the next one subscribes anew.
            log.exception("the events broke", extra={"action": "events_interrupted"})
            self._interrupt()
        finally:
            subscription.close()

    def _offer(self, change: Change) -> None:
        with self._lock:
            for stream in self._streams:
                stream.offer(change)

    def _is_unwanted(self) -> bool:
        with self._lock:
            if self._streams and not self._closed:
                return False
            self._listening = False
            return True

    def _interrupt(self) -> None:
        with self._lock:
            self._listening = False
            for stream in self._streams:
                stream.end()
            self._streams.clear()
