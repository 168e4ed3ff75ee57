"""The engine pool: child processes, each with a thread here that feeds it and watches its clock.

A child that hangs is killed at the job's time limit; one that dies takes down only its own job. In both cases that job is
told, and a new child takes the place. One more child does only what a person waits for, so that such work begins at once;
the others give way to it in the processor's time, too (`worker.child`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from facerec.errors import EngineUnavailable, FacerecError
from facerec.wire import Task
from worker.guard import guarded_thread
from worker.line import Line, Place, Result
from worker.slot import Slot

__all__ = ["EnginePool", "Result"]
log = logging.getLogger(__name__)
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds between tries to start a child."""


class EnginePool:
    """Runs tasks on ``processes`` children for all work and ``reserved`` for urgent work alone.

    ``settings`` is what `worker.child` reads as its first frame.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        processes: int,
        reserved: int,
        time_limit: float,
        crashed: Callable[[], None],
    ) -> None:
        self._time_limit = time_limit
        self._line = Line()
        self._letting_go = threading.Event()
        self._closing = threading.Event()
        bulk = [Slot({**settings, "gives_way": bool(reserved)}, crashed) for _ in range(processes)]
        urgent = [Slot({**settings, "gives_way": False}, crashed) for _ in range(reserved)]
        self._slots = bulk + urgent
        self._threads = [
            guarded_thread(partial(self._feed, slot, urgent_only=slot in urgent), f"engine-{number}", crashed)
            for number, slot in enumerate(self._slots)
        ]
        self._refusal = ""
        self.device = ""

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def process_ids(self) -> list[int]:
        """Of the children that live."""
        return [slot.process.pid for slot in self._slots if slot.process]

    @property
    def problem(self) -> str:
        """Why no child is ready; nothing when one is."""
        return "" if any(slot.ready for slot in self._slots) else self._refusal

    def start(self) -> None:
        """Start all children and wait until they are ready. Raises ModelMissing, EngineUnavailable."""
        for slot in self._slots:
            slot.spawn()
        for slot in self._slots:
            self.device = slot.wait_ready()
        for thread in self._threads:
            thread.start()

    def submit(
        self,
        task: Task,
        done: Callable[[Result], None],
        *,
        urgent: bool = False,
        is_wanted: Callable[[], bool] = lambda: True,
        dropped: Callable[[], None] = lambda: None,
    ) -> None:
        """Have ``task`` done; ``done`` gets its result in a thread of the pool.

        ``is_wanted`` is asked right before the work: when it says no, there is no work and ``done`` is not called.
        ``dropped`` is called instead when the pool lets the task go.
        """
        self._line.put(Place(task, done, is_wanted, dropped), urgent=urgent)

    def let_go(self) -> None:
        """Finish what runs, drop what waits and whatever comes from now on."""
        self._letting_go.set()

    def close(self) -> None:
        """Kill all children; tasks that run never call back."""
        self._closing.set()
        for slot in self._slots:
            slot.kill()
        self._line.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        for slot in self._slots:
            slot.bury()

    def _feed(self, slot: Slot, *, urgent_only: bool) -> None:
        while self._wait_ready(slot) and (place := self._line.take(urgent_only=urgent_only)):
            if self._letting_go.is_set():
                place.dropped()
                continue
            if not place.is_wanted():
                continue
            result = self._run(slot, place.task)
            if self._closing.is_set():
                return
            place.done(result)

    def _wait_ready(self, slot: Slot) -> bool:
        """Until the slot has a child: tasks wait in the line meanwhile. False when the pool is closed."""
        pause = FIRST_PAUSE
        while not (self._closing.is_set() or self._letting_go.is_set()):
            try:
                slot.make_ready()
            except EngineUnavailable as error:
                self._refusal = error.reason
                log.error("waiting: %s", error.reason, extra={"action": "waiting", "code": error.code})
            else:
                return True
            self._closing.wait(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)
        return not self._closing.is_set()

    def _run(self, slot: Slot, task: Task) -> Result:
        try:
            return slot.run(task, self._time_limit)
        except FacerecError as error:
            return error
