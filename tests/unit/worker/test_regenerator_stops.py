"""The regenerator's threads end when they are told to, whichever of them hears it first."""

from __future__ import annotations

import threading
from unittest.mock import Mock

from worker.patience import Patience
from worker.regenerator import Regenerator


def test_closing_waits_for_no_thread_for_ever() -> None:
    for _ in range(50):
        regenerator = Regenerator(
            consumer=Mock(),
            pool=Mock(),
            committer=Mock(),
            aside=Mock(),
            pictures=Mock(),
            patience=Patience(),
            crashed=Mock(),
        )
        regenerator.start()
        closing = threading.Thread(target=regenerator.close, daemon=True)
        closing.start()
        closing.join(20)
        assert not closing.is_alive()
