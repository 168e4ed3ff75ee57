"""Our CNN detector against dlib's: the same faces, boxes within a pixel, confidences within a thousandth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facerec.engine.convert import onnx_model
from facerec.engine.detection import Detection
from facerec.engine.mmod import CnnDetector
from facerec.engine.options import EngineOptions
from facerec.engine.pictures import Pixels, decode
from facerec.engine.runtime import Network
from facerec.engine.weights import DETECTOR_FILE
from tests.parity.conftest import MODELS, everything
from tests.parity.dlib_answers import DlibAnswers

BOX_PIXELS = 1
CONFIDENCE = 1e-3
QUICK_AREA = 260_000
"""Pixels after upsampling that dlib gets in the quick run; larger pictures are shrunk first."""


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(onnx_model(DETECTOR_FILE, MODELS), "cpu", 1)


@pytest.fixture(scope="module")
def theirs(pytestconfig: pytest.Config) -> Iterator[DlibAnswers]:
    full, everything_asked = pytestconfig.getoption("--full"), everything(pytestconfig)
    answers = DlibAnswers(anew=full or everything_asked)
    yield answers
    if full and not everything_asked:
        answers.write()


def assert_same(ours: list[Detection], theirs: list[Detection], name: str) -> tuple[float, float]:
    """The largest differences of a side and of a confidence."""
    assert len(ours) == len(theirs), name
    sides = confidence = 0.0
    for our, their in zip(ours, theirs, strict=True):
        sides = max(sides, np.abs(np.array(astuple(our.box)) - np.array(astuple(their.box))).max())
        confidence = max(confidence, abs(our.confidence - their.confidence))
    assert sides <= BOX_PIXELS, name
    assert confidence <= CONFIDENCE, name
    return sides, confidence


def within(path: Path, area: int | None) -> Pixels:
    """The picture, shrunk to at most ``area`` pixels."""
    pixels = decode(path.read_bytes(), EngineOptions()).pixels
    if area is None or pixels.shape[0] * pixels.shape[1] <= area:
        return pixels
    factor = (area / (pixels.shape[0] * pixels.shape[1])) ** 0.5
    size = int(pixels.shape[1] * factor), int(pixels.shape[0] * factor)
    return np.array(Image.fromarray(pixels).resize(size), np.uint8)


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("upsample", [0, 1])
def test_faces_are_dlib_s(
    upsample: int,
    network: Network,
    theirs: DlibAnswers,
    compared: dict[str, Path],
    request: pytest.FixtureRequest,
) -> None:
    area = None if everything(request.config) else QUICK_AREA // 4**upsample
    found = faces = 0
    worst = np.zeros(2)
    for name, path in compared.items():
        pixels = within(path, area)
        ours = CnnDetector(network, upsample).find(pixels)
        worst = np.maximum(worst, assert_same(ours, theirs(pixels, upsample), name))
        found, faces = found + bool(ours), faces + len(ours)

    print(f"{found} pictures, {faces} faces: boxes {worst[0]:.0f} px, confidences {worst[1]:.1e} apart")  # noqa: T201
    assert found >= len(compared) // 2


@pytest.mark.parametrize("shape", [(80, 80), (97, 203), (300, 41), (41, 300)])
def test_pictures_of_odd_shape(shape: tuple[int, int], network: Network, theirs: DlibAnswers) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    for upsample in (0, 1):
        assert_same(CnnDetector(network, upsample).find(pixels), theirs(pixels, upsample), str(shape))


@pytest.mark.parametrize("width", [30, 36, 41, 45, 50, 55, 59, 64])
def test_narrow_pictures(width: int, network: Network, theirs: DlibAnswers, archive: dict[str, Path]) -> None:
    """dlib lays the pyramid of a picture below 60 pixels out in another way."""
    face = Image.open(archive["obama.jpg"]).crop((340, 100, 640, 440))
    for height in (width, width * 4 // 3, width * 3):
        pixels = np.array(face.resize((width, height)), np.uint8)
        assert_same(CnnDetector(network, 1).find(pixels), theirs(pixels, 1), str(pixels.shape))
        assert_same(CnnDetector(network, 2).find(pixels), theirs(pixels, 2), str(pixels.shape))


@pytest.mark.parametrize("shape", [(1, 1), (6, 5), (6, 700), (700, 6), (9, 9)])
def test_pictures_that_break_dlib_have_no_face(shape: tuple[int, int], network: Network) -> None:
    """dlib's detector refuses some of these and reads outside its memory for others, so it is not called."""
    assert CnnDetector(network).find(np.zeros((*shape, 3), np.uint8)) == []


def test_an_answer_is_kept_for_these_pixels_and_this_dlib_alone(archive: dict[str, Path], tmp_path: Path) -> None:
    pixels = within(archive["obama.jpg"], 20_000)
    first = DlibAnswers(file=tmp_path / "kept.json")
    answer = first(pixels, 0)
    first.write()

    again = DlibAnswers(file=tmp_path / "kept.json")
    assert (again(pixels, 0), again.asked) == (answer, 0)
    again(pixels, 1)
    again(pixels[::-1].copy(), 0)
    assert again.asked == 2
    (tmp_path / "kept.json").write_text((tmp_path / "kept.json").read_text().replace('"dlib": "', '"dlib": "0'))
    other = DlibAnswers(file=tmp_path / "kept.json")
    assert (other(pixels, 0), other.asked) == (answer, 1)
