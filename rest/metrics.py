"""Numbers for Prometheus: how many requests, how long they took."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The counters of one process; with a ``folder`` that several processes share, their sum is shown.

    prometheus_client itself decides at its import whether values live in that folder (``PROMETHEUS_MULTIPROC_DIR``), so
    the process that starts the others sets the variable first; see `rest.__main__`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._registry = CollectorRegistry()
        if folder is None:
            ProcessCollector(registry=self._registry)
        labels = ("method", "route")
        self._requests = Counter(
            "facerec_rest_requests", "Requests answered", (*labels, "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "facerec_rest_request_seconds", "Time to answer", labels, registry=self._registry, buckets=_SECONDS
        )

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request was answered; ``route`` is the rule, not the path, so that the labels stay few."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def count_refused(self, count: int) -> None:
        """So many were answered 429 before it was known what they ask."""
        self._requests.labels("none", "none", "429").inc(count)

    def text(self) -> bytes:
        """In the text format of Prometheus."""
        if self._folder is None:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(self._folder))  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def forget_process(pid: int, folder: Path) -> None:
    """A process ended: its gauges no longer count."""
    mark_process_dead(pid, path=os.fspath(folder))  # type: ignore[no-untyped-call]
