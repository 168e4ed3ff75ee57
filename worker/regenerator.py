"""Makes the faces of known images anew, for a regeneration: reads the pictures, asks the engine, has it written aside.

Its jobs come by the scan queue and name an image only. Whatever happens to one, the store knows what is still to be done, and
the conductor sends it again; so a job is acknowledged as soon as nothing more can be done with it here.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Protocol

from facerec.errors import (
    ChildDied,
    FacerecError,
    InternalError,
    MalformedJob,
    ServiceUnavailable,
    TimeLimitExceeded,
)
from facerec.faces import Analysis, Encoding, Face, Model
from facerec.identity import FACES_PER_IMAGE, image_hash
from facerec.jobs import RegenerateJob
from facerec.ports import Consumer, Delivery, ImageStore, Place
from facerec.records import face_id_of, model_of, unpack_face
from facerec.regenerate import Made, Wanted, lost_boxes, redetected, reencoded, same_detector
from facerec.regeneration import AsideCommits, Remade
from facerec.services.pictures import CHIPS_OF, ORIGINAL, chip_name, thumbnail_name
from facerec.wire import Task
from worker.chips import ChipBatches
from worker.committer import Committer, Put
from worker.guard import guarded_thread
from worker.patience import Patience, Stopping
from worker.pool import EnginePool, Result

log = logging.getLogger(__name__)
THREADS = 2
TRIES = 3
"""A picture that stops an engine so often is to blame."""
AT_ONCE = 16
"""Jobs that are begun with one question to the store."""
LATER, REFUSED = 5.0, 60.0
"""Seconds until what could not be done now is tried again, and what the store refused: each try costs an engine's work."""
MISSING, CHANGED = "missing original", "changed original"


class AsideStore(AsideCommits, Protocol):
    """What the regenerator needs of the store. Every method may raise StoreUnavailable."""

    def begin_many(self, jobs: Sequence[RegenerateJob]) -> list[Wanted | None]: ...

    def later(self, run: int, owner: str, image_hash: str, delay: float, *, blamed: bool) -> int: ...


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """An image in hand. ``trouble``: why its original cannot be used."""

    delivery: Delivery
    wanted: Wanted
    original: bytes | None = None
    trouble: str = ""

    @property
    def place(self) -> Place:
        return Place(self.wanted.owner, self.wanted.hash, self.wanted.ticket)


