"""All pictures of a job: many on their way at a time, until each is done, failed or refused."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Protocol

from facerec.cli.scanning.dispatch import Dispatch, Outcome
from facerec.cli.scanning.ledger import SENT, Ledger
from facerec.cli.scanning.sources import Item
from facerec.client.watch import End

TICK = 0.1
"""Seconds between two looks at what the senders did."""
FAREWELL = 5.0
"""Seconds for which an interrupted run waits for the pictures under way; what they came to is found out on resuming."""


class Report(Protocol):
    """Who is told how it goes; always by the thread that runs `Run.run`."""

    def dispatched(self, outcome: Outcome) -> None: ...

    def ended(self, name: str, end: End) -> None: ...


class Ends(Protocol):
    """The part of `facerec.client.Watch` that is used here."""

    @property
    def pending(self) -> frozenset[str]: ...

    def add(self, image_hash: str) -> None: ...

    def next(self, seconds: float) -> list[End]: ...


class Run:
    """``watch`` None means not to wait for the scans themselves; ``hurry`` makes senders give up waiting for the service."""

    def __init__(
        self, dispatch: Dispatch, watch: Ends | None, report: Report, jobs: int, hurry: Callable[[], None]
    ) -> None:
        self._dispatch = dispatch
        self._watch = watch
        self._report = report
        self._jobs = jobs
        self._hurry = hurry
        self._outcomes: SimpleQueue[Outcome | Exception] = SimpleQueue()
        self._stop = threading.Event()

    def run(self, items: Sequence[Item], promised: Iterable[str]) -> None:
        """Send ``items`` and wait for them and for the images ``promised`` before.

        What any sender raised is raised here, after the others have ended: ServiceAway, AccessDenied, BadAnswer, OSError.
        """
        if self._watch is not None:
            for image_hash in promised:
                self._watch.add(image_hash)
        senders = self._start(items)
        try:
            self._follow(senders)
        finally:
            self._stop.set()
            if any(sender.is_alive() for sender in senders):
                self._hurry()
            until = time.monotonic() + FAREWELL
            for sender in senders:
                sender.join(max(0.0, until - time.monotonic()))

    def _start(self, items: Sequence[Item]) -> list[threading.Thread]:
        shared = _Shared(items)
        count = max(1, min(self._jobs, len(items)))
        senders = [threading.Thread(target=self._send_all, args=(shared,), daemon=True) for _ in range(count)]
        for sender in senders:
            sender.start()
        return senders

    def _send_all(self, items: Iterator[Item]) -> None:
        for item in items:
            if self._stop.is_set():
                return
            try:
                self._outcomes.put(self._dispatch.send(item))
            except Exception as error:  # noqa: BLE001 - it is raised in the thread that waits for all
                self._outcomes.put(error)
                return

    def _follow(self, senders: Sequence[threading.Thread]) -> None:
        while True:
            sending = any(sender.is_alive() for sender in senders)
            self._take_outcomes(wait=sending and self._watch is None)
            if self._watch is not None:
                for end in self._watch.next(TICK):
                    self._note_end(end)
            if not sending and (self._watch is None or not self._watch.pending):
                return

    def _take_outcomes(self, *, wait: bool) -> None:
        try:
            outcome = self._outcomes.get(timeout=TICK if wait else 0)
            while True:
                self._take(outcome)
                outcome = self._outcomes.get_nowait()
        except Empty:
            return

    def _take(self, outcome: Outcome | Exception) -> None:
        if isinstance(outcome, Exception):
            raise outcome
        if outcome.state == SENT and self._watch is not None and outcome.hash:
            self._watch.add(outcome.hash)
        self._report.dispatched(outcome)

    def _note_end(self, end: End) -> None:
        for name in self._dispatch.note_end(end):
            self._report.ended(name, end)


class _Shared(Iterator[Item]):
    """Items that many threads take from."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = iter(items)
        self._lock = threading.Lock()

    def __next__(self) -> Item:
        with self._lock:
            return next(self._items)


def count_states(ledger: Ledger, items: Iterable[Item]) -> Counter[str]:
    """How many of the items are in which state; ``unsent`` are those that no line tells of."""
    states = (ledger.entries.get(item.name) for item in items)
    return Counter("unsent" if entry is None else entry.state for entry in states)
