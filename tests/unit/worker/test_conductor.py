"""What a conductor takes is published, also when the broker is away, and when another conductor has died over it."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from facerec.errors import BrokerUnavailable
from facerec.regeneration import Batch, Run
from worker.conductor import Conductor


class Steps:
    """Hands out one image a step, and again what is not said to be published."""

    def __init__(self) -> None:
        self.run = 1
        self.asked: list[int] = []

    def turn(self, _worker: str, _seconds: float) -> bool:
        return True

    def current(self) -> Run:
        fields: dict[str, Any] = dict.fromkeys(Run.__slots__, 0)
        return Run(**fields | {"run": self.run, "state": "running", "walked": True, "waiting": 9, "until": None})

    def take(self, run: int, _at_once: int, _again: float, published: int) -> Batch:
        self.asked.append(published)
        return Batch(len(self.asked), (("default", f"image {run} {published}"),))


class Publisher:
    def __init__(self) -> None:
        self.away = False
        self.published: list[str] = []

    def publish(self, job: Any) -> None:
        if self.away:
            raise BrokerUnavailable("away")
        self.published.append(job.hash)


def test_a_batch_counts_as_published_when_the_broker_has_all_of_it() -> None:
    steps, publisher, workers = Steps(), Publisher(), Mock()
    workers.workers.return_value = {}
    conductor = Conductor(
        "me",
        steps=steps,  # type: ignore[arg-type]
        publisher=publisher,  # type: ignore[arg-type]
        workers=workers,
        committer=Mock(),
        crashed=Mock(),
    )
    conductor.step()
    publisher.away = True
    with pytest.raises(BrokerUnavailable):
        conductor.step()
    publisher.away = False
    conductor.step()
    conductor.step()
    steps.run = 2
    conductor.step()
    conductor.close()
    # The second batch was not published, so the third call names the first; a new run knows of none.
    assert steps.asked == [0, 1, 1, 3, 0]
    assert publisher.published == ["image 1 0", "image 1 1", "image 1 3", "image 2 0"]
