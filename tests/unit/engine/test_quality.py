"""The quality filter marks, and never drops."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from facerec.engine import EngineOptions, open_engine
from facerec.engine.quality import marks, sharpness, turn
from facerec.faces import Box, Mark, Model, Point
from tests.unit.engine.conftest import MODELS

ON = EngineOptions(quality_filter=True, smallest_face=50)
FRONTAL = (Point(10, 10), Point(30, 10), Point(70, 10), Point(90, 10), Point(50, 60))
BOX = Box(top=0, right=100, bottom=100, left=0)
SHARP = np.random.default_rng(0).integers(0, 256, (150, 150, 3), np.uint8)
GOOD = {"confidence": 1.5, "chip": SHARP, "model": Model.HOG, "options": ON}


def test_a_good_face_has_no_mark() -> None:
    assert marks(BOX, FRONTAL, **GOOD) == frozenset()


def test_a_small_face() -> None:
    small = Box(top=0, right=49, bottom=60, left=0)
    assert marks(small, FRONTAL, **GOOD) == {Mark.SMALL}
    assert marks(Box(top=0, right=50, bottom=50, left=0), FRONTAL, **GOOD) == frozenset()


@pytest.mark.parametrize(
    ("model", "confidence"), [(Model.HOG, 0.29), (Model.CNN, 0.59), (Model.CNN_68, 0.59), (Model.CNN_HOG, 0.59)]
)
def test_an_unsure_face(model: Model, confidence: float) -> None:
    assert marks(BOX, FRONTAL, **GOOD | {"model": model, "confidence": confidence}) == {Mark.UNSURE}
    assert marks(BOX, FRONTAL, **GOOD | {"model": model, "confidence": confidence + 0.02}) == frozenset()


def test_a_face_below_the_detector_s_own_threshold_is_unsure() -> None:
    assert marks(BOX, FRONTAL, **GOOD | {"confidence": -0.4}) == {Mark.UNSURE}
    assert marks(BOX, FRONTAL, **GOOD | {"confidence": -0.4, "model": Model.REFERENCE}) == frozenset()


def test_a_face_that_was_not_detected_is_not_unsure() -> None:
    assert marks(BOX, FRONTAL, **GOOD | {"confidence": 0.0}) == frozenset()


def test_a_blurred_face() -> None:
    flat = np.full((150, 150, 3), 128, np.uint8)
    assert marks(BOX, FRONTAL, **GOOD | {"chip": flat}) == {Mark.BLURRED}
    assert marks(BOX, FRONTAL, **GOOD | {"chip": None}) == frozenset()


def test_a_turned_face() -> None:
    aside = (*FRONTAL[:4], Point(78, 60))
    assert marks(BOX, aside, **GOOD) == {Mark.TURNED}
    assert turn(FRONTAL) == 0
    assert turn(aside) == pytest.approx(28 / 60)


def test_eyes_in_one_place_are_turned() -> None:
    assert marks(BOX, (Point(5, 5),) * 5, **GOOD) == {Mark.TURNED}


def test_sixty_eight_points_use_the_same_places() -> None:
    points = [Point(0, 0)] * 68
    for place, point in zip((36, 39, 42, 45, 33), FRONTAL, strict=True):
        points[place] = point
    assert turn(tuple(points)) == 0


def test_several_reasons_at_once() -> None:
    worst = marks(
        Box(0, 10, 10, 0), (Point(5, 5),) * 5, **GOOD | {"confidence": 0.1, "chip": np.zeros((150, 150, 3), np.uint8)}
    )
    assert worst == set(Mark)


def test_without_the_filter_nothing_is_marked() -> None:
    off = EngineOptions(smallest_face=1000)
    assert marks(Box(0, 1, 1, 0), (Point(5, 5),) * 5, **GOOD | {"confidence": 0.1, "options": off}) == frozenset()


def test_a_blurred_photo_keeps_its_face_with_a_mark(archive: dict[str, Path]) -> None:
    engine = open_engine(Model.HOG, EngineOptions(quality_filter=True, chips=True, smallest_face=300), MODELS, "cpu")
    photo = Image.open(archive["obama.jpg"]).convert("RGB")
    sharp, blurred = io.BytesIO(), io.BytesIO()
    photo.save(sharp, "PNG")
    photo.filter(ImageFilter.GaussianBlur(8)).save(blurred, "PNG")

    (good,), (bad,) = engine.faces(sharp.getvalue()).faces, engine.faces(blurred.getvalue()).faces

    assert good.marks == {Mark.SMALL}
    assert bad.marks == {Mark.SMALL, Mark.BLURRED}
    assert not bad.comparable


def test_sharpness_does_not_depend_on_light(archive: dict[str, Path]) -> None:
    chip = np.array(
        Image.open(archive["obama.jpg"]).convert("RGB").crop((349, 142, 617, 410)).resize((150, 150)), np.uint8
    )
    dark = (chip * 0.5).astype(np.uint8)
    assert sharpness(dark) == pytest.approx(sharpness(chip), rel=0.2)
