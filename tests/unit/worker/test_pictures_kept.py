"""The keeper of pictures: between the engine and the commit, after an erasure, and at its errands."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator, Sequence
from typing import Any, cast
from uuid import uuid4

import pytest

from facerec.adapters.imagestore import open_image_store
from facerec.errors import FacerecError, ImageStoreUnavailable, InternalError, UnreadableImage
from facerec.faces import Analysis, Model, Renderings
from facerec.identity import image_hash
from facerec.jobs import ScanJob
from facerec.ports import ImageStore, Place
from worker import keeper
from worker.flights import Flight, Waiting
from worker.keeper import Keeper, Keeping
from worker.patience import Patience

BODY = b"the picture"
ANALYSIS = Analysis(10, 10, Model.HOG, (), (b"chip",), Renderings(b"preview", b"small", (b"face",)))
PLACE = Place("default", image_hash(BODY), 5)


class Errands:
    def __init__(self, *erased: Place) -> None:
        self.erased = list(erased)
        self.settled: list[Place] = []
        self.finished = 0
        self.tried = threading.Semaphore(0)
        self.due = {"erasures", "retention"}

    def turn(self, errand: str, seconds: float) -> bool:
        if errand == "erasures":
            self.tried.release()
        mine = errand in self.due
        self.due.discard(errand)
        return mine

    def finish(self, limit: int, after: float) -> None:
        self.finished += 1

    def erasure(self, owner: str, image_hash: str) -> Place | None:
        return None

    def erasures(self, limit: int) -> Sequence[Place]:
        return self.erased[:limit]

    def settle(self, erased: Place) -> None:
        self.settled.append(erased)


class Away:
    """A store that does not answer."""

    kind = "file"

    def put(self, place: Place, pictures: Any) -> None:
        raise ImageStoreUnavailable("away")

    def erase(self, owner: str, image_hash: str, ticket: int) -> int:
        raise ImageStoreUnavailable("away")


class Desk:
    """A keeper with what it hands on."""

    def __init__(self, store: Any, errands: Errands | None = None, retention: float = 0.0, now: float = 0.0) -> None:
        self.sweeps = 0
        self.patience = Patience()
        self.passed: queue.Queue[tuple[str, object]] = queue.Queue()
        self.errands = errands or Errands()
        self.keeper = Keeper(
            keeping=Keeping(store, self.errands, retention, self.sweep),
            finished=lambda _, result: self.passed.put(("finished", result)),
            failed=lambda _, error: self.passed.put(("failed", error)),
            crashed=lambda: self.passed.put(("crashed", None)),
            patience=self.patience,
            clock=lambda: now,
        )
        self.keeper.start()

    def sweep(self) -> None:
        self.sweeps += 1

    def next(self) -> tuple[str, object]:
        return self.passed.get(timeout=10)


def flight() -> Flight:
    job = ScanJob("default", PLACE.hash, "a.jpg", 6, 0.0, BODY)
    return Flight(job, [], image_ticket=5)


@pytest.fixture
def store() -> ImageStore:
    return open_image_store(f"memory://{uuid4().hex}")


@pytest.fixture
def desk(store: ImageStore) -> Iterator[Desk]:
    made = Desk(store)
    yield made
    made.keeper.close()


def test_pictures_are_stored_before_the_job_goes_on(desk: Desk, store: ImageStore) -> None:
    desk.keeper.finished(flight(), ANALYSIS)

    assert desk.next() == ("finished", ANALYSIS)
    kept = {"original": BODY, "preview.jpg": b"preview", "small.jpg": b"small", "face-0.jpg": b"face"}
    assert {name: store.get(PLACE, name) for name in kept} == kept
    assert store.get(PLACE, "chip-0.png") == b"chip"


def test_an_error_passes_through(desk: Desk, store: ImageStore) -> None:
    error = UnreadableImage("broken")
    desk.keeper.finished(flight(), error)

    assert desk.next() == ("finished", error)
    assert store.get(PLACE, "original") is None


class AwayForAWhile:
    """Cannot be written for a while, then takes pictures again."""

    kind = "file"

    def __init__(self, refusals: int) -> None:
        self.left = refusals

    def put(self, place: Place, pictures: Any) -> None:
        self.left -= 1
        if self.left >= 0:
            raise ImageStoreUnavailable("Read-only file system")


def test_a_store_that_is_away_is_waited_for() -> None:
    desk = Desk(AwayForAWhile(4))
    desk.keeper.finished(flight(), ANALYSIS)

    assert desk.next() == ("finished", ANALYSIS)
    desk.keeper.close()


def test_a_person_does_not_wait_for_a_store_that_is_away() -> None:
    store = AwayForAWhile(2)
    desk = Desk(store)
    asked = flight()
    asked.waiting = cast(Waiting, object())
    desk.keeper.finished(asked, ANALYSIS)

    assert desk.next()[0] == "failed"
    assert store.left == 1
    desk.keeper.close()


def test_a_worker_that_stops_waits_for_no_store() -> None:
    desk = Desk(Away())
    desk.keeper.finished(flight(), ANALYSIS)
    desk.patience.give_up()
    desk.keeper.close()

    assert desk.passed.empty()


def test_a_job_goes_back_to_the_queue_when_a_store_is_away_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "WAIT", 0.1)
    desk = Desk(Away())
    desk.keeper.finished(flight(), ANALYSIS)

    kind, error = desk.next()
    assert kind == "failed"
    assert isinstance(error, FacerecError)
    assert (error.code, error.permanent) == ("SERVICE_UNAVAILABLE", False)
    desk.keeper.close()


def test_none_costs_nothing() -> None:
    desk = Desk(open_image_store("none"))
    desk.keeper.finished(flight(), ANALYSIS)
    desk.keeper.erased(flight(), lambda: desk.passed.put(("done", None)))

    assert not desk.keeper.keeps
    assert [desk.passed.get_nowait(), desk.passed.get_nowait()] == [("finished", ANALYSIS), ("done", None)]
    desk.keeper.close()


def test_an_erased_job_removes_what_it_stored(desk: Desk, store: ImageStore) -> None:
    sent_again = Place("default", PLACE.hash, 9)
    store.put(PLACE, {"original": BODY})
    store.put(sent_again, {"original": BODY})

    desk.keeper.erased(flight(), lambda: desk.passed.put(("done", None)))

    assert desk.next() == ("done", None)
    assert store.get(PLACE, "original") is None
    assert store.get(sent_again, "original") == BODY


def test_an_erased_job_removes_what_it_stored_under_a_newer_ticket_than_its_own(desk: Desk, store: ImageStore) -> None:
    """Its own was given to another image, since the store had been emptied."""
    mine, place = flight(), Place("default", PLACE.hash, 8)
    mine.image_ticket = place.ticket
    store.put(place, {"original": BODY})
    desk.keeper.erased(mine, lambda: desk.passed.put(("done", None)))
    assert desk.next() == ("done", None)
    assert store.get(place, "original") is None


def test_a_removal_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "WAIT", 0.1)
    desk = Desk(Away())
    desk.keeper.erased(flight(), lambda: pytest.fail("nothing was removed"))

    assert desk.next()[0] == "failed"
    desk.keeper.close()


def test_errands(store: ImageStore) -> None:
    desk = Desk(store, Errands(PLACE), retention=3600.0, now=4e9)
    store.put(PLACE, {"original": BODY})
    store.put(Place("other", PLACE.hash, 1), {"original": BODY})

    desk.errands.due = {"erasures"}
    desk.keeper.tidy()
    assert store.get(PLACE, "original") is None
    assert desk.errands.settled == [PLACE]
    assert store.get(Place("other", PLACE.hash, 1), "original") == BODY

    desk.errands.due = {"retention"}
    desk.keeper.tidy()
    assert store.get(Place("other", PLACE.hash, 1), "original") is None
    desk.keeper.close()


def test_what_dead_calls_left_is_swept_up_in_turn_even_when_no_pictures_are_kept(store: ImageStore) -> None:
    for kept in (store, open_image_store("none")):
        desk = Desk(kept)
        desk.errands.due = {"contacts"}
        for _ in range(2):
            desk.keeper.tidy()
        assert desk.sweeps == 1
        desk.keeper.close()


def test_what_others_began_is_finished_in_turn_even_when_no_pictures_are_kept(store: ImageStore) -> None:
    for kept in (store, open_image_store("none")):
        desk = Desk(kept)
        desk.errands.due = {"finish"}
        for _ in range(2):
            desk.keeper.tidy()
        assert desk.errands.finished == 1
        desk.keeper.close()


def test_an_erasure_stays_open_while_the_store_is_away() -> None:
    desk = Desk(Away(), Errands(PLACE))

    desk.keeper.tidy()

    assert desk.errands.settled == []
    desk.keeper.close()


class Refusing(Errands):
    """Some errands meet keys of a wrong type."""

    def __init__(self, *refused: str) -> None:
        super().__init__(PLACE)
        self.due = {"contacts", "finish", "erasures", "retention"}
        self.refused = refused

    def turn(self, errand: str, seconds: float) -> bool:
        if errand in self.refused:
            raise InternalError("Redis refused a command: WRONGTYPE")
        return super().turn(errand, seconds)


def test_an_errand_that_is_refused_keeps_no_other_from_being_done(
    store: ImageStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.put(PLACE, {"original": BODY})
    desk = Desk(store, Refusing("contacts", "finish"))

    desk.keeper.tidy()

    assert desk.errands.settled == [PLACE]
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert ["contacts" in told[0], "finish" in told[1]] == [True, True]
    assert all("facerec fsck" in message for message in told)
    desk.keeper.close()


def test_a_refused_errand_ends_no_worker(store: ImageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "ERASURES_EVERY", 0.01)
    desk = Desk(store, Refusing("contacts", "finish", "retention"))

    desk.errands.tried.acquire(timeout=10)
    desk.errands.tried.acquire(timeout=10)

    assert desk.passed.empty()
    desk.keeper.close()


def test_a_store_that_refuses_a_place_fails_that_job_alone(store: ImageStore) -> None:
    class Refusing(AwayForAWhile):
        def put(self, place: Place, pictures: Any) -> None:
            raise InternalError("no such place")

    desk = Desk(Refusing(0))
    for _ in range(2 * keeper.THREADS):
        desk.keeper.finished(flight(), ANALYSIS)
    assert [desk.next()[0] for _ in range(2 * keeper.THREADS)] == ["failed"] * 2 * keeper.THREADS
    desk.keeper.close()
