"""Normalized faces of several pictures in one task of the engine: its network takes a few at once in less time than one by one.

Nobody waits for a batch to become full: a task begins as soon as a child may want it, with as many faces as there are then.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from facerec.errors import FacerecError
from facerec.faces import Analysis, Model
from facerec.records import join_records
from facerec.wire import Task
from worker.line import Result
from worker.pool import EnginePool

FACES_AT_ONCE = 8
"""As many as the encoder takes in one run of its network on a CPU; one picture's faces stay together, however many."""


@dataclass(frozen=True, slots=True, eq=False)
class _Order:
    """The chips of one picture, PNG."""

    model: Model
    chips: Sequence[bytes]
    done: Callable[[Result], None]


class ChipBatches:
    """Safe for many threads. One task more than there are engine children is handed to the pool at a time."""

    def __init__(self, pool: EnginePool) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._waiting: deque[_Order] = deque()
        self._running = 0

    def encode(self, model: Model, chips: Mapping[int, bytes], done: Callable[[Result], None]) -> None:
        """Have the chips of a picture encoded; ``done`` gets an analysis with a face for each, in a thread of the pool."""
        with self._lock:
            self._waiting.append(_Order(model, tuple(chips.values()), done))
        self._go_on()

    def _go_on(self) -> None:
        while batch := self._next():
            self._submit(batch)

    def _next(self) -> list[_Order]:
        with self._lock:
            if not self._waiting or self._running > len(self._pool):
                return []
            self._running += 1
            batch = [self._waiting.popleft()]
            room = FACES_AT_ONCE - len(batch[0].chips)
            while self._waiting and self._waiting[0].model is batch[0].model and len(self._waiting[0].chips) <= room:
                batch.append(self._waiting.popleft())
                room -= len(batch[-1].chips)
            return batch

    def _submit(self, batch: Sequence[_Order]) -> None:
        task = Task(join_records(chip for order in batch for chip in order.chips), batch[0].model, chips=True)
        self._pool.submit(task, lambda result: self._finished(batch, result))

    def _finished(self, batch: Sequence[_Order], result: Result) -> None:
        if isinstance(result, FacerecError) and len(batch) > 1:
            # One of these is to blame: its neighbours must not suffer. They go one after the other in this place.
            self._one_by_one(batch)
            return
        with self._lock:
            self._running -= 1
        self._go_on()
        _hand_out(batch, result)

    def _one_by_one(self, batch: Sequence[_Order]) -> None:
        with self._lock:
            self._running += len(batch) - 1
        for order in batch:
            self._submit([order])


def _hand_out(batch: Sequence[_Order], result: Result) -> None:
    if isinstance(result, FacerecError):
        batch[0].done(result)
        return
    start = 0
    for order in batch:
        end = start + len(order.chips)
        order.done(_part(result, start, end))
        start = end


def _part(whole: Analysis, start: int, end: int) -> Analysis:
    return replace(whole, faces=whole.faces[start:end])
