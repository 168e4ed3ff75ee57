"""What a worker tells of itself while it starts, works and ends."""

from __future__ import annotations

import queue
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from worker.pulse import Pulse

LONGEST = 10.0


class Board:
    """`facerec.ports.Workers` that hands on what it is told."""

    def __init__(self) -> None:
        self.told: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()

    def alive(self, worker: str, state: Mapping[str, Any], seconds: float) -> None:
        self.told.put(state)

    def gone(self, worker: str) -> None:
        self.told.put(None)

    def workers(self) -> dict[str, dict[str, Any]]:
        return {}


def test_the_file_is_touched_when_the_index_is_loaded(tmp_path: Path) -> None:
    board, state, file = Board(), {"loading": "1 of 2 images"}, tmp_path / "alive"
    pulse = Pulse("w", board, lambda: dict(state), file)
    pulse.start()
    assert board.told.get(timeout=LONGEST) == {"loading": "1 of 2 images"}
    assert not file.exists()

    state.clear()
    pulse.ready()
    assert board.told.get(timeout=LONGEST) == {}
    assert file.exists()

    pulse.close()
    assert board.told.get(timeout=LONGEST) is None
    assert board.told.empty()
