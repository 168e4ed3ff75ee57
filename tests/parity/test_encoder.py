"""Our encoder against dlib's, for equal landmarks; our chips against dlib's, bit for bit."""

from __future__ import annotations

from pathlib import Path

import dlib
import numpy as np
import pytest

from facerec.engine import open_engine
from facerec.engine.convert import onnx_model
from facerec.engine.detection import Detection
from facerec.engine.dlibs import HogDetector, Landmarks, chips_of, points_of
from facerec.engine.encoder import Encoder
from facerec.engine.options import EngineOptions
from facerec.engine.pictures import Pixels, decode
from facerec.engine.runtime import Network
from facerec.engine.weights import ENCODER_FILE, model_file
from facerec.faces import Box, Model
from tests.parity.conftest import MODELS

CLOSE_ENOUGH = 1e-5
"""Euclidean distance; two persons are 0.6 apart and more."""


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(Network(onnx_model(ENCODER_FILE, MODELS), "cpu", 1, keep_memory=True))


@pytest.fixture(scope="module")
def dlib_encoder() -> dlib.face_recognition_model_v1:
    return dlib.face_recognition_model_v1(str(model_file(ENCODER_FILE)))


@pytest.fixture(scope="module")
def detected(compared: dict[str, Path]) -> list[tuple[Pixels, list[Detection]]]:
    """Every picture with its faces."""
    detector = HogDetector()
    pictures = [decode(path.read_bytes(), EngineOptions()).pixels for path in compared.values()]
    return [(pixels, detector.find(pixels)) for pixels in pictures]


@pytest.mark.parametrize("points", [5, 68])
def test_encodings_are_dlib_s(
    points: int,
    encoder: Encoder,
    dlib_encoder: dlib.face_recognition_model_v1,
    detected: list[tuple[Pixels, list[Detection]]],
) -> None:
    landmarks = Landmarks(points)
    farthest = count = 0
    for pixels, detections in detected:
        shapes = [landmarks.find(pixels, detection.box) for detection in detections]
        for shape, encoding in zip(shapes, encoder.encode(chips_of(pixels, shapes)), strict=True):
            theirs = np.array(dlib_encoder.compute_face_descriptor(pixels, shape))
            farthest, count = max(farthest, float(np.linalg.norm(theirs - encoding))), count + 1

    print(f"{count} faces, {points} points: at most {farthest:.2e} apart")  # noqa: T201
    assert count >= 6
    assert farthest < CLOSE_ENOUGH


@pytest.mark.parametrize(
    "box",
    [
        Box(top=-80, right=300, bottom=200, left=-60),
        Box(top=900, right=1000, bottom=1300, left=700),
        Box(top=-500, right=1500, bottom=1500, left=-500),
        Box(top=0, right=2, bottom=2, left=0),
    ],
    ids=str,
)
def test_a_box_partly_outside_the_picture_is_taken_as_it_is(
    box: Box, dlib_encoder: dlib.face_recognition_model_v1, archive: dict[str, Path]
) -> None:
    """As the model service of the Nextcloud app does, which hands the box to dlib."""
    image = archive["obama.jpg"].read_bytes()
    pixels = decode(image, EngineOptions()).pixels
    shape = Landmarks(5).find(pixels, box)

    (face,) = open_engine(Model.HOG, EngineOptions(), MODELS, "cpu").compute(image, [box]).faces

    assert face.box == box
    assert face.landmarks == points_of(shape)
    assert np.linalg.norm(face.encoding - np.array(dlib_encoder.compute_face_descriptor(pixels, shape))) < CLOSE_ENOUGH


def test_the_place_in_the_batch_does_not_matter(encoder: Encoder) -> None:
    chips = [np.random.default_rng(i).integers(0, 256, (150, 150, 3), np.uint8) for i in range(20)]

    together = encoder.encode(chips)

    for chip, encoding in zip(chips, together, strict=True):
        assert np.linalg.norm(encoder.encode([chip])[0] - encoding) < CLOSE_ENOUGH


def test_chips_are_dlib_s_bit_for_bit(archive: dict[str, Path]) -> None:
    pixels = decode(archive["obama.jpg"].read_bytes(), EngineOptions()).pixels
    shape = Landmarks(5).find(pixels, HogDetector().find(pixels)[0].box)

    (chip,) = chips_of(pixels, [shape])

    assert np.array_equal(chip, dlib.get_face_chip(pixels, shape))


def test_jitter_stays_near_dlib_s(dlib_encoder: dlib.face_recognition_model_v1, archive: dict[str, Path]) -> None:
    """The jitter is random, so means over many copies are compared: nearer to each other than to the plain encoding."""
    pixels = decode(archive["obama.jpg"].read_bytes(), EngineOptions()).pixels
    shape = Landmarks(5).find(pixels, HogDetector().find(pixels)[0].box)
    chips = chips_of(pixels, [shape])
    network = Network(onnx_model(ENCODER_FILE, MODELS), "cpu", 1, keep_memory=True)

    ours = Encoder(network, jitter=50).encode(chips)[0]

    theirs = np.array(dlib_encoder.compute_face_descriptor(pixels, shape, 50))
    plain = Encoder(network).encode(chips)[0]
    assert np.linalg.norm(ours - theirs) < 0.1
    assert np.linalg.norm(ours - plain) > 0.01
