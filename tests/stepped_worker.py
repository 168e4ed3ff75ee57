"""``python -m tests.stepped_worker``: a worker that waits at one step of the rule until a test lets it go on.

STEP_AT names the step, STEP_FOLDER a folder: there the file ``reached`` appears when the step is reached for the first time, and
the worker goes on when the file ``go`` is there. Meanwhile the test does to it, or to the servers, what it likes.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import worker.__main__ as root
from facerec.adapters.rabbitmq import RabbitConsumer
from facerec.adapters.redis import RedisCommits
from facerec.jobs import ScanJob
from facerec.ports import Delivery, Scanned, Start

STEPS = ("before begin", "after begin", "before commit", "after commit", "before ack", "after ack")


def step(name: str) -> None:
    """Wait here when this is the step, and it is reached for the first time."""
    folder = Path(os.environ["STEP_FOLDER"])
    reached = folder / "reached"
    if name != os.environ["STEP_AT"] or reached.exists():
        return
    reached.touch()
    while not (folder / "go").exists():
        time.sleep(0.01)


class SteppedCommits(RedisCommits):
    def begin(self, jobs: Sequence[ScanJob]) -> list[Start]:
        step("before begin")
        starts = super().begin(jobs)
        step("after begin")
        return starts

    def commit(self, batch: Sequence[Scanned], position: int) -> Any:
        step("before commit")
        result = super().commit(batch, position)
        step("after commit")
        return result


class SteppedConsumer(RabbitConsumer):
    def ack(self, deliveries: Iterable[Delivery]) -> None:
        step("before ack")
        super().ack(deliveries)
        step("after ack")


if __name__ == "__main__":
    vars(root).update(RedisCommits=SteppedCommits, RabbitConsumer=SteppedConsumer)
    sys.exit(root.main())
