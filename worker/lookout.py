"""Looks for jobs that the broker lost: a queue deleted by hand, a broker restored from an old backup.

Such an image would wait for ever. It ends as ``failed`` with JOB_LOST instead, so that whoever sent it sees that it must be
sent again. A job counts as lost when nobody works on it, no job waits in the queue, and it was announced a good while ago. With
a slow model a job may wait in a worker for longer than that, so each worker says from time to time which it has in hand.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from facerec.errors import FacerecError, InternalError, ServiceUnavailable
from facerec.jobs import ScanJob
from facerec.ports import Commits, JobPublisher
from worker.guard import guarded_thread

log = logging.getLogger(__name__)


class Lookout:
    """One thread that looks four times in ``seconds``, after which a job without a message counts as lost.

    ``in_hand`` tells the jobs of this worker.
    """

    def __init__(
        self,
        *,
        commits: Commits,
        in_hand: Callable[[], Sequence[ScanJob]],
        publisher: JobPublisher,
        seconds: float,
        crashed: Callable[[], None],
    ) -> None:
        self._commits = commits
        self._in_hand = in_hand
        self._publisher = publisher
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = guarded_thread(self._run, "lookout", crashed)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds / 4):
            try:
                self.look()
            except ServiceUnavailable as error:
                log.debug("cannot look for lost jobs: %s", error.reason, extra={"action": "lookout"})
            except FacerecError as error:
                log.error(
                    "nobody looks for lost jobs: %s: run facerec fsck",
                    error.reason,
                    extra={"action": "lookout", "code": error.code},
                )

    def look(self) -> None:
        """Raises ServiceUnavailable, InternalError."""
        self._renew()
        if self._publisher.depth():
            return
        for owner, image_hash in self._commits.lost(self._seconds):
            log.error(
                "the broker lost the job of %s",
                image_hash,
                extra={"action": "job_lost", "owner": owner, "image_hash": image_hash},
            )

    def _renew(self) -> None:
        """Jobs beside one whose document is damaged are renewed all the same."""
        try:
            self._commits.renew(self._in_hand())
        except InternalError as error:
            log.error(
                "the claim of a job in hand was not renewed: %s: run facerec fsck --fix",
                error.reason,
                extra={"action": "lookout", "code": error.code},
            )
