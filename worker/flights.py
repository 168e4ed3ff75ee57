"""The jobs that this worker holds: each image once, with every delivery that waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from facerec.enrolment import Enrolment
from facerec.errors import FacerecError
from facerec.jobs import ScanJob
from facerec.ports import Delivery

Key = tuple[str, str, int, str]


class Waiting(Protocol):
    """Is told how the flight ended, before its deliveries are acknowledged: each of them may be the one that is answered."""

    def written(self, flight: Flight, deliveries: Sequence[Delivery]) -> None: ...

    def obsolete(self, deliveries: Sequence[Delivery]) -> None: ...

    def failed(self, deliveries: Sequence[Delivery], error: FacerecError) -> None: ...


@dataclass(eq=False)
class Flight:
    """A job under way. ``deliveries`` has more than one when the broker delivered it again meanwhile."""

    job: ScanJob
    deliveries: list[Delivery]
    started: float = field(default_factory=time.monotonic)
    image_ticket: int = 0
    enrolment: Enrolment | None = None
    restores: tuple[int, ...] = ()
    """Ids of the faces that come back to an image that is done; empty when the image is to be written."""
    waiting: Waiting | None = None
    """Who waits for the end, when a person does."""
    laps: list[tuple[str, float]] = field(default_factory=list)
    """Stages that lie behind, and the seconds that each took."""

    @property
    def key(self) -> Key:
        """A store that was emptied gives the same ticket again; the name of such a job must not be forgotten."""
        return (self.job.owner, self.job.hash, self.job.ticket, self.job.name)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def lap(self, stage: str) -> None:
        """``stage`` is over."""
        self.laps.append((stage, self.seconds - sum(seconds for _, seconds in self.laps)))


class Flights:
    """All flights; safe for many threads. ``observe`` is told of each that landed, and with which outcome."""

    def __init__(self, observe: Callable[[Flight, str], None] = lambda _flight, _outcome: None) -> None:
        self._observe = observe
        self._open: dict[Key, Flight] = {}
        self._changed = threading.Condition()

    def __len__(self) -> int:
        with self._changed:
            return len(self._open)

    def jobs(self) -> list[ScanJob]:
        with self._changed:
            return [flight.job for flight in self._open.values()]

    def board(self, job: ScanJob, delivery: Delivery) -> Flight | None:
        """A new flight, or None when the job is under way already: the delivery then waits for that one."""
        flight = Flight(job, [delivery])
        with self._changed:
            if known := self._open.get(flight.key):
                known.deliveries.append(delivery)
                return None
            self._open[flight.key] = flight
            return flight

    def land(self, flight: Flight, outcome: str) -> list[Delivery]:
        """The flight is over; these deliveries are to be acknowledged."""
        self._observe(flight, outcome)
        with self._changed:
            self._open.pop(flight.key, None)
            self._changed.notify_all()
            return list(flight.deliveries)

    def wait_empty(self, seconds: float) -> bool:
        """Whether all flights landed within ``seconds``."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._open, seconds)