class Regenerator:
    """Threads of its own, which wait for the image store; the engine and the committer call back into them."""

    def __init__(
        self,
        *,
        consumer: Consumer,
        pool: EnginePool,
        committer: Committer,
        aside: AsideStore,
        pictures: ImageStore,
        patience: Patience,
        crashed: Callable[[], None],
    ) -> None:
        self._consumer = consumer
        self._pool = pool
        self._batches = ChipBatches(pool)
        self._committer = committer
        self._aside = aside
        self._pictures = pictures
        self._patience = patience
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._deliveries: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        self._threads = [guarded_thread(self._run, f"regenerator-{number}", crashed) for number in range(THREADS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        # Any thread may take any of these: all must be there before one is waited for.
        for _ in self._threads:
            self._inbox.put(None)
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def take(self, delivery: Delivery) -> None:
        """A job of a regeneration; returns at once."""
        self._deliveries.put(delivery)
        self._inbox.put(self._begin)

    def _run(self) -> None:
        while (step := self._inbox.get()) is not None:
            try:
                step()
            except Stopping:
                return

    def _begin(self) -> None:
        """All jobs that wait, up to AT_ONCE; none when they were begun with others before."""
        begun: list[tuple[Delivery, RegenerateJob]] = []
        while len(begun) < AT_ONCE and (delivery := self._next_delivery()):
            try:
                begun.append((delivery, RegenerateJob.from_message(delivery.headers)))
            except MalformedJob as error:
                # What is pending is sent again by the conductor.
                log.warning("no job: %s", error.reason, extra={"action": "malformed", "code": error.code})
                self._consumer.ack([delivery])
        if not begun:
            return
        self._begin_all(begun)

    def _begin_all(self, begun: Sequence[tuple[Delivery, RegenerateJob]]) -> None:
        try:
            wanted = self._patience.insist(lambda: self._aside.begin_many([job for _, job in begun]))
        except InternalError as error:
            self._begin_one_by_one(begun, error)
            return
        self._consumer.ack([delivery for (delivery, _), each in zip(begun, wanted, strict=True) if each is None])
        for (delivery, _), each in zip(begun, wanted, strict=True):
            if each is not None:
                self._start(_Work(delivery, each))

    def _begin_one_by_one(self, begun: Sequence[tuple[Delivery, RegenerateJob]], error: InternalError) -> None:
        """One of these images is damaged: find which, so that its neighbours do not suffer."""
        if len(begun) > 1:
            for each in begun:
                self._begin_all([each])
            return
        ((delivery, job),) = begun
        _log_damage("cannot be regenerated", job.owner, job.hash, error)
        self._put_off(job.run, job.owner, job.hash, LATER)
        self._consumer.ack([delivery])

    def _next_delivery(self) -> Delivery | None:
        try:
            return self._deliveries.get_nowait()
        except queue.Empty:
            return None

    def _start(self, work: _Work) -> None:
        self._do(work, lambda: self._plan(work))

    def _do(self, work: _Work, step: Callable[[], None]) -> None:
        """One image must not stop the others: not a store that is away, and no record that is damaged."""
        try:
            step()
        except ServiceUnavailable as error:
            self._later(work, error)
        except InternalError as error:
            _log_damage("cannot be regenerated", work.wanted.owner, work.wanted.hash, error)
            self._later(work, error)

    def _put(self, work: _Work, step: Callable[[], None]) -> None:
        self._inbox.put(lambda: self._do(work, step))

    # ------------------------------------------------------------ what the engine is asked

    def _plan(self, work: _Work) -> None:
        """Raises ImageStoreUnavailable."""
        wanted = work.wanted
        if not wanted.has_work:
            self._write(work, reencoded(wanted, {}))
        elif not wanted.redetects and wanted.parts == ("encodings",) and (chips := self._chips(work)):
            self._encode(work, chips)
        else:
            self._use_original(work)

    def _use_original(self, work: _Work) -> None:
        wanted = work.wanted
        original = self._pictures.get(work.place, ORIGINAL)
        if original is None or image_hash(original) != wanted.hash:
            self._without_original(work, MISSING if original is None else CHANGED)
        elif wanted.redetects:
            with_original = _Work(work.delivery, wanted, original)
            task = Task(original, wanted.model, pictures=self._keeps)
            self._ask(with_original, task, lambda analysis: self._detected(with_original, analysis))
        else:
            todo = [record for record in wanted.open if not wanted.skip.takes(record)]
            boxes = tuple(unpack_face(record)[1].box for record in todo)
            ids = [face_id_of(record) for record in todo]
            task = Task(original, wanted.model, boxes, pictures=self._keeps and wanted.parts != ("encodings",))
            self._ask(work, task, lambda analysis: self._computed(work, ids, analysis))

    def _without_original(self, work: _Work, trouble: str) -> None:
        chips = self._chips(work)
        if chips:
            self._encode(_Work(work.delivery, work.wanted, trouble=trouble), chips)
        else:
            self._write(work, reencoded(work.wanted, {}, trouble))

    def _chips(self, work: _Work) -> Mapping[int, bytes]:
        """The normalized faces of the image by face id; none unless there is one for every face that is to be done."""
        wanted = work.wanted
        if not wanted.chips_suffice:
            return {}
        shown = self._pictures.get(work.place, CHIPS_OF)
        if shown and not _are_of(shown, {model_of(record) for record in wanted.records}):
            return {}
        found: dict[int, bytes] = {}
        for record in wanted.open:
            chip = self._pictures.get(work.place, chip_name(face_id_of(record) % FACES_PER_IMAGE))
            if chip is None:
                return {}
            found[face_id_of(record)] = chip
        return found

    def _encode(self, work: _Work, chips: Mapping[int, bytes]) -> None:
        def encoded(analysis: Analysis) -> None:
            made: dict[int, Face | Encoding] = {
                number: face.encoding for number, face in zip(chips, analysis.faces, strict=True)
            }
            self._write(work, reencoded(work.wanted, made, work.trouble))

        self._batches.encode(work.wanted.model, chips, self._answered(work, encoded))

    def _detected(self, work: _Work, analysis: Analysis) -> None:
        boxes = lost_boxes(work.wanted, analysis.faces)
        if not boxes or work.original is None:
            self._redetected(work, analysis, ())
            return
        self._ask(
            work,
            Task(work.original, work.wanted.model, tuple(boxes)),
            lambda more: self._redetected(work, analysis, more.faces),
            otherwise=lambda: self._redetected(work, analysis, ()),
        )

    # ------------------------------------------------------------ what it answered

    def _redetected(self, work: _Work, analysis: Analysis, encoded: Sequence[Face]) -> None:
        made = redetected(work.wanted, analysis.faces, {face.box: face for face in encoded})
        kept: dict[str, bytes] = {}
        for number, place in made.places.items():
            kept |= _pictures_at(number, place, analysis)
        if kept:
            kept[CHIPS_OF] = str(work.wanted.model.value).encode()
        self._keep_and_write(work, kept, made)

    def _computed(self, work: _Work, ids: Sequence[int], analysis: Analysis) -> None:
        made = reencoded(work.wanted, dict(zip(ids, analysis.faces, strict=True)))
        kept: dict[str, bytes] = {}
        for place, number in enumerate(ids):
            pictures = _pictures_at(number, place, analysis)
            wished = {"normalized": chip_name, "thumbnails": thumbnail_name}
            names = {name(number % FACES_PER_IMAGE) for part, name in wished.items() if part in work.wanted.parts}
            kept |= {name: picture for name, picture in pictures.items() if name in names}
        self._keep_and_write(work, kept, made)

    def _keep_and_write(self, work: _Work, pictures: Mapping[str, bytes], made: Made) -> None:
        """The pictures first, so that a face that is known has its own. Raises ImageStoreUnavailable."""
        if pictures and self._keeps:
            self._pictures.put(work.place, pictures)
        self._write(work, made)

    def _write(self, work: _Work, made: Made) -> None:
        self._committer.put_aside(self._aside, Remade(work.wanted, made), lambda done: self._written(work, made, done))

    def _written(self, work: _Work, made: Made, done: Put) -> None:
        """Called by the committer. What was not written is obsolete, or still pending: then it is sent again."""
        if isinstance(done, InternalError):
            self._put(work, lambda: self._refused(work, done))
            return
        log.debug(
            "%s: %s",
            work.wanted.hash,
            f"{len(made.records)} faces aside" if done else "is not what it was",
            extra={"action": "regenerated", "image_hash": work.wanted.hash, "written": done},
        )
        if not done:
            self._put(work, lambda: self._later(work, None))
            return
        self._consumer.ack([work.delivery])

    # ------------------------------------------------------------ when it fails

    @property
    def _keeps(self) -> bool:
        return self._pictures.kind != "none"

    def _ask(
        self,
        work: _Work,
        task: Task,
        then: Callable[[Analysis], None],
        otherwise: Callable[[], None] | None = None,
    ) -> None:
        """Have the engine do ``task``; ``otherwise`` is called when the picture is not fit for it."""
        self._pool.submit(task, self._answered(work, then, otherwise))

    def _answered(
        self, work: _Work, then: Callable[[Analysis], None], otherwise: Callable[[], None] | None = None
    ) -> Callable[[Result], None]:
        """What the pool calls with the result: it goes on in a thread of ours."""

        def done(result: Result) -> None:
            if isinstance(result, Analysis):
                self._put(work, lambda: then(result))
            elif result.permanent and otherwise is not None:
                self._put(work, otherwise)
            else:
                self._put(work, lambda: self._failed(work, result))

        return done

    def _failed(self, work: _Work, error: FacerecError) -> None:
        """The engine: a picture that it cannot read will not become better; one that stops it gets more tries."""
        wanted = work.wanted
        blamed = isinstance(error, ChildDied | TimeLimitExceeded)
        if blamed or not error.permanent:
            tries = self._patience.insist(
                lambda: self._aside.later(wanted.run, wanted.owner, wanted.hash, LATER, blamed=blamed)
            )
            if tries < TRIES:
                self._consumer.ack([work.delivery])
                return
        self._write(work, reencoded(wanted, {}, f"{error.code}: {error.reason}"))

    def _refused(self, work: _Work, error: InternalError) -> None:
        """The store, which has a damaged key of this image or of one that it matches."""
        wanted = work.wanted
        _log_damage("cannot be put aside", wanted.owner, wanted.hash, error)
        self._put_off(wanted.run, wanted.owner, wanted.hash, REFUSED)
        self._consumer.ack([work.delivery])

    def _later(self, work: _Work, error: FacerecError | None) -> None:
        wanted = work.wanted
        if error is not None:
            log.info("regenerating %s later: %s", wanted.hash, error.reason, extra={"action": "waiting"})
        self._put_off(wanted.run, wanted.owner, wanted.hash, LATER if error else 0.0)
        self._consumer.ack([work.delivery])

    def _put_off(self, run: int, owner: str, image_hash: str, delay: float) -> None:
        """What the store refuses to note is sent again all the same, when the conductor has waited long enough for it."""
        try:
            self._patience.insist(lambda: self._aside.later(run, owner, image_hash, delay, blamed=False))
        except InternalError as error:
            _log_damage("was not put off", owner, image_hash, error)


def _log_damage(what: str, owner: str, image_hash: str, error: InternalError) -> None:
    """``what`` happened to the image, because a key of it, or of one that it matches, is damaged."""
    log.error(
        "%s %s: %s: run facerec fsck --fix",
        image_hash,
        what,
        error.reason,
        extra={"action": "regenerate", "owner": owner, "image_hash": image_hash, "code": error.code},
    )


def _are_of(shown: bytes, models: Set[Model]) -> bool:
    """Whether chips were cut by the detector of all these models, going by what is kept beside them."""
    try:
        detector = Model(int(shown))
    except ValueError:
        return False
    return all(same_detector(model, detector) for model in models)


def _pictures_at(face: int, place: int, analysis: Analysis) -> dict[str, bytes]:
    """The chip and the thumbnail of a face that stands at ``place`` in an analysis, as far as they were made."""
    number, found = face % FACES_PER_IMAGE, {}
    if place < len(analysis.chips):
        found[chip_name(number)] = analysis.chips[place]
    if analysis.renderings is not None and place < len(analysis.renderings.thumbnails):
        found[thumbnail_name(number)] = analysis.renderings.thumbnails[place]
    return found
