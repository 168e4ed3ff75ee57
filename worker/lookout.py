"""Looks for jobs that the broker lost: a queue deleted by hand, a broker restored from an old backup.

Such an image would wait for ever. It ends as ``failed`` with JOB_LOST instead, so that whoever sent it sees that it must be
sent again. A job counts as lost when the broker holds no message for it and no living worker has it in hand:

- No job waits in any queue.
- What was delivered and not acknowledged, which the broker does not tell, is with its consumers. There are no more of them than
  workers that tell of themselves, and each of these has claimed all that it was given and renewed its claims lately. A worker that
  stands still keeps its connection for a while and tells nothing: then there is one consumer too many.
- The image is claimed by nobody, and was announced a good while ago.

All this must be so for as long as a worker that tells nothing is remembered, and at two looks at least: at one, a job may be on its
way from the broker to a worker.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any

from facerec.errors import FacerecError, InternalError, ServiceUnavailable
from facerec.jobs import ScanJob
from facerec.ports import Commits, Image, JobPublisher, Workers
from worker.guard import guarded_thread
from worker.pulse import FORGOTTEN_AFTER

log = logging.getLogger(__name__)


class Lookout:
    """One thread that looks four times in ``seconds``, after which a job without a message counts as lost.

    ``in_hand`` tells the jobs of this worker, whose claims are renewed with each look.
    """

    def __init__(
        self,
        *,
        commits: Commits,
        in_hand: Callable[[], Sequence[ScanJob]],
        publisher: JobPublisher,
        workers: Workers,
        seconds: float,
        crashed: Callable[[], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._commits = commits
        self._in_hand = in_hand
        self._publisher = publisher
        self._workers = workers
        self._seconds = seconds
        self._clock = clock
        self._suspects: frozenset[Image] = frozenset()
        self._judge_at = 0.0
        self._renewed_at: float | None = None
        self._stop = threading.Event()
        self._thread = guarded_thread(self._run, "lookout", crashed)

    @property
    def renewed(self) -> float | None:
        """Seconds since the claims of this worker were renewed; None: not yet."""
        return None if self._renewed_at is None else self._clock() - self._renewed_at

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
        if not self._all_jobs_are_claimed():
            self._suspects = frozenset()
            log.debug("not looking for lost jobs: some may be held without a claim", extra={"action": "lookout"})
            return
        if self._suspects and self._clock() < self._judge_at:
            return
        found = self._commits.lost(self._seconds, self._suspects)
        self._suspects, self._judge_at = found.suspects, self._clock() + FORGOTTEN_AFTER
        for owner, image_hash in sorted(found.lost):
            log.error(
                "the broker lost the job of %s",
                image_hash,
                extra={"action": "job_lost", "owner": owner, "image_hash": image_hash},
            )

    def _all_jobs_are_claimed(self) -> bool:
        """Whether every job that the broker still holds is claimed by its worker."""
        queues = self._publisher.queue_state()
        if queues.waiting:
            return False
        consuming = [state for state in self._workers.workers().values() if state.get("consuming")]
        # A broker whose leader is away says that there is neither message nor consumer.
        return 0 < queues.consumers <= len(consuming) and all(map(self._has_claimed_all, consuming))

    def _has_claimed_all(self, state: Mapping[str, Any]) -> bool:
        renewed = state.get("claims_renewed")
        return state.get("unclaimed") == 0 and isinstance(renewed, int | float) and renewed <= self._seconds / 2

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
        self._renewed_at = self._clock()
