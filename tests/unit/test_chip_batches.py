"""Chips of several pictures in one task: each picture gets its own faces back, and its own errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import pytest

from facerec.errors import UnreadableImage
from facerec.faces import Analysis, Box, Face, Model
from facerec.records import split_records
from facerec.wire import Task
from worker.chips import ChipBatches
from worker.pool import EnginePool, Result


class Pool:
    """One engine child that works when the test says so. The confidence of a face tells which chip it was made of."""

    def __init__(self) -> None:
        self.line: list[tuple[Task, Callable[[Result], None]]] = []
        self.sizes: list[int] = []

    def __len__(self) -> int:
        return 1

    def submit(self, task: Task, done: Callable[[Result], None]) -> None:
        self.line.append((task, done))

    def work(self) -> None:
        while self.line:
            task, done = self.line.pop(0)
            chips = [int(chip) for chip in split_records(task.image)]
            self.sizes.append(len(chips))
            done(UnreadableImage("a damaged chip") if 13 in chips else _analysis(chips, task.model or Model.HOG))


def _analysis(chips: list[int], model: Model) -> Analysis:
    faces = tuple(Face(Box(0, 0, 0, 0), (), float(chip), np.zeros(128, np.float32), model) for chip in chips)
    return Analysis(0, 0, model, faces)


@pytest.fixture
def pool() -> Pool:
    return Pool()


def encoded(pool: Pool, pictures: list[list[int]], models: list[Model] | None = None) -> list[list[float] | str]:
    """What each picture, given by its chips, was told."""
    batches = ChipBatches(cast(EnginePool, pool))
    told: dict[int, list[float] | str] = {}

    def answer(place: int) -> Callable[[Result], None]:
        def done(result: Result) -> None:
            assert place not in told
            told[place] = [f.confidence for f in result.faces] if isinstance(result, Analysis) else result.code

        return done

    for place, chips in enumerate(pictures):
        model = models[place] if models else Model.HOG
        batches.encode(model, {chip: str(chip).encode() for chip in chips}, answer(place))
    pool.work()
    return [told[place] for place in range(len(pictures))]


def test_what_waits_goes_together_and_comes_back_to_its_picture(pool: Pool) -> None:
    pictures = [[1], [2], *([n] for n in range(20, 27)), [30, 31, 32], list(range(40, 52))]
    assert encoded(pool, pictures) == [[float(chip) for chip in chips] for chips in pictures]
    # Two begin at once; then the others as they fit, and what is too large for any batch alone.
    assert pool.sizes == [1, 1, 7, 3, 12]


def test_only_the_damaged_picture_is_told_the_error(pool: Pool) -> None:
    assert encoded(pool, [[1], [2], [3], [13], [4]]) == [[1.0], [2.0], [3.0], "UNREADABLE_IMAGE", [4.0]]
    assert encoded(pool, [[5], [6], [7]]) == [[5.0], [6.0], [7.0]]


def test_models_are_not_mixed(pool: Pool) -> None:
    models = [Model.HOG, Model.HOG, Model.HOG, Model.CNN]
    assert encoded(pool, [[1], [2], [3], [4]], models) == [[1.0], [2.0], [3.0], [4.0]]
    assert pool.sizes == [1, 1, 1, 1]
