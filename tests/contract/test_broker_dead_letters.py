"""What every box of dead letters does, in memory and for real."""

from __future__ import annotations

import time

import pytest

from facerec.jobs import ScanJob
from facerec.ports import DeadLetter
from tests.brokers import Broker, scan_job, until


def bury(broker: Broker, count: int) -> None:
    publisher = broker.publisher()
    for ticket in range(1, count + 1):
        job = scan_job(str(ticket).encode(), ticket=ticket, attempt=3)
        publisher.bury(job.headers, job.body, "UNREADABLE_IMAGE", f"reason {ticket}")
    until(lambda: broker.dead_letters().count() == count)


def tickets(letters: object) -> list[int]:
    return [letter.ticket for letter in letters]  # type: ignore[attr-defined]


def test_letter_says_what_was_given_up_and_why(broker: Broker) -> None:
    job = scan_job(b"12345", attempt=5)
    broker.publisher().bury(job.headers, job.body, "CHILD_DIED", "x" * 5000)
    box = broker.dead_letters()
    until(lambda: box.count() == 1)
    (letter,) = box.list(10)
    assert letter == DeadLetter(
        hash=job.hash,
        owner="default",
        name="1.jpg",
        ticket=1,
        code="CHILD_DIED",
        reason="x" * 1000,
        attempts=5,
        buried_at=pytest.approx(time.time(), abs=30),
        size=5,
    )


def test_listing_takes_nothing_away_and_keeps_the_order(broker: Broker) -> None:
    bury(broker, 5)
    box = broker.dead_letters()
    for _ in range(3):
        assert tickets(box.list(3)) == [1, 2, 3]
        until(lambda: box.count() == 5)
    assert tickets(box.list(100)) == [1, 2, 3, 4, 5]


def test_dropped_letters_are_gone_and_the_others_stay_in_order(broker: Broker) -> None:
    bury(broker, 5)
    box = broker.dead_letters()
    assert tickets(box.drop(lambda letter: letter.ticket in {2, 4})) == [2, 4]
    until(lambda: box.count() == 3)
    assert tickets(box.list(10)) == [1, 3, 5]


def test_redriven_job_comes_again_as_a_first_attempt(broker: Broker) -> None:
    bury(broker, 3)
    box = broker.dead_letters()
    redriven = box.redrive(lambda letter: letter.ticket == 2, lambda letter: {"ticket": letter.ticket + 100})
    assert tickets(redriven) == [2]
    until(lambda: box.count() == 2)
    assert tickets(box.list(10)) == [1, 3]
    running = broker.run()
    delivery = running.inbox.take_one()
    job = ScanJob.from_message(delivery.headers, delivery.body)
    assert (job.ticket, job.attempt, job.body) == (102, 1, b"2")
    assert delivery.headers["redriven"] == 1
    assert not {"code", "reason", "buried-at", "attempts"} & set(delivery.headers)
    broker.publisher().bury(delivery.headers, delivery.body, "X", "again")
    running.ack(delivery)
    until(lambda: box.count() == 3)
    box.redrive(lambda letter: letter.ticket == 102)
    assert running.inbox.take_one().headers["redriven"] == 2


def test_poison_is_listed_too(broker: Broker) -> None:
    broker.publisher().bury({"ticket": "seven"}, b"?", "MALFORMED_JOB", "no job")
    box = broker.dead_letters()
    until(lambda: box.count() == 1)
    (letter,) = box.list(10)
    assert (letter.hash, letter.ticket, letter.code, letter.attempts) == ("", 0, "MALFORMED_JOB", 0)
    assert box.drop(lambda letter: letter.code == "MALFORMED_JOB") == [letter]
