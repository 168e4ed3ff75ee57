"""What the event loop refuses before a thread looks at it: what is too much at once, and whoever guesses keys."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from facerec.ports import Rates

log = logging.getLogger(__name__)

GUESSES_AT_ONCE = 50
"""Wrong keys that an address may send at once."""
_KNOWN = 10_000
"""Keys that were right lately, of which a hash is kept."""
_SOONEST, _LATEST = 2.0, 60.0
"""Bounds of the seconds after which a client may come again."""
_COMING = 50
"""Refusals a second above which clients are told to come later."""
_TOO_MANY = "too many requests at once; come again later"
_GUESSING = "too many wrong keys from this address; come again later"


class RetryAfter:
    """After how many seconds a client that is refused may come again: the more are refused, the later.

    Twice as long after each second of too many refusals, a tenth less after each other (as TCP's exponential backoff, RFC 6298);
    and up to twice that by chance, so that who was refused together does not come together.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seconds = _SOONEST
        self._since = clock()
        self._count = 0

    def next(self) -> int:
        """Somebody is refused: his seconds."""
        with self._lock:
            passed = self._clock() - self._since
            if passed >= 1:
                factor = 2 if self._count > _COMING * passed else 0.9**passed
                self._seconds = min(_LATEST, max(_SOONEST, self._seconds * factor))
                self._since, self._count = self._since + passed, 0
            self._count += 1
            return math.ceil(self._seconds * random.uniform(1, 2))  # noqa: S311 - protects nothing


class Refusals:
    """Used by the event loop; only `judged` is called by other threads.

    ``guesses`` counts wrong keys by address, of which each may send ``limit`` a second, any number when that is 0. ``counted`` is
    told now and then how many requests were refused.
    """

    def __init__(
        self,
        guesses: Rates,
        limit: float,
        counted: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._guesses = guesses
        self._limit = limit
        self._counted = counted
        self._clock = clock
        self._retry_after = RetryAfter(clock)
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._barred: dict[str, float] = {}
        self._refused = {_TOO_MANY: 0, _GUESSING: 0}

    def judged(self, peer: str, key: str, *, is_right: bool) -> None:
        """A key that came from ``peer`` was right, or wrong. Who sent none has guessed none."""
        if not key:
            return
        digest = _digest(key)
        with self._lock:
            if is_right:
                self._known[digest] = None
                self._known.move_to_end(digest)
                if len(self._known) > _KNOWN:
                    self._known.popitem(last=False)
                return
            self._known.pop(digest, None)
            wait = self._guesses.take(peer, self._limit, GUESSES_AT_ONCE) if self._limit else 0.0
            if wait > 0:
                self._barred[peer] = self._clock() + wait

    def is_guessing(self, peer: str, key: str) -> bool:
        """Whether too many wrong keys came from ``peer``, and this one was not right lately."""
        if not self._barred or not key:
            return False
        return self._barred.get(peer, 0.0) > self._clock() and _digest(key) not in self._known

    def answer(self, *, guessing: bool = False) -> bytes:
        """What is sent to whom is refused; it must cost next to nothing."""
        reason = _GUESSING if guessing else _TOO_MANY
        self._refused[reason] += 1
        body = json.dumps({"code": "BACKPRESSURE", "reason": reason})
        return (
            f"HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nRetry-After: {self._retry_after.next()}\r\n"
            "Content-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def tell(self) -> None:
        """Called now and then: count and log what was refused since the last time."""
        now = self._clock()
        with self._lock:
            self._barred = {peer: until for peer, until in self._barred.items() if until > now}
        for reason, count in self._refused.items():
            if count:
                self._counted(count)
                told = {"action": "turned_away", "requests": count}
                log.warning("turned away (%d): %s", count, reason.partition(";")[0], extra=told)
                self._refused[reason] = 0


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
