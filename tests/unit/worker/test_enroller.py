"""A photo for which a person waits, when its request is delivered again: the answer reaches who waits, and nothing stays begun."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest

from facerec.enrolment import Wish
from facerec.errors import DeadlineExceeded
from facerec.jobs import Reply, Request
from facerec.ports import Delivery, Start
from facerec.topology import INTERACTIVE_QUEUE
from tests.faces import analysis
from worker.enroller import Enroller
from worker.flights import Flights
from worker.patience import Patience

PHOTO = b"a photo"


class Scene:
    """An enroller whose engine waits; ``awaited`` tells by which connection somebody still waits."""

    def __init__(self) -> None:
        self.flights = Flights()
        self.awaited = {"first"}
        self.replies: list[tuple[str, Reply]] = []
        self.acknowledged: list[str] = []
        self.failed = Mock()
        self.commits = Mock(begin=Mock(return_value=[Start("done")]))
        self.pool = Mock()
        self.enroller = Enroller(
            consumer=Mock(
                reply=lambda delivery, reply: self.replies.append((delivery.token, reply)),
                ack=lambda deliveries: self.acknowledged.extend(each.token for each in deliveries),
                is_awaited=lambda delivery: delivery.token in self.awaited,
            ),
            pool=self.pool,
            commits=self.commits,
            flights=self.flights,
            patience=Patience(),
            keeper=Mock(keeps=False),
            failed=self.failed,
            restored=Mock(),
            model=lambda: None,
            clock=lambda: 0.0,
        )

    def deliver(self, token: str, *, redelivered: bool = False) -> None:
        parameters: dict[str, Any] = {"wish": Wish(now=0.0, selector="all").document(), "name": "a.jpg", "ticket": 1}
        request = Request("enroll", "default", 10.0, parameters, PHOTO)
        delivery = Delivery(INTERACTIVE_QUEUE, request.headers, PHOTO, redelivered=redelivered, token=token)
        self.enroller.enroll(delivery, request)

    @property
    def is_wanted(self) -> Callable[[], bool]:
        wanted: Callable[[], bool] = self.pool.submit.call_args.kwargs["is_wanted"]
        return wanted


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_request_that_comes_again_over_a_new_connection_is_answered_there(scene: Scene) -> None:
    scene.deliver("first")
    scene.deliver("second", redelivered=True)
    scene.awaited = {"second"}
    assert scene.is_wanted()
    scene.pool.submit.call_args.args[1](analysis(0.0))
    assert [token for token, reply in scene.replies if reply.ok] == ["first", "second"]
    assert scene.acknowledged == ["first", "second"]
    assert scene.commits.begin.call_args.kwargs == {"person_waits": True}


def test_a_photo_that_nobody_waits_for_is_dropped(scene: Scene) -> None:
    scene.deliver("first")
    scene.awaited.clear()
    assert not scene.is_wanted()
    assert (scene.acknowledged, len(scene.flights)) == (["first"], 0)
    scene.failed.assert_not_called()


def test_one_that_a_worker_may_have_begun_before_it_died_is_ended(scene: Scene) -> None:
    scene.deliver("first", redelivered=True)
    scene.awaited.clear()
    assert not scene.is_wanted()
    _flight, error = scene.failed.call_args.args
    assert isinstance(error, DeadlineExceeded)
