"""One call at a time for each user: a lease in the store that is renewed while its holder lives and runs out when it dies.

A holder that was away for longer than its lease (a stopped process, a network that came back) cannot write: every writing step
checks the token inside the store, in the same atomic step.
"""

from __future__ import annotations

import logging
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from facerec.errors import DeadlineExceeded, FacerecError
from facerec.services.contacts_store import ContactStore, Turn

log = logging.getLogger(__name__)
LEASE = 15.0
"""Seconds for which a dead holder keeps the others waiting."""
FIRST_PAUSE, LONGEST_PAUSE = 0.004, 0.1


class Turns:
    """Gives turns. ``clock`` is in seconds since the epoch."""

    def __init__(self, store: ContactStore, clock: Callable[[], float] = time.time, lease: float = LEASE) -> None:
        self._store = store
        self._clock = clock
        self._lease = lease

    @contextmanager
    def turn(self, owner: str, user_id: int, deadline: float) -> Iterator[Turn]:
        """Wait for the turn and keep it. Raises DeadlineExceeded when others have it until the deadline."""
        turn = Turn(owner, user_id, uuid.uuid4().hex)
        self._wait(turn, deadline)
        over = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(turn, over), name="contacts-lease", daemon=True)
        keeper.start()
        try:
            yield turn
        finally:
            over.set()
            keeper.join()
            self._end(turn)

    def _wait(self, turn: Turn, deadline: float) -> None:
        pause, never = FIRST_PAUSE, threading.Event()
        while not self._store.take_turn(turn, self._lease):
            left = deadline - self._clock()
            if left <= 0:
                raise DeadlineExceeded("other calls for this user took all the time")
            # Jitter only keeps the waiting apart; nothing is protected by it.
            never.wait(min(left, pause * random.uniform(0.5, 1.0)))  # noqa: S311
            pause = min(LONGEST_PAUSE, pause * 1.5)

    def _keep(self, turn: Turn, over: threading.Event) -> None:
        while not over.wait(self._lease / 3):
            try:
                if not self._store.keep_turn(turn, self._lease):
                    return
            except FacerecError as error:
                log.warning("a lease could not be renewed: %s", error.reason, extra={"action": "lease"})

    def _end(self, turn: Turn) -> None:
        try:
            self._store.end_turn(turn)
        except FacerecError as error:
            log.warning("a lease is left to run out: %s", error.reason, extra={"action": "lease"})
