"""The thread that gathers faces into persons, when it is this worker's turn."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress

from facerec.encodings import Encodings
from facerec.errors import FacerecError, ServiceUnavailable
from facerec.faces import Model
from facerec.index import FaceIndex
from facerec.ports import Journal
from facerec.services.grouping import Neighbour
from facerec.services.grouping_follower import IMAGES_AT_ONCE, Follower, GroupingStore, search_in
from worker.committer import Committer
from worker.guard import guarded_thread
from worker.patience import Stopping

log = logging.getLogger(__name__)
PAUSE = 0.25
"""Seconds between looks at the journal. Faces that come meanwhile are looked up in one pass over the index: one by one, they
would cost a scan more than its own search does."""
AFTER_ERROR = 5.0
FACES_AT_ONCE = 32
"""Of one question to the index. Who waits for an answer from it waits for one such question at most."""


class Grouper:
    """One thread. It asks the committer's index, so that there is one copy of it in a worker."""

    def __init__(
        self,
        worker: str,
        *,
        store: GroupingStore,
        journal: Journal,
        committer: Committer,
        crashed: Callable[[], None],
    ) -> None:
        self._follower = Follower(worker, store, journal, self._search)
        self._committer = committer
        self._stop = threading.Event()
        self._thread = guarded_thread(self._run, "grouper", crashed)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Finish the step and let another worker have the turn. To be called while the committer still answers."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            pause = self._step()
        try:
            self._follower.resign()
        except FacerecError as error:
            log.debug("could not give the turn away: %s", error.reason, extra={"action": "grouping"})

    def _step(self) -> float:
        """Seconds until the next step."""
        try:
            return 0.0 if self._follower.step() == IMAGES_AT_ONCE else PAUSE
        except Stopping:
            return PAUSE
        except ServiceUnavailable as error:
            log.debug("grouping waits: %s", error.reason, extra={"action": "grouping"})
            return PAUSE
        except FacerecError as error:
            # Pictures are found and matched without persons: grouping stands still, loudly, and everything else goes on.
            log.error("grouping failed: %s", error.reason, extra={"action": "grouping", "code": error.code})
            return AFTER_ERROR

    def _search(
        self, owner: str, model: Model, faces: Sequence[int], rows: Encodings, most: int | None
    ) -> list[list[Neighbour]]:
        found: list[list[Neighbour]] = []
        for start in range(0, len(faces), FACES_AT_ONCE):
            piece = slice(start, start + FACES_AT_ONCE)
            found += self._search_piece(owner, model, faces[piece], rows[piece], most)
        return found

    def _search_piece(
        self, owner: str, model: Model, faces: Sequence[int], rows: Encodings, most: int | None
    ) -> list[list[Neighbour]]:
        found: Future[list[list[Neighbour]]] = Future()

        def ask(index: FaceIndex) -> None:
            try:
                found.set_result(search_in(index, owner, model, faces, rows, most))
            except Exception as error:  # noqa: BLE001 - raised where it was asked: that thread commits
                found.set_exception(error)

        self._committer.ask(ask, model)
        while True:
            with suppress(TimeoutError):
                return found.result(PAUSE)
            if self._stop.is_set():
                raise Stopping("this worker stops")
