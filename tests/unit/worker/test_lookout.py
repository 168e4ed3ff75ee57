"""Jobs that the broker or a worker still holds are not lost, however long they wait."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any
from unittest.mock import Mock, call

import pytest

from facerec.errors import InternalError
from facerec.jobs import ScanJob
from facerec.ports import Image, Lost, QueueState
from worker.lookout import Lookout
from worker.pulse import FORGOTTEN_AFTER

SECONDS = 600.0
IDLE = QueueState(waiting=0, consumers=1)
SURE: Mapping[str, Any] = {"consuming": True, "unclaimed": 0, "claims_renewed": 150.0}
SUSPECTS: frozenset[Image] = frozenset({("default", "ab" * 32)})


def lookout(commits: Mock, state: QueueState = IDLE, *workers: Mapping[str, Any], **others: Any) -> Lookout:
    told = {str(number): state for number, state in enumerate(workers or (SURE,))}
    parts: dict[str, Any] = {
        "commits": commits,
        "in_hand": list,
        "publisher": Mock(queue_state=lambda: state),
        "workers": Mock(workers=lambda: told),
        "seconds": SECONDS,
        "crashed": Mock(),
    }
    return Lookout(**parts | others)


def commits_with(suspects: frozenset[Image] = frozenset()) -> Mock:
    return Mock(lost=Mock(return_value=Lost(suspects=suspects)))


def test_what_is_in_hand_is_renewed_before_anybody_looks() -> None:
    commits, job = commits_with(), ScanJob("default", "ab" * 32, "a.jpg", 1, 0.0, b"")
    made = lookout(commits, in_hand=lambda: [job])
    assert made.renewed is None
    made.look()
    assert commits.mock_calls == [call.renew([job]), call.lost(SECONDS, frozenset())]
    assert made.renewed is not None


def test_a_job_is_lost_when_it_is_suspected_for_as_long_as_a_silent_worker_is_remembered() -> None:
    commits, now = commits_with(SUSPECTS), [0.0]
    made = lookout(commits, clock=lambda: now[0])
    for now[0] in (0.0, FORGOTTEN_AFTER - 1.0, FORGOTTEN_AFTER):
        made.look()
    assert commits.lost.mock_calls == [call(SECONDS, frozenset()), call(SECONDS, SUSPECTS)]


def test_suspects_are_forgotten_when_a_job_is_seen_in_between() -> None:
    commits, now, states = commits_with(SUSPECTS), [0.0], [IDLE, QueueState(1, 1), IDLE]
    made = lookout(commits, publisher=Mock(queue_state=Mock(side_effect=states)), clock=lambda: now[0])
    for now[0] in (0.0, 100.0, 200.0):
        made.look()
    assert commits.lost.mock_calls == 2 * [call(SECONDS, frozenset())]


@pytest.mark.parametrize(
    ("state", "workers"),
    [
        (QueueState(waiting=1, consumers=1), [SURE]),
        (QueueState(waiting=0, consumers=2), [SURE]),
        (QueueState(waiting=0, consumers=2), [SURE, {**SURE, "consuming": False}]),
        (QueueState(waiting=0, consumers=0), [SURE]),
        (IDLE, [{**SURE, "unclaimed": 3}]),
        (IDLE, [{**SURE, "claims_renewed": 400.0}]),
        (IDLE, [{**SURE, "claims_renewed": None}]),
        (IDLE, [{"jobs": 0}]),
        (QueueState(waiting=0, consumers=2), [SURE, {"consuming": True, "jobs": 3}]),
    ],
    ids=[
        "a job waits",
        "a worker stands still and keeps its connection",
        "a worker that loads is not the one that stands still",
        "the broker's leader is away",
        "a worker has jobs that it has not claimed",
        "a worker could not renew its claims",
        "a worker never renewed its claims",
        "a worker of a release that does not tell",
        "one of two does not tell",
    ],
)
def test_nothing_is_lost_as_long_as_somebody_may_hold_it(state: QueueState, workers: list[dict[str, Any]]) -> None:
    commits = commits_with()
    lookout(commits, state, *workers).look()
    commits.lost.assert_not_called()


def test_a_claim_that_cannot_be_renewed_keeps_nobody_from_looking() -> None:
    commits = commits_with()
    commits.renew.side_effect = InternalError("Redis refused a command: WRONGTYPE")
    lookout(commits).look()
    assert commits.mock_calls == [call.renew([]), call.lost(SECONDS, frozenset())]


def test_a_store_that_refuses_ends_no_worker(caplog: pytest.LogCaptureFixture) -> None:
    looked = threading.Semaphore(0)

    def refuse(*_: object) -> None:
        looked.release()
        raise InternalError("Redis refused a command: WRONGTYPE")

    crashed = Mock(side_effect=looked.release)
    # What is renewed now and then is renewed lately enough for any number of seconds here.
    sure = {**SURE, "claims_renewed": 0.0}
    made = lookout(Mock(lost=refuse), IDLE, sure, seconds=0.04, crashed=crashed)
    made.start()
    assert looked.acquire(timeout=20.0)
    assert looked.acquire(timeout=20.0)
    made.close()
    crashed.assert_not_called()
    assert "facerec fsck" in next(record.getMessage() for record in caplog.records if record.levelno == logging.ERROR)
