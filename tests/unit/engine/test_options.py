"""Options do what they say."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facerec.engine import EngineOptions, FaceEngine, open_engine
from facerec.engine.detection import Detection, scaled
from facerec.engine.mmod import ConfirmedDetector, Rules, intersection_over_union, suppressed
from facerec.engine.pyramid import pyramid_tiling
from facerec.faces import Box, Model
from tests.unit.engine.conftest import MODELS


@pytest.mark.parametrize(
    "wrong",
    [
        {"detect_max_area": 0},
        {"max_pixels": 0},
        {"upsample": -1},
        {"upsample": 5},
        {"jitter": -1},
        {"threads": 0},
        {"smallest_face": -1},
    ],
)
def test_senseless_options_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        EngineOptions(**wrong)


def small_face(archive: dict[str, Path], side: int) -> bytes:
    """obama.jpg, in which the face is 252 pixels high, made so small that it is ``side`` high."""
    photo = Image.open(archive["obama.jpg"]).convert("RGB")
    factor = side / 252
    out = io.BytesIO()
    photo.resize((int(photo.width * factor), int(photo.height * factor)), Image.Resampling.LANCZOS).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(("model", "least"), [(Model.HOG, (120, 60)), (Model.CNN, (120, 60))], ids=str)
def test_upsampling_finds_smaller_faces(model: Model, least: tuple[int, int], archive: dict[str, Path]) -> None:
    for upsample, side in enumerate(least):
        engine = open_engine(model, EngineOptions(upsample=upsample), MODELS, "cpu")
        assert len(engine.faces(small_face(archive, side)).faces) == 1
        assert len(engine.faces(small_face(archive, side // 3)).faces) == 0


@pytest.mark.parametrize("model", [Model.HOG, Model.CNN], ids=str)
def test_the_threshold(model: Model, archive: dict[str, Path]) -> None:
    image = small_face(archive, 150)
    found = open_engine(model, EngineOptions(), MODELS, "cpu").faces(image).faces
    strict = EngineOptions(min_confidence=found[0].confidence + 0.01)
    assert len(found) == 1
    assert open_engine(model, strict, MODELS, "cpu").faces(image).faces == ()
    loose = open_engine(model, EngineOptions(min_confidence=-1.3), MODELS, "cpu").faces(image).faces
    assert len(loose) > 1
    assert loose[0].box == found[0].box


def test_jitter_averages_near_the_plain_encoding(hog: FaceEngine, archive: dict[str, Path]) -> None:
    image = small_face(archive, 150)
    plain = hog.faces(image).faces[0].encoding
    for jitter, apart in ((1, (0, 1e-6)), (20, (0.001, 0.3))):
        encoding = open_engine(Model.HOG, EngineOptions(jitter=jitter), MODELS, "cpu").faces(image).faces[0].encoding
        assert encoding.dtype == np.float32
        assert apart[0] <= np.linalg.norm(encoding - plain) <= apart[1]


def test_a_large_picture_is_reported_in_its_own_pixels(hog: FaceEngine, archive: dict[str, Path]) -> None:
    photo = Image.open(archive["obama.jpg"]).convert("RGB")
    out = io.BytesIO()
    photo.resize((photo.width * 4, photo.height * 4), Image.Resampling.BICUBIC).save(out, "JPEG", quality=92)

    large, own = hog.faces(out.getvalue()), hog.faces(archive["obama.jpg"].read_bytes())

    assert (large.width, large.height) == (3640, 4548)
    (big,), (small,) = large.faces, own.faces
    assert intersection_over_union(big.box, scaled(small.box, 4, 4)) > 0.6
    assert np.linalg.norm(big.encoding - small.encoding) < 0.25
    again = hog.compute(out.getvalue(), [big.box]).faces[0]
    assert np.linalg.norm(again.encoding - big.encoding) < 1e-5
    assert again.landmarks == big.landmarks


def test_two_threads_give_the_same_encoding(hog: FaceEngine, archive: dict[str, Path]) -> None:
    image = small_face(archive, 150)
    two = open_engine(Model.CNN, EngineOptions(threads=2), MODELS, "cpu").faces(image).faces[0]
    one = open_engine(Model.CNN, EngineOptions(), MODELS, "cpu").faces(image).faces[0]
    assert np.linalg.norm(one.encoding - two.encoding) < 1e-5
    assert one.box == two.box


class Always:
    """A detector that always finds the same."""

    def __init__(self, *found: Detection) -> None:
        self.found = list(found)
        self.asked = 0

    def find(self, pixels: np.ndarray) -> list[Detection]:
        self.asked += 1
        return self.found


def square(left: int, side: int = 100) -> Box:
    return Box(top=0, right=left + side, bottom=side, left=left)


def test_model_4_keeps_what_hog_confirms() -> None:
    cnn = Always(Detection(square(0), 1.0), Detection(square(1000), 0.5))
    hog = Always(Detection(square(40), 2.0))

    found = ConfirmedDetector(cnn, hog).find(np.zeros((1, 1, 3), np.uint8))

    assert [(d.box, d.confidence) for d in found] == [(square(0), 1.0), (square(1000), pytest.approx(0.4))]


def test_model_4_asks_hog_only_when_there_is_a_face() -> None:
    hog = Always()
    assert ConfirmedDetector(Always(), hog).find(np.zeros((1, 1, 3), np.uint8)) == []
    assert hog.asked == 0


def test_the_overlap_takes_the_smaller_right_and_bottom() -> None:
    assert intersection_over_union(square(0), square(0)) == 1.0
    assert intersection_over_union(square(0), square(50)) == pytest.approx(1 / 3)
    assert intersection_over_union(square(0), square(100)) == 0.0
    assert intersection_over_union(square(0), Box(top=200, right=100, bottom=300, left=0)) == 0.0
    assert intersection_over_union(square(0), square(25, 50)) == pytest.approx(0.25)


def test_suppression_measures_against_the_rectangle_around_both() -> None:
    rules = Rules(window=80, iou=0.338, covered=1.0)
    better, near, far = Detection(square(0), 3.0), Detection(square(40), 2.0), Detection(square(60), 1.0)
    assert suppressed([better, near, far], rules) == [better, far]
    assert suppressed([better, Detection(square(60), 2.0)], Rules(80, 0.338, 0.3)) == [better]


@pytest.mark.parametrize("shape", [(480, 640), (640, 480), (100, 3000), (3000, 100), (60, 60)])
def test_the_levels_of_the_pyramid_do_not_overlap(shape: tuple[int, int]) -> None:
    tiling = pyramid_tiling(*shape)
    used = np.zeros((tiling.height, tiling.width), int)
    for tile in tiling.tiles:
        used[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width] += 1
        assert (
            tile.height * tile.width
            == used[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width].sum()
        )
    assert used.max() == 1
    assert (tiling.tiles[0].height, tiling.tiles[0].width) == shape
