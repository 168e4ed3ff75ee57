"""Jobs in hand are not lost, however long they wait."""

from __future__ import annotations

import logging
import threading
from unittest.mock import Mock, call

import pytest

from facerec.errors import InternalError
from facerec.jobs import ScanJob
from worker.lookout import Lookout


@pytest.mark.parametrize(("depth", "looks"), [(0, [call.lost(600.0)]), (3, [])])
def test_what_is_in_hand_is_renewed_before_anybody_looks(depth: int, looks: list[object]) -> None:
    commits = Mock()
    commits.lost.return_value = []
    job = ScanJob("default", "ab" * 32, "a.jpg", 1, 0.0, b"")
    publisher = Mock(depth=lambda: depth)
    Lookout(commits=commits, in_hand=lambda: [job], publisher=publisher, seconds=600.0, crashed=Mock()).look()
    assert commits.mock_calls == [call.renew([job]), *looks]


def test_a_claim_that_cannot_be_renewed_keeps_nobody_from_looking() -> None:
    commits = Mock()
    commits.renew.side_effect = InternalError("Redis refused a command: WRONGTYPE")
    commits.lost.return_value = []
    Lookout(commits=commits, in_hand=list, publisher=Mock(depth=lambda: 0), seconds=600.0, crashed=Mock()).look()
    assert commits.mock_calls == [call.renew([]), call.lost(600.0)]


def test_a_store_that_refuses_ends_no_worker(caplog: pytest.LogCaptureFixture) -> None:
    looked = threading.Semaphore(0)

    def refuse(_seconds: float) -> None:
        looked.release()
        raise InternalError("Redis refused a command: WRONGTYPE")

    crashed = Mock(side_effect=looked.release)
    lookout = Lookout(
        commits=Mock(lost=refuse), in_hand=list, publisher=Mock(depth=lambda: 0), seconds=0.04, crashed=crashed
    )
    lookout.start()
    assert looked.acquire(timeout=20.0)
    assert looked.acquire(timeout=20.0)
    lookout.close()
    crashed.assert_not_called()
    assert "facerec fsck" in next(record.getMessage() for record in caplog.records if record.levelno == logging.ERROR)
