"""Numbers for Prometheus: what became of jobs, how long each stage took, what waits, what is known, how much memory."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, start_http_server

from facerec.errors import FacerecError, ServiceUnavailable
from facerec.services.write_check import WriteCheck, WriteChecks
from worker.flights import Flight

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 600, 3600)
OUTCOMES = (
    "done",
    "duplicate",
    "erased",
    "retry",
    "failed",
    "refused",
    "unwanted",
    "returned",
    "malformed",
    "abandoned",
    "newer",
)
UNKNOWN = float("nan")
log = logging.getLogger(__name__)


class Sources(Protocol):
    """What is asked when Prometheus asks."""

    @property
    def known_faces(self) -> int: ...

    @property
    def position(self) -> int: ...


class WorkerMetrics:
    """The numbers of one worker; safe for many threads."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.registry = CollectorRegistry()
        self._clock = clock
        ProcessCollector(registry=self.registry)
        self._jobs = Counter("facerec_jobs", "Jobs by what became of them", ("outcome",), registry=self.registry)
        self._stages = Histogram(
            "facerec_stage_seconds", "Time of a job in each stage", ("stage",), registry=self.registry, buckets=SECONDS
        )
        for outcome in OUTCOMES:
            # A rate of what is counted for the first time is not seen, nor that there is none of what was never counted.
            self._jobs.labels(outcome)

    def landed(self, flight: Flight, outcome: str) -> None:
        """A job ended here with ``outcome``."""
        self._jobs.labels(outcome).inc()
        for stage, seconds in flight.laps:
            self._stages.labels(stage).observe(seconds)

    def counted(self, outcome: str) -> None:
        """A message that never became a job ended with ``outcome``."""
        self._jobs.labels(outcome).inc()

    def received(self, queued_at: float) -> None:
        """A job that was queued at this time has come."""
        self._stages.labels("queue").observe(max(0.0, self._clock() - queued_at))

    def watch(
        self,
        *,
        index: Sources,
        jobs: Callable[[], int],
        children: Callable[[], Iterable[int]],
        waiting: Callable[[], int],
        oldest: Callable[[], float],
        dead: Callable[[], int],
        writes: WriteChecks,
    ) -> None:
        """Ask these whenever Prometheus asks; a part that is away answers NaN."""
        self._gauge("facerec_index_faces", "Known faces in memory", lambda: index.known_faces)
        self._gauge("facerec_index_position", "Journal position of the index", lambda: index.position)
        self._gauge("facerec_jobs_held", "Jobs taken and not yet ended", jobs)
        if sys.platform == "linux":  # elsewhere nothing says so without a program for each look
            self._gauge("facerec_engine_memory_bytes", "Memory of all engine processes", lambda: memory(children()))
        self._gauge("facerec_queue_length", "Scan jobs that wait", waiting)
        self._gauge("facerec_queue_age_seconds", "For how long the oldest scan job has waited", oldest)
        self._gauge("facerec_dead_letters", "Jobs that were given up", dead)
        self._gauge("facerec_redis_takes_writes", "1, or 0 while it refuses them", lambda: _taken(writes.redis))
        self._gauge(
            "facerec_image_store_takes_writes", "1, or 0 while no picture can be kept", lambda: _taken(writes.pictures)
        )

    def serve(self, port: int, host: str) -> None:
        """Answer Prometheus on ``port``, until the process ends."""
        start_http_server(port, host, self.registry)

    def _gauge(self, name: str, text: str, ask: Callable[[], float]) -> None:
        Gauge(name, text, registry=self.registry).set_function(lambda: _asked(ask))


def memory(processes: Iterable[int]) -> int:
    """Resident bytes of these processes; one that has just ended counts nothing."""
    return sum(_resident(process) for process in processes)


def _resident(process: int) -> int:
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return 1024 * sum(int(size) for size in sizes)


def _taken(writes: WriteCheck) -> int:
    try:
        writes.check()
    except ServiceUnavailable:
        return 0
    return 1


def _asked(ask: Callable[[], float]) -> float:
    try:
        return ask()
    except (ServiceUnavailable, RuntimeError):
        # A part that is away, or numbers that changed while they were counted.
        return UNKNOWN
    except FacerecError as error:
        log.error("a number is not known: %s", error.reason, extra={"action": "metrics", "code": error.code})
        return UNKNOWN
