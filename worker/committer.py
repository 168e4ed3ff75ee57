"""The thread that owns the index: commits finished pictures by the rule, then acknowledges; answers searches."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from facerec.errors import FacerecError, InternalError, ServiceUnavailable
from facerec.faces import Analysis, Model
from facerec.index import FaceIndex
from facerec.parts import Parts
from facerec.ports import Consumer, Image, Scanned
from facerec.regeneration import AsideCommits, Remade
from facerec.rule import ScanRule, to_scanned
from worker.flights import Flight, Flights
from worker.guard import guarded_thread
from worker.pace import Pace
from worker.patience import Patience, Stopping
from worker.pool import Result

log = logging.getLogger(__name__)
HELD_SECONDS = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class _Finished:
    flight: Flight
    result: Result


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    ask: Callable[[FaceIndex], None]
    model: Model | None


@dataclass(frozen=True, slots=True, eq=False)
class _Aside:
    commits: AsideCommits
    image: Remade
    done: Callable[[Put], None]


Put = bool | InternalError
"""Whether an image was put aside, or why the store refuses to take it."""
_Item = _Finished | _Question | _Aside


class Committer:
    """One thread; everything that touches the index goes through it, so the index needs no lock."""

    def __init__(
        self,
        *,
        rule: ScanRule,
        consumer: Consumer,
        flights: Flights,
        patience: Patience,
        batch: int,
        again: Callable[[Sequence[Flight]], None],
        failed: Callable[[Flight, FacerecError], None],
        crashed: Callable[[], None],
    ) -> None:
        self._rule = rule
        self._consumer = consumer
        self._flights = flights
        self._patience = patience
        self._batch = batch
        self._again = again
        self._failed = failed
        self._pace = Pace()
        self._inbox: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._thread = guarded_thread(self._run, "committer", crashed)

    @property
    def position(self) -> int:
        return self._rule.index.position

    @property
    def known_faces(self) -> int:
        return len(self._rule.index)

    def start(self) -> None:
        self._thread.start()

    def finished(self, flight: Flight, result: Result) -> None:
        """A picture's analysis, or the error that it ended with. Called by the pool's threads."""
        self._inbox.put(_Finished(flight, result))

    @property
    def model(self) -> Model | None:
        """The model of the known faces, as far as a regeneration has fixed it; None: each worker's own."""
        return self._rule.sets.model

    def ask(self, question: Callable[[FaceIndex], None], model: Model | None = None) -> None:
        """Have ``question`` called with the index as it is after everything written until now.

        With the ``model`` of a probe it is the index of the set with that model, while two are kept.
        """
        self._inbox.put(_Question(question, model))

    def parts(self, model: Model, position: int) -> Parts:
        """The parts that a search in this model covers (`facerec.sets.Sets.parts`). For questions alone, while they are asked."""
        return self._rule.sets.parts(model, position)

    def put_aside(self, commits: AsideCommits, image: Remade, done: Callable[[Put], None]) -> None:
        """Have an image written to the set aside; ``done`` is told whether it was."""
        self._inbox.put(_Aside(commits, image, done))

    def close(self) -> None:
        self._inbox.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._inbox.get()) is not None:
            items = self._with_others(first)
            if items is None:
                return
            try:
                self._serve(items)
            except Stopping:
                return

    def _with_others(self, first: _Item) -> list[_Item] | None:
        """What is to be served together; None when this is the end."""
        items = [first]
        while len(items) < self._batch:
            try:
                following = self._inbox.get(timeout=self._patience_with(items))
            except queue.Empty:
                break
            if following is None:
                return None
            items.append(following)
        return items

    def _patience_with(self, items: Sequence[_Item]) -> float:
        """Seconds that these may wait for more to come: none when anybody waits for an answer."""
        pictures = [item for item in items if isinstance(item, _Finished) and not item.flight.waiting]
        return self._pace.left(len(items), len(self._flights)) if len(pictures) == len(items) else 0.0

    def _serve(self, items: Sequence[_Item]) -> None:
        pictures = [item for item in items if isinstance(item, _Finished)]
        for item in pictures:
            if isinstance(item.result, FacerecError):
                self._failed(item.flight, item.result)
        begun = monotonic()
        self._commit([(item.flight, item.result) for item in pictures if isinstance(item.result, Analysis)])
        if pictures:
            self._pace.worked(monotonic() - begun)
        self._put_aside([item for item in items if isinstance(item, _Aside)])
        questions = [item for item in items if isinstance(item, _Question)]
        if questions:
            self._patience.insist(self._catch_up)
        for question in questions:
            sets = self._rule.sets
            question.ask(sets.index_for(question.model) if question.model else sets.current)

    def _put_aside(self, items: Sequence[_Aside]) -> None:
        """Those of one store, which is all there is but in tests."""
        for commits in dict.fromkeys(item.commits for item in items):
            some = [item for item in items if item.commits is commits]
            for item, done in zip(some, self._written_aside(commits, [item.image for item in some]), strict=True):
                item.done(done)

    def _written_aside(self, commits: AsideCommits, images: Sequence[Remade]) -> Sequence[Put]:
        try:
            return self._patience.insist(lambda: self._rule.put_aside(commits, images))
        except InternalError as error:
            log.error("an image was not put aside: %s", error.reason, extra={"action": "reload"})
            self._patience.insist(self._rule.load)
            if len(images) == 1:
                return [error]
        return [done for image in images for done in self._written_aside(commits, [image])]

    def _catch_up(self) -> None:
        try:
            current = self._rule.catch_up()
        except InternalError as error:
            log.error("the index cannot follow the journal: %s", error.reason, extra={"action": "reload"})
            current = False
        if not current:
            self._rule.load()

    def _commit(self, pictures: Sequence[tuple[Flight, Analysis]]) -> None:
        if not pictures:
            return
        batch: dict[Image, tuple[Flight, Scanned]] = {}
        # An image that was erased in mid-scan and sent again may be under way twice: the second comes after the batch.
        others = []
        for flight, analysis in pictures:
            image = flight.job.owner, flight.job.hash
            if image in batch:
                others.append((flight, analysis))
            else:
                batch[image] = flight, _scanned(flight, analysis)
        try:
            outcome = self._patience.insist(lambda: self._rule.finish([scanned for _, scanned in batch.values()]))
        except InternalError as error:
            self._start_afresh(error, pictures)
            return
        for scanned in outcome.written:
            flight, _ = batch[scanned.owner, scanned.hash]
            flight.lap("commit")
            deliveries = self._flights.land(flight, "done")
            if flight.waiting:
                flight.waiting.written(flight, deliveries)
            self._consumer.ack(deliveries)
            _log_done(flight, len(scanned.records), len(scanned.links))
        if outcome.obsolete:
            self._end_or_again([batch[image][0] for image in outcome.obsolete])
        if outcome.held:
            self._try_soon([batch[image][0] for image in outcome.held], pictures)
        if outcome.stale:
            self._look_again([batch[image][0] for image in outcome.stale])
        self._commit(others)

    def _try_soon(self, held: Sequence[Flight], pictures: Sequence[tuple[Flight, Analysis]]) -> None:
        """The sets are about to be switched: meanwhile others must be served."""

        def try_again() -> None:
            for flight, analysis in pictures:
                if flight in held:
                    self.finished(flight, analysis)

        timer = threading.Timer(HELD_SECONDS, try_again)
        timer.daemon = True
        timer.start()

    def _look_again(self, stale: Sequence[Flight]) -> None:
        """The model changed after these were looked at. A photo that a person posts would be chosen from by another model."""
        for flight in stale:
            if flight.waiting:
                self._failed(flight, ServiceUnavailable("the model was changed in this moment; send it again"))
        self._again([flight for flight in stale if not flight.waiting])

    def _end_or_again(self, obsolete: Sequence[Flight]) -> None:
        """These were finished by others or erased: say so to a person who waits; of the rest the store knows what to do."""
        for flight in obsolete:
            if flight.waiting:
                deliveries = self._flights.land(flight, "done")
                flight.waiting.obsolete(deliveries)
                self._consumer.ack(deliveries)
        self._again([flight for flight in obsolete if not flight.waiting])

    def _start_afresh(self, error: InternalError, pictures: Sequence[tuple[Flight, Analysis]]) -> None:
        """The store refused a batch, or the index disagrees with it: believe the store, and find which picture is to blame."""
        log.error("a commit was refused: %s", error.reason, extra={"action": "reload"})
        self._patience.insist(self._rule.load)
        if len(pictures) == 1:
            self._failed(pictures[0][0], error)
            return
        for picture in pictures:
            self._commit([picture])


def _scanned(flight: Flight, analysis: Analysis) -> Scanned:
    return to_scanned(flight.job, flight.image_ticket, analysis, flight.enrolment, flight.restores)


def _log_done(flight: Flight, faces: int, links: int) -> None:
    job = flight.job
    log.info(
        "%s is in the databases: %d faces, %d matching images",
        job.hash,
        faces,
        links,
        extra={
            "action": "job_done",
            "image_hash": job.hash,
            "owner": job.owner,
            "attempt": job.attempt,
            "faces": faces,
            "links": links,
            "seconds": round(flight.seconds, 3),
        },
    )
