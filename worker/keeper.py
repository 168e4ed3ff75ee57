"""Keeps the pictures: puts them into the image store between the engine and the commit, and tidies up there and elsewhere.

They are stored before the commit, so an image that is done has its pictures; a job that is done twice stores the same under
the same names. An image that was erased while a job had it may leave pictures behind: the job that finds this out removes
them, and the rest is found among the errands.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from facerec.errors import FacerecError, ServiceUnavailable
from facerec.faces import Analysis
from facerec.ports import Errands, ImageStore, Place
from facerec.services.pictures import pictures_of
from worker.flights import Flight
from worker.guard import guarded_thread
from worker.patience import Patience, Stopping
from worker.pool import Result

log = logging.getLogger(__name__)
THREADS = 4
"""A store behind a network answers slowly; this many pictures wait for it at once."""
FINISH_EVERY = 60.0
FINISH_AFTER = 60.0
"""Seconds that whoever began something of several steps is left alone with it: most takes a few."""
ERASURES_EVERY = 60.0
SWEEP_EVERY = 60.0
LETTERS_EVERY = 60.0
EXPIRY_EVERY = 3600.0
WAIT = 10.0
"""Seconds that a thread waits for a store that is away, before its job goes back to the queue and another has its turn."""
_AT_ONCE = 100
_LEAVE_AFTER = 2.0
"""Seconds that a stopping worker waits for a store that hangs."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where pictures are kept, whose turn it is to tidy up, and for how many seconds pictures stay (0: for ever).

    ``sweep`` does away with what calls for contacts left that died (`facerec.services.contacts_sweep`),
    ``letters`` sees to the dead letters (`facerec.services.dead.LetterBox.tidy`).
    """

    store: ImageStore
    errands: Errands
    retention: float = 0.0
    sweep: Callable[[], object] = lambda: None
    letters: Callable[[], object] = lambda: None


class Keeper:
    """Threads of its own; with a store that keeps nothing it only passes on, and tidies up elsewhere."""

    def __init__(
        self,
        *,
        keeping: Keeping,
        finished: Callable[[Flight, Result], None],
        failed: Callable[[Flight, FacerecError], None],
        crashed: Callable[[], None],
        patience: Patience,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = keeping.store
        self._errands = keeping.errands
        self._retention = keeping.retention
        self._sweep = keeping.sweep
        self._letters = keeping.letters
        self._finished = finished
        self._failed = failed
        self._patience = patience
        self._clock = clock
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        keepers = range(THREADS if self.keeps else 0)
        self._threads = [guarded_thread(self._run, f"keeper-{number}", crashed) for number in keepers]
        self._threads.append(guarded_thread(self._tidy, "tidier", crashed))

    @property
    def keeps(self) -> bool:
        """Whether pictures are kept at all."""
        return self._store.kind != "none"

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._stop.set()
        # Any thread may take any of these: all must be there before one is waited for.
        for _ in self._threads:
            self._inbox.put(None)
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_LEAVE_AFTER)

    def finished(self, flight: Flight, result: Result) -> None:
        """A picture's analysis, or the error that it ended with; passed on when the pictures are stored."""
        if isinstance(result, Analysis) and self.keeps:
            self._inbox.put(lambda: self._keep(flight, result))
        else:
            self._finished(flight, result)

    def erased(self, flight: Flight, done: Callable[[], None]) -> None:
        """The job's image was erased: remove what this job may have stored, then call ``done``."""
        if self.keeps:
            self._inbox.put(lambda: self._remove(flight, done))
        else:
            done()

    def tidy(self) -> None:
        """Do the errands that are due; one that cannot be done keeps no other from being done. Raises nothing."""
        self._do("contacts", SWEEP_EVERY, self._sweep)
        self._do("finish", FINISH_EVERY, lambda: self._errands.finish(_AT_ONCE, FINISH_AFTER))
        self._do("letters", LETTERS_EVERY, self._letters)
        if not self.keeps:
            return
        self._do("erasures", ERASURES_EVERY, self._erase_pictures)
        if self._retention:
            self._do("retention", EXPIRY_EVERY, self._expire)

    def _do(self, errand: str, every: float, step: Callable[[], object]) -> None:
        """An errand, when it is due and nobody else has it."""
        try:
            if self._errands.turn(errand, every):
                step()
        except ServiceUnavailable as error:
            log.info("tidying up later: %s", error.reason, extra={"action": "waiting"})
        except FacerecError as error:
            log.error(
                "the errand %s is not done: %s: run facerec fsck",
                errand,
                error.reason,
                extra={"action": "errand_refused", "code": error.code},
            )

    def _erase_pictures(self) -> None:
        for place in self._errands.erasures(_AT_ONCE):
            self._store.erase(place.owner, place.hash, place.ticket)
            self._errands.settle(place)

    def _expire(self) -> None:
        removed = self._store.expire(self._clock() - self._retention)
        log.info("%d pictures were kept long enough and removed", removed, extra={"action": "pictures_expired"})

    def _run(self) -> None:
        while (step := self._inbox.get()) is not None:
            try:
                step()
            except Stopping:
                return

    def _keep(self, flight: Flight, analysis: Analysis) -> None:
        job = flight.job
        pictures = pictures_of(job.body, analysis)
        if self._done(flight, lambda: self._store.put(Place(job.owner, job.hash, flight.image_ticket), pictures)):
            log.debug("kept the pictures of %s", job.hash, extra={"action": "pictures_kept", "image_hash": job.hash})
            self._finished(flight, analysis)

    def _remove(self, flight: Flight, done: Callable[[], None]) -> None:
        job = flight.job
        # The mark of erasure is not older than this job and what it was begun for, so nothing that was sent afterwards is touched.
        ticket = max(job.ticket, flight.image_ticket)
        if self._done(flight, lambda: self._store.erase(job.owner, job.hash, ticket)):
            done()

    def _done(self, flight: Flight, step: Callable[[], object]) -> bool:
        """Whether the store did it. A store that is away is waited for, and then again later; a person is told at once."""
        try:
            self._patience.insist(step, 0.0 if flight.waiting else WAIT)
        except Stopping:
            raise
        except FacerecError as error:
            self._failed(flight, error)
            return False
        return True

    def _tidy(self) -> None:
        while not self._stop.wait(min(ERASURES_EVERY, EXPIRY_EVERY) / 4):
            self.tidy()
