"""What a worker tells of itself while it starts, works and ends."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from facerec.errors import InternalError, StoreUnavailable
from worker import pulse as module
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
    pulse = Pulse("w", board, lambda: dict(state), file, lambda: None)
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


def test_a_board_that_refuses_what_it_is_told_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(Board):
        def alive(self, worker: str, state: Mapping[str, Any], seconds: float) -> None:
            super().alive(worker, state, seconds)
            raise InternalError("Redis refused a command: WRONGTYPE")

    monkeypatch.setattr(module, "EVERY", 0.01)
    board = Refusing()
    pulse = Pulse("w", board, dict, None, lambda: None)
    pulse.start()
    assert [board.told.get(timeout=LONGEST) for _ in range(2)] == [{}, {}]
    pulse.close()


def test_a_pulse_that_breaks_ends_the_worker() -> None:
    ended = threading.Event()
    pulse = Pulse("w", Board(), lambda: {"faces": 1 // 0}, None, ended.set)
    pulse.start()
    assert ended.wait(LONGEST)
    pulse.close()


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("dictionary changed size during iteration"),
        OSError(30, "Read-only file system"),
        StoreUnavailable("Redis: NEVERHEARD of it"),
        InternalError("Redis refused a command: WRONGTYPE"),
    ],
)
def test_a_beat_that_fails_is_followed_by_another(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY", 0.01)
    errors = [error]

    def state() -> dict[str, Any]:
        if errors:
            raise errors.pop()
        return {"faces": 3}

    board = Board()
    pulse = Pulse("w", board, state, None, lambda: pytest.fail("the worker ended"))
    pulse.start()
    assert board.told.get(timeout=LONGEST) == {"faces": 3}
    pulse.close()


def test_who_cannot_sign_off_ends_all_the_same() -> None:
    class Refusing(Board):
        def gone(self, worker: str) -> None:
            raise InternalError("Redis refused a command: WRONGTYPE")

    pulse = Pulse("w", Refusing(), dict, None, lambda: None)
    pulse.start()
    pulse.close()
