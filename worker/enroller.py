"""Photos that somebody posts and waits for: looked at at once, chosen from, and written by the rule like every scanned image."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, Protocol

from facerec.enrolment import Enrolment, Wish
from facerec.errors import Conflict, DeadlineExceeded, FacerecError, MalformedJob
from facerec.faces import Analysis, Box, Model
from facerec.identity import face_id, image_hash, ticket_of
from facerec.jobs import JOB_VERSION, Reply, Request, ScanJob
from facerec.ports import Commits, Consumer, Delivery
from facerec.removed import Removed, restored
from facerec.selection import choose, joined, places_of
from facerec.wire import Task
from worker.flights import Flight, Flights
from worker.patience import Patience, Stopping
from worker.pool import EnginePool, Result
from worker.replies import error_document


class Keeping(Protocol):
    @property
    def keeps(self) -> bool: ...

    def finished(self, flight: Flight, result: Result) -> None: ...


class Enroller:
    """Answers ``enroll``: ``{"state", "faces"}``. ``state`` is ``written`` with the ids of the chosen faces; or ``done``: the
    image was known; or ``claimed``: somebody else has it in hand. Nothing is stored of a photo that is refused.

    With ``restore`` the image is known, and lacks faces that were removed (`facerec.removed`): ``written`` when they came back.
    """

    def __init__(
        self,
        *,
        consumer: Consumer,
        pool: EnginePool,
        commits: Commits,
        flights: Flights,
        patience: Patience,
        keeper: Keeping,
        failed: Callable[[Flight, FacerecError], None],
        restored: Callable[[Flight, Analysis], None],
        model: Callable[[], Model | None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._consumer = consumer
        self._pool = pool
        self._commits = commits
        self._flights = flights
        self._patience = patience
        self._keeper = keeper
        self._failed = failed
        self._restored = restored
        self._model = model
        self._clock = clock

    def enroll(self, delivery: Delivery, request: Request) -> None:
        """Start; returns at once. Raises MalformedJob."""
        wish, job, gone = wish_and_job(request)
        flight = self._flights.board(job, delivery)
        if flight is None:
            return
        flight.waiting = _Enrolling(self._consumer)

        def submit(task: Task, then: Callable[[Analysis], None]) -> None:
            self._pool.submit(
                task,
                lambda result: self._step(flight, result, then),
                urgent=True,
                is_wanted=lambda: self._is_wanted(flight, request),
                dropped=lambda: self._let_go(flight),
            )

        def again(analysis: Analysis) -> None:
            places = places_of([face.box for face in analysis.faces], [face.box for face in gone])
            missing = tuple(face.box for face, place in zip(gone, places, strict=True) if place is None)
            if not missing:
                self._restore(flight, analysis, wish, gone, places)
                return
            more = count(len(analysis.faces))
            found_at = [next(more) if place is None else place for place in places]
            submit(
                Task(job.body, analysis.model, missing),
                lambda found: self._restore(flight, joined(analysis, found), wish, gone, found_at),
            )

        def chosen(analysis: Analysis) -> None:
            boxes = [Box(*sides) for sides in wish.boxes]
            places, missing = choose([face.box for face in analysis.faces], wish.selector, boxes)
            if not missing:
                self._begin(flight, analysis, wish, places)
                return
            start = len(analysis.faces)
            more = list(range(start, start + len(missing)))
            submit(
                Task(job.body, analysis.model, tuple(missing), pictures=self._keeper.keeps),
                lambda found: self._begin(flight, joined(analysis, found), wish, [*places, *more]),
            )

        if gone:
            submit(Task(job.body, self._model()), again)
        else:
            submit(Task(job.body, self._model(), pictures=self._keeper.keeps), chosen)

    def _is_wanted(self, flight: Flight, request: Request) -> bool:
        if self._clock() < request.deadline and self._consumer.is_awaited(flight.deliveries[-1]):
            return True
        if any(each.redelivered for each in flight.deliveries):
            # A worker that had it before may have died when it had begun.
            self._failed(flight, DeadlineExceeded("nobody waits for this photo any more"))
        else:
            self._consumer.ack(self._flights.land(flight, "unwanted"))
        return False

    def _step(self, flight: Flight, result: Result, then: Callable[[Analysis], None]) -> None:
        try:
            if isinstance(result, FacerecError):
                raise result
            then(result)
        except Stopping:
            self._let_go(flight)
        except FacerecError as error:
            self._refuse(flight, error)

    def _begin(self, flight: Flight, analysis: Analysis, wish: Wish, places: list[int]) -> None:
        start = self._patience.insist(lambda: self._commits.begin([flight.job], person_waits=True))[0]
        if start.verdict == "erased":
            self._refuse(flight, Conflict("the image was erased while it was posted"))
        elif start.verdict != "go":
            self._answer(flight, {"state": start.verdict, "faces": []})
        else:
            flight.image_ticket = start.image_ticket
            faces = tuple(face_id(start.image_ticket, place) for place in places)
            flight.enrolment = Enrolment(wish, faces)
            self._keeper.finished(flight, analysis)

    def _restore(
        self, flight: Flight, analysis: Analysis, wish: Wish, gone: Sequence[Removed], places: Sequence[int | None]
    ) -> None:
        """Only these faces are written; the pictures of the image are kept already."""
        flight.restores = tuple(face.id for face in gone)
        flight.image_ticket = ticket_of(gone[0].id)
        flight.enrolment = Enrolment(wish, flight.restores)
        faces = tuple(analysis.faces[place] for place in places if place is not None)
        self._restored(flight, replace(analysis, faces=faces, chips=(), renderings=None))

    def _answer(self, flight: Flight, document: dict[str, Any]) -> None:
        self._end(flight, "duplicate", Reply(True, document))

    def _refuse(self, flight: Flight, error: FacerecError) -> None:
        self._end(flight, "refused", Reply(False, error_document(error)))

    def _end(self, flight: Flight, outcome: str, reply: Reply) -> None:
        deliveries = self._flights.land(flight, outcome)
        _reply_to_all(self._consumer, deliveries, reply)
        self._consumer.ack(deliveries)

    def _let_go(self, flight: Flight) -> None:
        """Not acknowledged, so the broker gives it to another worker."""
        self._flights.land(flight, "returned")


class _Enrolling:
    """Who waits for a flight: `worker.flights.Waiting`."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    def written(self, flight: Flight, deliveries: Sequence[Delivery]) -> None:
        faces = list(flight.enrolment.faces) if flight.enrolment else []
        _reply_to_all(self._consumer, deliveries, Reply(True, {"state": "written", "faces": faces}))

    def obsolete(self, deliveries: Sequence[Delivery]) -> None:
        _reply_to_all(self._consumer, deliveries, Reply(True, {"state": "done", "faces": []}))

    def failed(self, deliveries: Sequence[Delivery], error: FacerecError) -> None:
        _reply_to_all(self._consumer, deliveries, Reply(False, error_document(error)))


def _reply_to_all(consumer: Consumer, deliveries: Sequence[Delivery], reply: Reply) -> None:
    """Of several, all but the last came by connections that are gone."""
    for delivery in deliveries:
        consumer.reply(delivery, reply)


def wish_and_job(request: Request) -> tuple[Wish, ScanJob, tuple[Removed, ...]]:
    """What a request says of its photo, and which faces are to come back. Raises MalformedJob."""
    parameters = request.parameters
    try:
        wish = Wish.of(parameters["wish"])
        gone = restored(parameters.get("restore", ()))
        headers = {
            "facerec-version": JOB_VERSION,
            "owner": request.owner,
            "hash": image_hash(request.body),
            "name": parameters["name"],
            "ticket": parameters["ticket"],
            "queued-at": f"{wish.now:.6f}",
            "attempt": 1,
        }
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedJob(f"no enrolment: {error}") from error
    return wish, ScanJob.from_message(headers, request.body), gone
