"""Whether a part takes writes: found out now and then, in a thread of its own, for all who want to know."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from facerec.errors import ImageStoreUnavailable, ServiceUnavailable, StoreRefusesWrites
from facerec.ports import ImageStore

EVERY = 5.0
S3_EVERY = 60.0
"""Seconds for which an answer holds; each question costs two paid calls there, and two versions in a bucket that keeps them."""
PATIENCE = 1.0
"""Seconds from its start for which a check is waited for."""


@dataclass(frozen=True, slots=True)
class _Round:
    begun: float
    answer: Future[ServiceUnavailable | None]


class WriteCheck:
    """Asks with ``ask``, which raises ServiceUnavailable; safe for many threads. No two checks run at once, however long one takes.

    ``late`` makes the error of a check that does not come to an end.
    """

    def __init__(
        self,
        ask: Callable[[], None],
        late: Callable[[str], ServiceUnavailable],
        every: float = EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._late = late
        self._every = every
        self._clock = clock
        self._lock = threading.Lock()
        self._round: _Round | None = None

    def check(self) -> None:
        """Raises the ServiceUnavailable of the last check, or of one that takes too long; other errors of ``ask`` as they are."""
        current = self._current()
        try:
            error = current.answer.result(max(0.0, current.begun + PATIENCE - self._clock()))
        except TimeoutError:
            seconds = self._clock() - current.begun
            raise self._late(f"a write has not come to an end for {seconds:.0f} s") from None
        if error is not None:
            # Its own traceback would grow with every caller.
            raise error.with_traceback(None)

    def _current(self) -> _Round:
        with self._lock:
            now = self._clock()
            last = self._round
            if last is not None and (not last.answer.done() or now < last.begun + self._every):
                return last
            self._round = _Round(now, Future())
            threading.Thread(target=self._run, args=(self._round.answer,), name="write-check", daemon=True).start()
            return self._round

    def _run(self, answer: Future[ServiceUnavailable | None]) -> None:
        try:
            self._ask()
        except ServiceUnavailable as error:
            answer.set_result(error)
        except Exception as error:  # noqa: BLE001 - raised where it is asked for
            answer.set_exception(error)
        else:
            answer.set_result(None)


@dataclass(frozen=True, slots=True)
class WriteChecks:
    """Those of the parts that can be read while they take no writes."""

    redis: WriteCheck
    pictures: WriteCheck


def write_checks(redis: Callable[[], None], store: ImageStore) -> WriteChecks:
    """``redis`` raises StoreUnavailable unless Redis takes changes."""

    def pictures() -> None:
        store.ping()
        store.check_writes()

    return WriteChecks(
        redis=WriteCheck(redis, lambda why: StoreRefusesWrites(f"Redis: {why}")),
        pictures=WriteCheck(
            pictures,
            lambda why: ImageStoreUnavailable(f"the image store: {why}"),
            S3_EVERY if store.kind == "s3" else EVERY,
        ),
    )
