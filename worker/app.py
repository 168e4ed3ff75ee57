"""The worker put together: which thread does what, how it starts and how it stops.

Threads: the consumer's (owns the connection), intake, one for each engine child, the keeper's (pictures), the committer
(owns the index), the undertaker (retries and dead letters), and the pulse. A job passes through them in that order and is
acknowledged last. The grouper comes after that: it follows the journal.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from facerec.loading import Progress
from worker.guard import guarded_thread
from worker.parts import Parts, Surroundings
from worker.patience import Stopping
from worker.pulse import Pulse

log = logging.getLogger(__name__)


class Worker:
    """`run` works until `stop` is called, then finishes what it holds within the grace time."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._own = around.settings.worker
        self._stop = threading.Event()
        self._crashed = threading.Event()
        self._loaded = False
        self._parts = parts = Parts(around, self.crash)
        self._pulse = Pulse(around.name, around.workers, self.state, self._own.health_file, self.crash)
        around.metrics.watch(
            index=parts.committer,
            jobs=lambda: len(parts.flights),
            children=lambda: parts.pool.process_ids,
            waiting=around.publisher.depth,
            oldest=around.commits.oldest_wait,
            dead=around.letter_box.count,
            writes=around.writes,
        )

    def run(self) -> bool:
        """Whether it ended in good order. Raises ModelMissing, EngineUnavailable when the engine cannot start."""
        self._parts.pool.start()
        self._pulse.start()
        try:
            self._load()
        except Stopping:
            self._pulse.close()
            self._parts.pool.close()
            return not self._crashed.is_set()
        for part in (*self._parts.line, self._parts.lookout, self._parts.postman, self._parts.conductor):
            part.start()
        if self._own.grouping:
            self._parts.grouper.start()
        if self._own.metrics_port:
            self._around.metrics.serve(self._own.metrics_port, self._own.metrics_host)
        receiving = guarded_thread(self._receive, "consumer", self.crash)
        receiving.start()
        self._pulse.ready()
        self._stop.wait()
        self._wind_down(receiving)
        return not self._crashed.is_set()

    def crash(self) -> None:
        """A part of this worker broke: end, so that the broker gives its jobs to others."""
        self._crashed.set()
        self._parts.patience.give_up()
        self._stop.set()

    def _load(self) -> None:
        log.info(
            "the engine runs on %s in %d processes",
            self._parts.pool.device,
            len(self._parts.pool),
            extra={"action": "engine_ready"},
        )
        self._parts.patience.insist(self._around.rule.load)
        self._loaded = True
        log.info(
            "%d faces known at journal position %d",
            len(self._around.rule.index),
            self._around.rule.index.position,
            extra={"action": "index_ready"},
        )

    def stop(self) -> None:
        """May be called by a signal handler."""
        self._stop.set()
        self._patience_ends_later()

    def state(self) -> dict[str, Any]:
        """What this worker says of itself; ``loading`` until it can work."""
        problem = {"problem": self._parts.pool.problem} if self._parts.pool.problem else {}
        loading = {} if self._loaded else {"loading": str(self._around.rule.loading or Progress(0, 0))}
        return (
            {
                "model": (self._parts.committer.model or self._around.settings.model).name.lower(),
                "device": self._parts.pool.device,
                "processes": len(self._parts.pool),
                "faces": self._parts.committer.known_faces,
                "position": self._parts.committer.position,
                "loaded": dict(zip(("position", "digest"), self._around.rule.loaded, strict=True)),
                "jobs": len(self._parts.flights),
                "consuming": self._around.consumer.connected,
                "unclaimed": self._parts.intake.unclaimed,
                "claims_renewed": self._parts.lookout.renewed,
            }
            | problem
            | loading
        )

    def _receive(self) -> None:
        self._around.consumer.run(self._parts.intake.take)

    def _patience_ends_later(self) -> None:
        timer = threading.Timer(self._own.grace, self._parts.patience.give_up)
        timer.daemon = True
        timer.start()

    def _wind_down(self, receiving: threading.Thread) -> None:
        """Take nothing more, finish what runs, let go of the rest: the broker delivers it again."""
        log.info("stopping with %d jobs", len(self._parts.flights), extra={"action": "stopping"})
        self._around.consumer.stop()
        self._parts.pool.let_go()
        done = not self._crashed.is_set() and self._parts.flights.wait_empty(self._own.grace)
        self._parts.grouper.close()
        self._parts.conductor.close()
        self._parts.patience.give_up()
        self._parts.pool.close()
        for part in reversed(self._parts.line):
            part.close()
        self._parts.lookout.close()
        self._parts.postman.close()
        self._pulse.close()
        self._around.consumer.close()
        receiving.join()
        self._around.publisher.close()
        log.info("stopped; %s", "all jobs done" if done else "some jobs went back", extra={"action": "stopped"})
