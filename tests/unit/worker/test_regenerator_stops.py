"""The regenerator's threads end when they are told to, whichever of them hears it first."""

from __future__ import annotations

import threading
from unittest.mock import Mock

from worker.patience import Patience
from worker.regenerator import THREADS, Regenerator

SECONDS = 20.0


def test_closing_waits_for_no_thread_whose_word_another_took() -> None:
    at_work = threading.Barrier(THREADS + 1)
    free = {f"regenerator-{number}": threading.Event() for number in range(THREADS)}
    ended = threading.Semaphore(0)

    def hold(_: object) -> None:
        at_work.wait(SECONDS)
        free[threading.current_thread().name].wait(SECONDS)
        ended.release()

    regenerator = Regenerator(
        consumer=Mock(ack=hold),
        pool=Mock(),
        committer=Mock(),
        aside=Mock(),
        pictures=Mock(),
        patience=Patience(),
        crashed=Mock(),
    )
    regenerator.start()
    for _ in free:
        regenerator.take(Mock(headers={}))
    at_work.wait(SECONDS)
    closing = threading.Thread(target=regenerator.close, daemon=True)
    closing.start()
    # The last one first, so that it takes the first word to end.
    for event in reversed(free.values()):
        event.set()
        assert ended.acquire(timeout=SECONDS)
    closing.join(SECONDS)
    assert not closing.is_alive()
