"""Finished pictures wait for others under load, and nobody who waits for an answer waits for them."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast
from unittest.mock import Mock

import pytest

from facerec.errors import InternalError
from facerec.identity import image_hash
from facerec.index import FaceIndex
from facerec.jobs import ScanJob
from facerec.ports import Delivery, Scanned
from facerec.rule import Outcome
from tests.faces import analysis
from worker import pace
from worker.committer import Committer
from worker.flights import Flight, Flights
from worker.patience import Patience

LONGEST = 30.0
ALL = 6


class Rule:
    """Stands for the rule: writes everything, and tells how many pictures came in each batch."""

    def __init__(self) -> None:
        self.batches: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.sets = Mock(current=FaceIndex())

    def finish(self, batch: Sequence[Scanned]) -> Outcome:
        self.batches.put(len(batch))
        return Outcome(tuple(batch), frozenset())

    def catch_up(self) -> bool:
        return True


@pytest.fixture
def rule() -> Rule:
    return Rule()


@pytest.fixture
def flights() -> Flights:
    return Flights()


@pytest.fixture
def under_way(flights: Flights) -> list[Flight]:
    def flight(number: int) -> Flight:
        body = b"picture %d" % number
        boarded = flights.board(
            ScanJob("default", image_hash(body), f"{number}.jpg", number, 0.0, body),
            Delivery("scan", {}, body, redelivered=False, token=number),
        )
        assert boarded is not None
        return boarded

    return [flight(number) for number in range(ALL)]


@pytest.fixture
def committer(rule: Rule, flights: Flights, monkeypatch: pytest.MonkeyPatch) -> Iterator[Committer]:
    # Whoever waits only for time to pass waits longer than a test.
    monkeypatch.setattr(pace, "LONGEST", 10 * LONGEST)
    monkeypatch.setattr(pace, "REST", 1e9)
    made = Committer(
        rule=cast("Any", rule),
        consumer=Mock(),
        flights=flights,
        patience=Patience(),
        batch=32,
        again=Mock(),
        failed=Mock(),
        crashed=Mock(),
    )
    made.start()
    yield made
    made.close()


def test_pictures_wait_for_half_of_those_under_way(committer: Committer, rule: Rule, under_way: list[Flight]) -> None:
    committer.finished(under_way[0], analysis(0.0))
    assert rule.batches.get(timeout=LONGEST) == 1  # Nothing was compared before: it goes at once.

    committer.finished(under_way[1], analysis(1.0))
    with pytest.raises(queue.Empty):
        rule.batches.get(timeout=0.2)
    committer.finished(under_way[2], analysis(2.0))
    with pytest.raises(queue.Empty):
        rule.batches.get(timeout=0.2)
    committer.finished(under_way[3], analysis(3.0))
    assert rule.batches.get(timeout=LONGEST) == 3


def test_a_question_waits_for_no_picture(committer: Committer, rule: Rule, under_way: list[Flight]) -> None:
    committer.finished(under_way[0], analysis(0.0))
    assert rule.batches.get(timeout=LONGEST) == 1
    committer.finished(under_way[1], analysis(1.0))

    asked: queue.SimpleQueue[FaceIndex] = queue.SimpleQueue()
    committer.ask(asked.put)
    assert asked.get(timeout=LONGEST) is rule.sets.current
    assert rule.batches.get(timeout=LONGEST) == 1


def test_a_picture_that_a_person_waits_for_goes_at_once(
    committer: Committer, rule: Rule, under_way: list[Flight]
) -> None:
    committer.finished(under_way[0], analysis(0.0))
    assert rule.batches.get(timeout=LONGEST) == 1
    committer.finished(under_way[1], analysis(1.0))
    under_way[2].waiting = Mock()
    committer.finished(under_way[2], analysis(2.0))
    assert rule.batches.get(timeout=LONGEST) == 2


def test_one_image_under_way_twice_is_written_twice(
    committer: Committer, rule: Rule, flights: Flights, under_way: list[Flight]
) -> None:
    """It was erased in mid-scan and sent again at once: one of the two jobs is found to be obsolete, and both must end."""
    committer.finished(under_way[0], analysis(0.0))
    assert rule.batches.get(timeout=LONGEST) == 1
    job = under_way[1].job
    again = flights.board(replace(job, ticket=ALL), Delivery("scan", {}, job.body, redelivered=False, token=ALL))
    assert again is not None
    for flight in (under_way[1], again, under_way[2]):
        committer.finished(flight, analysis(1.0))
    assert rule.batches.get(timeout=LONGEST) == 2
    assert rule.batches.get(timeout=LONGEST) == 1
    committer.close()
    assert len(flights) == ALL - 3


def test_an_image_that_the_store_refuses_to_put_aside_is_told_so_and_its_neighbours_are_written(
    rule: Rule, committer: Committer
) -> None:
    refusal = InternalError("Redis refused a command: WRONGTYPE")

    def put_aside(_commits: Any, images: Sequence[str]) -> list[bool]:
        if "damaged" in images:
            raise refusal
        return [image == "sound" for image in images]

    told: queue.SimpleQueue[tuple[str, bool | InternalError]] = queue.SimpleQueue()
    cast("Any", rule).put_aside = put_aside
    cast("Any", rule).load = Mock()
    commits = Mock()
    for image in ("sound", "damaged", "obsolete"):
        committer.put_aside(commits, cast("Any", image), lambda done, image=image: told.put((image, done)))  # type: ignore[misc]
    expected = {"sound": True, "damaged": refusal, "obsolete": False}
    assert dict(told.get(timeout=LONGEST) for _ in expected) == expected


def test_an_index_that_cannot_follow_the_journal_is_loaded_anew(committer: Committer, rule: Rule) -> None:
    loaded: queue.SimpleQueue[bool] = queue.SimpleQueue()
    asked: queue.SimpleQueue[FaceIndex] = queue.SimpleQueue()
    faults = [InternalError("journal entry 7 after position 5")]

    def catch_up() -> bool:
        if faults:
            raise faults.pop()
        return True

    rule.catch_up = catch_up  # type: ignore[method-assign]
    rule.load = lambda: loaded.put(True)  # type: ignore[attr-defined]
    committer.ask(asked.put)
    assert loaded.get(timeout=LONGEST)
    assert asked.get(timeout=LONGEST) is rule.sets.current
