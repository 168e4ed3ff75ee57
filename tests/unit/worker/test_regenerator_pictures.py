"""What lies in the stores may be damaged: that concerns the image, and not the worker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import Mock, call

import pytest

from facerec.errors import InternalError
from facerec.faces import Model
from facerec.identity import face_id, image_hash
from facerec.jobs import RegenerateJob
from facerec.ports import Place
from facerec.records import pack_face
from facerec.regenerate import Share, Skip, Wanted
from facerec.services.pictures import CHIPS_OF
from tests.faces import face
from worker.patience import Patience
from worker.regenerator import LATER, REFUSED, Regenerator

SECONDS = 20.0
WANTED = Wanted(
    run=1,
    owner="default",
    hash=image_hash(b"a picture"),
    ticket=1,
    old=Model.HOG,
    model=Model.HOG,
    parts=("encodings",),
    shares=(Share(),),
    skip=Skip(),
    seen="",
    records=(pack_face(face_id(1, 0), face(0.0)),),
    aside=(),
)


def test_chips_of_a_detector_that_nobody_knows_are_not_used() -> None:
    def get(_place: Place, name: str) -> bytes | None:
        return b"\0\0" if name == CHIPS_OF else None

    ended = threading.Event()
    committer = Mock(put_aside=Mock(side_effect=lambda *_: ended.set()))
    crashed = Mock(side_effect=ended.set)
    regenerator = Regenerator(
        consumer=Mock(),
        pool=Mock(),
        committer=committer,
        aside=Mock(begin_many=Mock(return_value=[WANTED])),
        pictures=Mock(get=get),
        patience=Patience(),
        crashed=crashed,
    )
    regenerator.start()
    regenerator.take(Mock(headers=RegenerateJob(WANTED.owner, WANTED.hash, WANTED.run).headers))
    assert ended.wait(SECONDS)
    regenerator.close()
    crashed.assert_not_called()
    _, remade, _ = committer.put_aside.call_args.args
    assert len(remade.made.unmoved) == 1


def refuse_none(*_: object, **__: object) -> int:
    return 0


def refuse_all(*_: object, **__: object) -> int:
    raise InternalError("Redis refused a command: WRONGTYPE")


@pytest.mark.parametrize("later", [refuse_none, refuse_all])
def test_an_image_with_damaged_keys_is_put_off_and_its_neighbours_are_begun(
    later: Callable[..., int], caplog: pytest.LogCaptureFixture
) -> None:
    damaged = "ab" * 32
    ended = threading.Semaphore(0)

    def begin_many(jobs: Sequence[RegenerateJob]) -> list[Wanted]:
        if any(job.hash == damaged for job in jobs):
            raise InternalError("Redis refused a command: WRONGTYPE")
        return [WANTED for _ in jobs]

    def ack(deliveries: Sequence[Any]) -> None:
        if deliveries:
            ended.release()

    aside = Mock(begin_many=begin_many, later=Mock(side_effect=later))
    committer = Mock(put_aside=Mock(side_effect=lambda *_: ended.release()))
    crashed = Mock(side_effect=ended.release)
    regenerator = Regenerator(
        consumer=Mock(ack=Mock(side_effect=ack)),
        pool=Mock(),
        committer=committer,
        aside=aside,
        pictures=Mock(get=lambda _place, _name: None),
        patience=Patience(),
        crashed=crashed,
    )
    for image in (damaged, WANTED.hash):
        regenerator.take(Mock(headers=RegenerateJob(WANTED.owner, image, WANTED.run).headers))
    regenerator.start()
    assert ended.acquire(timeout=SECONDS)
    assert ended.acquire(timeout=SECONDS)
    regenerator.close()

    crashed.assert_not_called()
    committer.put_aside.assert_called_once()
    assert aside.later.mock_calls == [call(WANTED.run, WANTED.owner, damaged, LATER, blamed=False)]
    assert damaged in caplog.text
    assert "facerec fsck" in caplog.text


@pytest.mark.parametrize(
    ("outcome", "delay"), [(False, 0.0), (InternalError("Redis refused a command: WRONGTYPE"), REFUSED)]
)
def test_what_the_store_refuses_is_not_made_again_at_once(
    outcome: bool | InternalError, delay: float, caplog: pytest.LogCaptureFixture
) -> None:
    """Each try costs an engine's work, and the worker a look at everything that is known."""
    ended = threading.Event()

    def put_aside(_store: Any, _remade: Any, done: Callable[[bool | InternalError], None]) -> None:
        done(outcome)

    aside = Mock(begin_many=Mock(return_value=[WANTED]))
    regenerator = Regenerator(
        consumer=Mock(ack=Mock(side_effect=lambda deliveries: ended.set() if deliveries else None)),
        pool=Mock(),
        committer=Mock(put_aside=put_aside),
        aside=aside,
        pictures=Mock(get=lambda _place, _name: None),
        patience=Patience(),
        crashed=Mock(),
    )
    regenerator.start()
    regenerator.take(Mock(headers=RegenerateJob(WANTED.owner, WANTED.hash, WANTED.run).headers))
    assert ended.wait(SECONDS)
    regenerator.close()
    assert aside.later.mock_calls == [call(WANTED.run, WANTED.owner, WANTED.hash, delay, blamed=False)]
    assert ("facerec fsck" in caplog.text) == (outcome is not False)
